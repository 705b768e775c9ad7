import Evidence
import Mechanisms
import Wire

/// A stack of CloudFormation and what happened to each of its resources in its last operation.
struct StackReading: Sendable {
  struct Step: Sendable {
    var id: String
    var type: String
    var began: Timestamp
    var ended: Timestamp?
    var status: String
    var reason: String

    func took(until now: Timestamp) -> Duration { (ended ?? now) - began }
    var isFailed: Bool { status.hasSuffix("_FAILED") }
  }

  var stack: JSON
  var steps: [Step]
  /// The operation as a whole.
  var whole: Step
  var at: Timestamp

  var name: String { stack["StackName"].string ?? "" }
  var status: String { stack["StackStatus"].string ?? "" }

  /// CDK's construct makes the cluster by a custom resource, which it polls once a minute.
  static let cdkCluster = "Custom::AWSCDK-EKS-Cluster"
  var isCDK: Bool { steps.contains { $0.type.hasPrefix("Custom::AWSCDK-EKS-") } }

  func exhibit(_ step: Step) -> Exhibit {
    Exhibit(
      Cite.aws(
        .describeStackEvents, name, field: "\(step.id) (\(step.type))",
        value: "\(step.status), \(step.began.rfc3339) to \(step.ended?.rfc3339 ?? "now")", at: step.ended ?? at))
  }

  static func read(_ name: String, _ world: Investigation) async -> Fact<StackReading?> {
    let found = await world.aws(.describeStacks, ["StackName": name])
    if let gap = found.gap { return .unknown(gap) }
    guard let stack = found.first else { return .known(nil) }
    let told = await world.aws(.describeStackEvents, ["StackName": name])
    if let gap = told.gap { return .unknown(gap) }
    var steps: [Step] = []
    var whole: Step?
    for event in told.items.reversed() {
      let id = event["LogicalResourceId"].string ?? ""
      let status = event["ResourceStatus"].string ?? ""
      guard let time = event["Timestamp"].time else { continue }
      let type = event["ResourceType"].string ?? ""
      let reason = event["ResourceStatusReason"].string ?? ""
      let isWhole = type == "AWS::CloudFormation::Stack" && id == stack["StackName"].string
      if isWhole {
        // Another operation begins with the stack itself.
        if ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"].contains(status) {
          steps = []
          whole = Step(id: id, type: type, began: time, status: status, reason: reason)
        } else {
          whole?.status = status
          whole?.ended = status.hasSuffix("_IN_PROGRESS") ? nil : time
        }
        continue
      }
      if let at = steps.firstIndex(where: { $0.id == id }) {
        if steps[at].isFailed { continue }
        steps[at].status = status
        if !status.hasSuffix("_IN_PROGRESS") { (steps[at].ended, steps[at].reason) = (time, reason) }
      } else {
        steps.append(Step(id: id, type: type, began: time, status: status, reason: reason))
      }
    }
    guard let whole else {
      return .unknown(
        Gap(read: "cloudformation:DescribeStackEvents \(name)", why: "no operation of the stack as a whole is in it"))
    }
    return .known(StackReading(stack: stack, steps: steps, whole: whole, at: told.at))
  }
}
