import Mechanisms
import Wire

/// The root "a node role is mapped to nobody", and what maps it again in the cluster's authentication mode.
enum RoleMappingFix {
  static func root(_ mapping: RoleMapping, code: String, isAutoMode: Bool, _ world: Investigation) -> RootCause {
    let arn = mapping.roleARN
    let cluster = world.target.cluster ?? "CLUSTER"
    let mode = mapping.mode.value ?? .apiAndConfigMap
    let role = Entity("Role", mapping.role.roleName ?? arn)
    let verify = "ekswhy instance/\(mapping.role.instanceID)"
    let special = mapping.verdict.reasons.first { $0.code != "identity/mapping/not-mapped" }

    var statement = "node role \(role.name) isn't mapped to a Kubernetes user in cluster \(cluster)"
    var fixes: [Fix] = []
    var code = code
    if let special {
      switch special.code {
      case "identity/mapping/unreadable": code = "identity/aws-auth-unreadable"
      case "identity/mapping/recreated": code = "identity/access-entry-of-deleted-role"
      case "identity/mapping/template": code = "identity/mapping-template-fails"
      default: code = "identity/mapping-near-miss"
      }
      statement += ": \(special.text)"
    }

    if mode.usesEntries {
      let type = isAutoMode ? "EC2" : mapping.isWindows ? "EC2_WINDOWS" : "EC2_LINUX"
      let create =
        "aws eks create-access-entry --cluster-name \(Shell.quote(cluster)) --principal-arn \(Shell.quote(arn)) --type \(type)\(world.target.awsOptions)"
      let delete =
        "aws eks delete-access-entry --cluster-name \(Shell.quote(cluster)) --principal-arn \(Shell.quote(arn))\(world.target.awsOptions)"
      if special?.code == "identity/mapping/recreated" {
        fixes.append(
          Fix(
            "makes the access entry anew, for the role that has this name now", command: "\(delete) && \(create)",
            owner: "hand", touches: ["access-entry/\(arn)"], verify: verify, expectWithin: "2m"))
      } else {
        fixes.append(
          TagOwner(tags: mapping.mapping.clusterTags).fix(
            Fix(
              "maps the role again; its kubelets retry by themselves", command: create, owner: "hand",
              touches: ["access-entry/\(arn)"], undo: delete, verify: verify, expectWithin: "2m"),
            instead: "add an access entry of type \(type) for \(arn) to cluster \(cluster)"))
      }
    }
    if mode.usesConfigMap, let fix = configMapFix(mapping, arn, special, verify, world) {
      if mode == .configMap { fixes.insert(fix, at: 0) } else { fixes.append(fix) }
    }
    return RootCause(
      code, layer: .eks, entity: role, statement: statement, evidence: mapping.evidence, fixes: fixes)
  }

  private static func configMapFix(
    _ mapping: RoleMapping, _ arn: String, _ special: Because?, _ verify: String, _ world: Investigation
  ) -> Fix? {
    guard let map = mapping.mapping.configMap.value else { return nil }
    // Nodes of Windows need a group more, for kube-proxy.
    let more = mapping.isWindows ? ["eks:kube-proxy-windows"] : []
    return AWSAuthFix(
      arn: CanonicalARN.strippingPath(arn), username: "system:node:{{EC2PrivateDNSName}}",
      groups: ["system:bootstrappers", "system:nodes"] + more, outcome: "its kubelets retry by themselves"
    ).fix(map, special, verify: verify, world)
  }
}
