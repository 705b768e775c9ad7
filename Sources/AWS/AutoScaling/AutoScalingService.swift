package import Wire
package import World

/// Amazon EC2 Auto Scaling: groups that keep a number of instances.
package final class AutoScalingService: AWSService {
  package let name = "autoscaling"
  unowned let world: World
  let groups: Table<AutoScalingGroup>
  let activities: Table<ScalingActivity>

  private let operations: [String: Operation<AutoScalingService>]
  package let modelled: Set<String>

  init(world: World) {
    self.world = world
    groups = Table("asg-group", in: world)
    activities = Table("asg-activity", in: world)
    operations = .joined([Self.groupOperations, Self.sizeOperations, Self.hookOperations, Self.tagOperations])
    modelled = Set(operations.keys)
  }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    guard let operation = operations[request.operation] else {
      throw .unsupported(service: name, operation: request.operation)
    }
    return try operation(self)(request)
  }

  package func requirements(_ request: AWSRequest) -> [AWSRequirement] {
    var name = request.input["AutoScalingGroupName"].string
    if name == nil, let instance = request.input["InstanceId"].string {
      name = groups.first { $0.members.contains { $0.id == instance } }?.name
    }
    let isRead = request.operation.hasPrefix("Describe")
    let resource = isRead ? "*" : name.map { groups[$0]?.arn ?? arn($0, "*") } ?? "*"
    var context: [String: [String]] = [:]
    let tags = request.input["Tags"].items
    if !tags.isEmpty { context["aws:TagKeys"] = tags.compactMap { $0["Key"].string } }
    for tag in tags {
      if let key = tag["Key"].string { context["aws:RequestTag/\(key)"] = [tag["Value"].string ?? ""] }
    }
    for tag in name.flatMap({ groups[$0] })?.tags ?? [] {
      context["aws:ResourceTag/\(tag.key)"] = [tag.value]
      context["autoscaling:ResourceTag/\(tag.key)"] = [tag.value]
    }
    return [AWSRequirement("autoscaling:\(request.operation)", resources: [resource], context: context)]
  }

  func arn(_ name: String, _ id: String) -> String {
    "arn:aws:autoscaling:\(world.region):\(world.account):autoScalingGroup:\(id):autoScalingGroupName/\(name)"
  }

  func group(_ request: AWSRequest) throws(AWSError) -> AutoScalingGroup {
    let name = request.input["AutoScalingGroupName"].string ?? ""
    guard let found = groups[name] else {
      throw .validation("AutoScalingGroup name not found - AutoScalingGroup \(name) not found")
    }
    return found
  }

  /// A call that Auto Scaling makes with its service-linked role.
  func call(_ service: String, _ operation: String, _ input: JSON) -> AWSCall {
    AWSCall(
      service: service, operation: operation, input: input, region: world.region,
      caller: .service(
        "autoscaling.amazonaws.com",
        roleARN:
          "arn:aws:iam::\(world.account):role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
        session: "AutoScaling"),
      sourceIP: "autoscaling.amazonaws.com", userAgent: "autoscaling.amazonaws.com")
  }

  /// Wakes what keeps the group at its size.
  func poke(_ group: String) {
    world.schedule(AutoScalingGroupLife.id(group), .message("look", .null), at: world.now)
  }

  func page(_ name: String, _ all: [(key: String, value: JSON)], _ request: AWSRequest) throws(AWSError) -> JSON {
    guard
      let page = Page(all, token: request.input["NextToken"].string, limit: request.input["MaxRecords"].int ?? 50)
    else {
      throw AWSError(
        code: "InvalidNextToken", message: "The token '\(request.input["NextToken"].string ?? "")' is invalid.")
    }
    return [name: .array(page.elements), "NextToken": JSON(page.next)]
  }
}

extension AWSError {
  static func validation(_ message: String) -> AWSError {
    AWSError(code: "ValidationError", message: message, status: 400)
  }
}
