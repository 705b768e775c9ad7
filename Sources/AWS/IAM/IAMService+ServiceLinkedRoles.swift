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
    roles[role.name] = nil
    let task = world.newID { $0.uuid() }
    return ["DeletionTaskId": .string("task/aws-service-role/\(service)/\(role.name)/\(task)")]
  }

  func serviceLinkedRoleDeletionStatus(_ request: AWSRequest) throws(AWSError) -> JSON {
    let task = request.input["DeletionTaskId"].string ?? ""
    let parts = task.split(separator: "/")
    guard parts.count == 5, roles[String(parts[3])] == nil else {
      throw .noSuchEntity("The deletion task \(task) cannot be found.")
    }
    return ["Status": "SUCCEEDED"]
  }
}
