import Mechanisms
import Wire
import World

/// What EKS finds when it looks at what a node group stands on.
extension NodegroupLife {
  /// How often it looks (from documents: within minutes).
  static let healthCheck = Duration.seconds(5 * 60)

  struct Issue {
    var code: String
    var message: String
    var resources: [String]
  }

  func checkHealth(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
    context.wake("health", after: Self.healthCheck, .background)
    guard group.status == "ACTIVE" || group.status == "DEGRADED", rollout == nil else { return }
    let issues =
      scalingIssues(service, group) + identityIssues(service, group) + networkIssues(service, row, group)
      + clusterIssues(service, row, group)
      + (InjectedIssue.asked(by: group.document["tags"].stringMap).map {
        [Issue(code: $0.code, message: $0.message, resources: [])]
      } ?? [])
    let shown = JSON.array(
      issues.map {
        ["code": .string($0.code), "message": .string($0.message), "resourceIds": JSON($0.resources)]
      })
    guard shown != group.document["health"]["issues"] else { return }
    service.nodegroups.update(key) { row in
      row.document["health"] = ["issues": shown]
      row.status = issues.isEmpty ? "ACTIVE" : "DEGRADED"
    }
  }

  private func scalingIssues(_ service: EKSService, _ group: NodegroupRow) -> [Issue] {
    var issues: [Issue] = []
    let scaling = service.call(
      "autoscaling", "DescribeAutoScalingGroups", ["AutoScalingGroupNames": [.string(group.autoScalingGroup)]],
      by: .nodegroup)
    let found = scaling.output?["AutoScalingGroups"][0] ?? .null
    if let error = scaling.error {
      issues.append(Issue(code: "AccessDenied", message: error.message, resources: [group.autoScalingGroup]))
    } else if found.isNull {
      issues.append(
        Issue(
          code: "AutoScalingGroupNotFound", message: "Auto Scaling group \(group.autoScalingGroup) does not exist",
          resources: [group.autoScalingGroup]))
    }
    let template = group.launchTemplateID ?? ""
    let versions = service.call(
      "ec2", "DescribeLaunchTemplates", ["LaunchTemplateIds": [.string(template)]], by: .nodegroup)
    if let error = versions.error {
      issues.append(
        Issue(
          code: error.code.hasPrefix("InvalidLaunchTemplateId") ? "Ec2LaunchTemplateNotFound" : "AccessDenied",
          message: error.message, resources: [template]))
    } else if !found.isNull {
      let used = found["LaunchTemplate"]
      if used["LaunchTemplateId"].string != template || used["Version"].string != group.templateVersion {
        issues.append(
          Issue(
            code: "Ec2LaunchTemplateVersionMismatch",
            message:
              "Auto Scaling group \(group.autoScalingGroup) launches by version \(used["Version"].string ?? "?") of \(used["LaunchTemplateId"].string ?? "?"), not by version \(group.templateVersion) of \(template)",
            resources: [template]))
      }
    }
    let source = group.document["launchTemplate"]["id"].string
    if let source,
      let error = service.call(
        "ec2", "DescribeLaunchTemplates", ["LaunchTemplateIds": [.string(source)]], by: .nodegroup
      ).error
    {
      issues.append(Issue(code: "SourceEc2LaunchTemplateNotFound", message: error.message, resources: [source]))
    }
    if !found.isNull, let failure = lastFailure(service, group, found) { issues.append(failure) }
    return issues
  }

  /// The last launch, where it failed and instances are missing.
  private func lastFailure(_ service: EKSService, _ group: NodegroupRow, _ found: JSON) -> Issue? {
    guard found["Instances"].items.count < found["DesiredCapacity"].int ?? 0 else { return nil }
    // EKS is told by the group's notifications; its role may not ask for activities.
    let reply = service.call(
      "autoscaling", "DescribeScalingActivities",
      ["AutoScalingGroupName": .string(group.autoScalingGroup), "MaxRecords": 1], by: .plain)
    guard let last = reply.output?["Activities"][0], last["StatusCode"].string == "Failed" else { return nil }
    let message = last["StatusMessage"].string ?? ""
    return Issue(
      code: Self.code(ofLaunch: message), message: "Could not launch On-Demand Instances. \(message)",
      resources: [group.autoScalingGroup])
  }

