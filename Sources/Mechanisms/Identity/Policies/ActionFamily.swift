/// Actions that one piece of work needs together, so that who is refused one of them lacks the others too.
package enum ActionFamily {
  private static let families = [
    // Writing to a log group that is made where it is not there.
    [
      "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams",
      "logs:PutLogEvents",
    ]
  ]

  /// With the action itself.
  package static func of(_ action: String) -> [String] { families.first { $0.contains(action) } ?? [action] }
}
