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
          TagOwner(tags: mapping.clusterTags).fix(
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

  /// The line that managed node groups get from EKS, added to what stands in aws-auth.
  static func line(_ arn: String, isWindows: Bool) -> String {
    """
    - groups:
    \(groups(isWindows).map { "  - \($0)" }.joined(separator: "\n"))
      rolearn: \(arn)
      username: system:node:{{EC2PrivateDNSName}}

    """
  }

  /// The same as JSON, which aws-auth may hold too: one line of a command.
  private static func item(_ arn: String, isWindows: Bool) -> JSON {
    [
      [
        "rolearn": .string(arn), "username": "system:node:{{EC2PrivateDNSName}}",
        "groups": JSON(groups(isWindows)),
      ]
    ]
  }

  /// Nodes of Windows need a group more, for kube-proxy.
  private static func groups(_ isWindows: Bool) -> [String] {
    ["system:bootstrappers", "system:nodes"] + (isWindows ? ["eks:kube-proxy-windows"] : [])
  }

  private static func configMapFix(
    _ mapping: RoleMapping, _ arn: String, _ special: Because?, _ verify: String, _ world: Investigation
  ) -> Fix? {
    guard let map = mapping.configMap.value else { return nil }
    // aws-auth knows a role without its path.
    let wanted = CanonicalARN.strippingPath(arn)
    let kubectl = "\(world.target.kubectl) -n kube-system"
    guard let map else {
      return Fix(
        "writes aws-auth with the role's line; its kubelets retry by themselves",
        command:
          "\(kubectl) create configmap aws-auth --from-literal=mapRoles=\(Shell.quote(item(wanted, isWindows: mapping.isWindows).text()))",
        owner: "hand", touches: ["configmap/aws-auth"], undo: "\(kubectl) delete configmap aws-auth", verify: verify,
        expectWithin: "2m")
    }
    let old = map["data"]["mapRoles"].string ?? ""
    if special?.code == "identity/mapping/unreadable" {
      return Fix(
        "mend the YAML of mapRoles; one broken line unmaps every role: \(kubectl) edit configmap aws-auth",
        owner: "hand", touches: ["configmap/aws-auth"], verify: verify, expectWithin: "2m")
    }
    var fresh: String
    if let written = special?.details["arn"].string, special?.code.hasPrefix("identity/mapping/near/") == true,
      old.contains(written)
    {
      fresh = old.replacing(written, with: wanted)
    } else {
      let isEmpty = old.trimmingASCIISpace.isEmpty || old.trimmingASCIISpace == "[]"
      fresh = isEmpty ? "" : old.hasSuffix("\n") ? old : old + "\n"
      fresh += line(wanted, isWindows: mapping.isWindows)
    }
    func patch(_ text: String) -> String {
      let body: JSON = ["data": ["mapRoles": .string(text)]]
      return "\(kubectl) patch configmap aws-auth --type merge -p \(Shell.quote(body.text()))"
    }
    return Fix(
      "puts the role's line into aws-auth and keeps the others; its kubelets retry by themselves",
      command: patch(fresh), owner: "hand", touches: ["configmap/aws-auth"], undo: patch(old), verify: verify,
      expectWithin: "2m")
  }
}
