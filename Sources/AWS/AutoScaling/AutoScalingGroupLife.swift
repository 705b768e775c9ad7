import World

/// What keeps a group at its size.
struct AutoScalingGroupLife: Component {
  static let kind = "asg"
  var group: String
  static func id(_ group: String) -> ComponentID { ComponentID("\(kind)/\(group)") }
  mutating func step(_ input: Input, _ context: Context) {}
}
