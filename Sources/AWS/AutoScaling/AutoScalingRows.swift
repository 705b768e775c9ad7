import Wire

struct AutoScalingGroup: Codable, Sendable {
  struct Member: Codable, Sendable {
    enum Lifecycle: String, Codable, Sendable {
      case pending = "Pending"
      case pendingWait = "Pending:Wait"
      case inService = "InService"
      case terminating = "Terminating"
      case terminatingWait = "Terminating:Wait"
      case terminatingProceed = "Terminating:Proceed"
    }
    var id: String
    var zone: String
    var type: String
    var state = Lifecycle.pending
    var isHealthy = true
    var version: String
    var activity: String

    var isLeaving: Bool { ![.pending, .pendingWait, .inService].contains(state) }
  }

  struct Hook: Codable, Sendable {
    var name: String
    var transition: String
    var heartbeat: Int
    var result: String
    var target: String?
    var role: String?
    var metadata: String?
  }

  struct Tag: Codable, Sendable {
    var key: String
    var value: String
    var propagates: Bool
  }

  var name: String
  var arn: String
  var createdAt: Timestamp
  var minimum: Int
  var maximum: Int
  var desired: Int
  var cooldown: Int
  var healthCheck: String
  var grace: Int
  var subnets: [String]
  var zones: [String]
  /// `LaunchTemplateId`, `LaunchTemplateName`, `Version`.
  var template: JSON
  var mixed: JSON
  /// Overrides of the mixed policy, first choice first.
  var types: [String]
  var members: [Member] = []
  var hooks: [Hook] = []
  var tags: [Tag]
  var suspended: [String] = []
  var protectsNew = false
  var isDeleting = false

  static let launching = "autoscaling:EC2_INSTANCE_LAUNCHING"
  static let terminating = "autoscaling:EC2_INSTANCE_TERMINATING"

  /// Members that count for the group's size.
  var present: [Member] { members.filter { !$0.isLeaving } }
}

struct ScalingActivity: Codable, Sendable {
  var id: String
  var group: String
  var description: String
  var cause: String
  var startedAt: Timestamp
  var endedAt: Timestamp?
  /// `InProgress`, `Successful`, `Failed`.
  var status: String
  var message: String?
  var progress: Int
  var details: String
}