  /// The issue that EC2's refusal of an instance is.
  static func code(ofLaunch message: String) -> String {
    func says(_ texts: String...) -> Bool { texts.contains { message.contains($0) } }
    if says("InsufficientFreeAddressesInSubnet", "not enough free addresses") { return "InsufficientFreeAddresses" }
    if says("VcpuLimitExceeded", "InstanceLimitExceeded", "vCPU capacity than your current") {
      return "InstanceLimitExceeded"
    }
    return says("InvalidAMIID", "The image id") ? "AmiIdNotFound" : "AsgInstanceLaunchFailures"
  }

  /// Subnets with a way to the Internet whose instances get no address for it; such a group is not made (EKS user
  /// guide, creating a managed node group).
  func unaddressedSubnets(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow) -> [String] {
    let described = service.call(
      "ec2", "DescribeSubnets", ["SubnetIds": JSON(group.document["subnets"].strings)], by: .nodegroup)
    let tables = service.routeTables(row.document["resourcesVpcConfig"]["vpcId"].string ?? "")
    return (described.output?["Subnets"].items ?? []).filter { subnet in
      subnet["MapPublicIpOnLaunch"].bool != true && Self.isPublic(subnet["SubnetId"].string ?? "", tables)
    }.compactMap { $0["SubnetId"].string }
  }

  /// Subnets whose instances get no IPv6 address; in a cluster of that family such a group is not made.
  func subnetsWithoutIPv6(_ service: EKSService, _ group: NodegroupRow) -> [String] {
    let described = service.call(
      "ec2", "DescribeSubnets", ["SubnetIds": JSON(group.document["subnets"].strings)], by: .nodegroup)
    return (described.output?["Subnets"].items ?? []).filter { $0["AssignIpv6AddressOnCreation"].bool != true }
      .compactMap { $0["SubnetId"].string }
  }

  private static func isPublic(_ subnet: String, _ tables: [JSON]) -> Bool {
    func has(_ table: JSON, _ test: (JSON) -> Bool) -> Bool { table["Associations"].items.contains(where: test) }
    let own = tables.first { has($0) { $0["SubnetId"].string == subnet } }
    let table = own ?? tables.first { has($0) { $0["Main"].bool == true } } ?? .null
    return table["Routes"].items.contains {
      $0["DestinationCidrBlock"].string == "0.0.0.0/0" && $0["GatewayId"].string?.hasPrefix("igw-") == true
    }
  }

  private func identityIssues(_ service: EKSService, _ group: NodegroupRow) -> [Issue] {
    var issues: [Issue] = []
    let role = ARN.parse(group.role)?.name ?? ""
    if let error = service.call("iam", "GetRole", ["RoleName": .string(role)], by: .plain).error {
      issues.append(Issue(code: "IamNodeRoleNotFound", message: error.message, resources: [group.role]))
    }
    let profile = group.instanceProfile ?? ""
    if let error = service.call("iam", "GetInstanceProfile", ["InstanceProfileName": .string(profile)], by: .plain)
      .error
    {
      issues.append(Issue(code: "IamInstanceProfileNotFound", message: error.message, resources: [profile]))
    }
    return issues
  }

  /// What the API server refuses EKS.
  private func clusterIssues(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow) -> [Issue] {
    guard let host = service.world.kube.host else { return [] }
    func list(_ resource: String) -> Fact<[JSON]> {
      .known(host.list(cluster: row.id, resource: "\(resource).rbac.authorization.k8s.io", namespace: ""))
    }
    let (bindings, roles) = (list("clusterrolebindings"), list("clusterroles"))
    let refused = NodeManager.requests.first { request in
      RBAC.decide(
        .init(
          request: request, clusterRoleBindings: bindings, roleBindings: .known([]), clusterRoles: roles,
          roles: .known([]))
      ).isNo
    }
    return refused.map { [Issue(code: "AccessDenied", message: $0.forbiddenMessage(), resources: [group.role])] } ?? []
  }

  private func networkIssues(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow) -> [Issue] {
    var issues: [Issue] = []
    for subnet in group.document["subnets"].strings {
      if let error = service.call("ec2", "DescribeSubnets", ["SubnetIds": [.string(subnet)]], by: .plain).error {
        issues.append(Issue(code: "Ec2SubnetNotFound", message: error.message, resources: [subnet]))
      }
    }
    if let error = service.call(
      "ec2", "DescribeSecurityGroups", ["GroupIds": [.string(row.securityGroup)]], by: .plain
    ).error {
      issues.append(Issue(code: "Ec2SecurityGroupNotFound", message: error.message, resources: [row.securityGroup]))
    }
    return issues
  }
}
