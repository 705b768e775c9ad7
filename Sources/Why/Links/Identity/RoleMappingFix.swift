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
      let (type, create, delete) = entryCommands(mapping, isAutoMode: isAutoMode, world)
      if special?.code == "identity/mapping/recreated" {
        fixes.append(entryAnew(mapping, isAutoMode: isAutoMode, verify, world))
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

  private static func entryCommands(
    _ mapping: RoleMapping, isAutoMode: Bool, _ world: Investigation
  ) -> (type: String, create: String, delete: String) {
    let type = isAutoMode ? "EC2" : mapping.isWindows ? "EC2_WINDOWS" : "EC2_LINUX"
    let which =
      "--cluster-name \(Shell.quote(world.target.cluster ?? "CLUSTER")) --principal-arn \(Shell.quote(mapping.roleARN))"
    return (
      type, "aws eks create-access-entry \(which) --type \(type)\(world.target.awsOptions)",
      "aws eks delete-access-entry \(which)\(world.target.awsOptions)"
    )
  }

  /// An entry's type and principal can't be changed: it is made anew.
  static func entryAnew(
    _ mapping: RoleMapping, isAutoMode: Bool, _ verify: String, _ world: Investigation
  ) -> Fix {
    let (type, create, delete) = entryCommands(mapping, isAutoMode: isAutoMode, world)
    return Fix(
      "makes the access entry anew, of type \(type) and for the role that has this name now",
      command: "\(delete) && \(create)", owner: "hand", touches: ["access-entry/\(mapping.roleARN)"], verify: verify,
      expectWithin: "2m")
  }

  /// The role's own line of aws-auth as a node's has to be; the others stay.
  static func lineCorrected(_ mapping: RoleMapping, _ verify: String, _ world: Investigation) -> Fix? {
    let arn = CanonicalARN.strippingPath(mapping.roleARN)
    guard let map = mapping.mapping.configMap.value, let line = mapping.mapping.auth.value?.line(for: arn) else {
      return nil
    }
    return nodeLine(mapping, arn).correct(line, of: map, verify: verify, world)
  }

  private static func nodeLine(_ mapping: RoleMapping, _ arn: String) -> AWSAuthFix {
    // Nodes of Windows need a group more, for kube-proxy.
    let more = mapping.isWindows ? ["eks:kube-proxy-windows"] : []
    return AWSAuthFix(
      arn: CanonicalARN.strippingPath(arn), username: "system:node:{{EC2PrivateDNSName}}",
      groups: ["system:bootstrappers", "system:nodes"] + more, outcome: "its kubelets retry by themselves")
  }

  private static func configMapFix(
    _ mapping: RoleMapping, _ arn: String, _ special: Because?, _ verify: String, _ world: Investigation
  ) -> Fix? {
    guard let map = mapping.mapping.configMap.value else { return nil }
    return nodeLine(mapping, arn).fix(map, special, verify: verify, world)
  }
}
