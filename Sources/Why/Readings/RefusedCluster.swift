import Evidence
import Mechanisms
import Wire

/// A call of CreateCluster that EKS refused: what CloudTrail has of it, else what the message says.
struct RefusedCluster: Sendable {
  var message: String
  /// As they were sent; nil where CloudTrail does not show the call.
  var parameters: JSON?
  var evidence: [Exhibit]
  var gap: Gap?

  /// The cluster's name, where the message has it.
  static func name(in message: String) -> String? {
    for (start, end) in [("Cannot create cluster '", "'"), ("already exists with name: ", " ")] {
      guard let at = message.firstRange(of: start)?.upperBound else { continue }
      return String(message[at...].prefix { !end.contains($0) })
    }
    return nil
  }

  static func read(_ message: String, _ world: Investigation) async -> RefusedCluster {
    let found = await world.aws(.lookupEvents, filters: ["EventName": ["CreateCluster"]])
    let events = found.items.compactMap { item in
      item["CloudTrailEvent"].string.flatMap { try? JSON.parse(Array($0.utf8)) }
    }
    guard
      let event = events.first(where: {
        $0["eventSource"].string == "eks.amazonaws.com" && $0["errorMessage"].string == message
      })
    else {
      return RefusedCluster(
        message: message, evidence: [],
        gap: found.gap
          ?? Gap(
            read: "cloudtrail:LookupEvents CreateCluster", why: "it has no such call",
            how: "CloudTrail shows a call some minutes later; or name the parameters yourself"))
    }
    let citation = Citation(
      source: "cloudtrail", locator: "CreateCluster \(event["eventID"].string ?? "")", field: "requestParameters",
      value: event["requestParameters"].text(), at: event["eventTime"].time)
    return RefusedCluster(
      message: message, parameters: event["requestParameters"], evidence: [Exhibit(citation)], gap: found.gap)
  }

  var role: String? {
    if let role = parameters?["roleArn"].string { return role }
    guard let at = message.firstRange(of: "Role with arn: ")?.upperBound else { return nil }
    return String(message[at...].prefix { $0 != "," && $0 != " " })
  }

  /// The call once more, with other parameters.
  func again(_ world: Investigation, _ change: (inout JSON) -> Void) -> String? {
    guard var input = parameters else { return nil }
    input["clientRequestToken"] = .null
    change(&input)
    return "aws eks create-cluster --cli-input-json \(Shell.quote(input.text()))\(world.target.awsOptions)"
  }
}
