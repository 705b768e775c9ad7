import Wire
import World

extension IAMService {
  /// Roles that belong to services: name, service, managed policy.
  static var serviceLinkedRoles: [(service: String, name: String, policy: String)] {
    [
      ("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS", "AmazonEKSServiceRolePolicy"),
      ("eks-nodegroup.amazonaws.com", "AWSServiceRoleForAmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup"),
      ("eks-fargate.amazonaws.com", "AWSServiceRoleForAmazonEKSForFargate", "AmazonEKSForFargateServiceRolePolicy"),
      ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", "AutoScalingServiceRolePolicy"),
      (
        "elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing",
        "AWSElasticLoadBalancingServiceRolePolicy"
      ),
    ]
  }

  func createServiceLinkedRole(_ request: AWSRequest) throws(AWSError) -> JSON {
    let service = request.input["AWSServiceName"].string ?? ""
    guard let known = Self.serviceLinkedRoles.first(where: { $0.service == service }) else {
      throw AWSError(
        code: "InvalidInput",
        message: "Service role \(service) is not known to this local EKS, or takes no service-linked role.", status: 400
      )
    }
    if roles[known.name] != nil {
      throw AWSError(
        code: "InvalidInput",
        message: "Service role name \(known.name) has been taken in this account, please try a different suffix.",
        status: 400)
    }
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"\#(service)"},"Action":"sts:AssumeRole"}]}"#
    var role = IAMRole(
      name: known.name, path: "/aws-service-role/\(service)/", id: newID("AROA"), createdAt: request.now,
      trust: trust, description: request.input["Description"].string)
    role.service = service
    role.policies.attached = ["arn:aws:iam::aws:policy/aws-service-role/\(known.policy)"]
    roles[role.name] = role
    return ["Role": json(role)]
  }

  func deleteServiceLinkedRole(_ request: AWSRequest) throws(AWSError) -> JSON {
    let role = try existingRole(request)
    guard let service = role.service else {
      throw AWSError(
        code: "InvalidInput", message: "The role \(role.name) is not a service-linked role.", status: 400)
    }
    if usage(of: role).isEmpty { roles[role.name] = nil }
    let task = world.newID { $0.uuid() }
    return ["DeletionTaskId": .string("task/aws-service-role/\(service)/\(role.name)/\(task)")]
  }

  func serviceLinkedRoleDeletionStatus(_ request: AWSRequest) throws(AWSError) -> JSON {
    let task = request.input["DeletionTaskId"].string ?? ""
    let parts = task.split(separator: "/")
    guard parts.count == 5, Self.serviceLinkedRoles.contains(where: { $0.name == parts[3] }) else {
      throw .noSuchEntity("The deletion task \(task) cannot be found.")
    }
    // A role that is still there, or there again, was in use.
    guard let role = roles[String(parts[3])] else { return ["Status": "SUCCEEDED"] }
    let used = usage(of: role)
    return [
      "Status": "FAILED",
      "Reason": [
        "Reason": "The service-linked role is in use by resources of its service.",
        "RoleUsageList": used.isEmpty
          ? [] : [["Region": .string(world.region), "Resources": JSON(used)]],
      ],
    ]
  }

  /// What of a role's service stands in the account and needs the role, by the service's own word.
  private func usage(of role: IAMRole) -> [String] {
    func ask(_ service: String, _ operation: String, _ input: JSON = .emptyObject) -> JSON {
      let call = AWSCall(
        service: service, operation: operation, input: input, region: world.region,
        caller: .service("iam.amazonaws.com"), sourceIP: "iam.amazonaws.com", userAgent: "iam.amazonaws.com")
      return world.aws.perform(call).output ?? .null
    }
    let base = "arn:aws:eks:\(world.region):\(world.account)"
    let clusters = ask("eks", "ListClusters")["clusters"].strings
    switch role.service {
    case "eks.amazonaws.com": return clusters.map { "\(base):cluster/\($0)" }
    case "eks-nodegroup.amazonaws.com":
      return clusters.flatMap { cluster in
        ask("eks", "ListNodegroups", ["clusterName": .string(cluster)])["nodegroups"].strings.map {
          "\(base):nodegroup/\(cluster)/\($0)"
        }
      }
    case "eks-fargate.amazonaws.com":
      return clusters.flatMap { cluster in
        ask("eks", "ListFargateProfiles", ["clusterName": .string(cluster)])["fargateProfileNames"].strings.map {
          "\(base):fargateprofile/\(cluster)/\($0)"
        }
      }
    case "autoscaling.amazonaws.com":
      return ask("autoscaling", "DescribeAutoScalingGroups")["AutoScalingGroups"].items.compactMap {
        $0["AutoScalingGroupARN"].string
      }
    default: return []
    }
  }
}
