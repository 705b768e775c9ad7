import Evidence
import Wire

/// Loud things that have nothing to do with a question.
enum Noise {
  static let count = 500

  static func added(to reading: Reading, of read: Read, at time: Timestamp) -> Reading {
    guard reading.isComplete else { return reading }
    var loud = reading
    switch read {
    case .kubernetes(let kubernetes) where kubernetes.resource == .events && kubernetes.object == nil:
      // A filtered read holds what it was filtered for.
      loud.items += (0..<count).map { event($0, time) }.filter(read.admits)
    case .kubernetes(let kubernetes)
    where kubernetes.resource == .pods && kubernetes.object == nil && kubernetes.fields.isEmpty:
      loud.items += (0..<20).map { pod($0, time, kubernetes.namespace) }.filter(read.admits)
    case .aws(let aws) where aws.operation == .lookupEvents:
      let name = aws.filters.first?.values.first ?? "AssumeRole"
      loud.items += (0..<count).map { trail($0, name, time) }
    case .aws(let aws) where aws.operation == .filterLogEvents:
      loud.items += (0..<count).map { line($0, time) }
    default: break
    }
    return loud
  }

  private static func event(_ index: Int, _ time: Timestamp) -> JSON {
    let reasons = ["BackOff", "FailedMount", "Unhealthy", "FailedScheduling", "FailedCreatePodSandBox"]
    let texts = [
      "failed to assign an IP address to container", "Unauthorized", "AccessDenied", "OOMKilled",
      "Instances failed to join the kubernetes cluster",
    ]
    return [
      "metadata": ["name": .string("noise.\(index)"), "namespace": "noise"],
      "involvedObject": ["kind": "Pod", "name": .string("noise-\(index)"), "namespace": "noise"],
      "reason": .string(reasons[index % 5]), "message": .string("\(texts[index % 5]) \(index)"), "type": "Warning",
      "count": .int(Int64(100 + index)), "lastTimestamp": .string(time.rfc3339),
    ]
  }

  private static func pod(_ index: Int, _ time: Timestamp, _ namespace: String?) -> JSON {
    [
      "metadata": [
        "name": .string("noise-\(index)"), "namespace": .string(namespace ?? "noise"),
        "uid": .string("noise-\(index)"), "creationTimestamp": .string(time.rfc3339),
      ],
      "spec": ["containers": [["name": "c", "image": "noise"]], "nodeName": "noise"],
      "status": ["phase": "Failed", "reason": "Evicted"],
    ]
  }

  private static func trail(_ index: Int, _ name: String, _ time: Timestamp) -> JSON {
    let event: JSON = [
      "eventName": .string(name), "eventID": .string("noise-\(index)"), "errorCode": "AccessDenied",
      "errorMessage": "User is not authorized", "eventTime": .string(time.rfc3339),
      "userIdentity": ["arn": .string("arn:aws:sts::999999999999:assumed-role/noise/\(index)")],
      "requestParameters": ["name": "noise"],
    ]
    return [
      "EventId": .string("noise-\(index)"), "EventName": .string(name), "EventTime": .string(time.rfc3339),
      "CloudTrailEvent": .string(event.text()),
    ]
  }

  private static func line(_ index: Int, _ time: Timestamp) -> JSON {
    [
      "timestamp": .int(time.microseconds / 1000), "eventId": .string("noise-\(index)"),
      "message": .string(
        "time=\"\(time.rfc3339)\" level=warning msg=\"access denied\" arn=\"arn:aws:iam::999999999999:role/noise-\(index)\" client=\"127.0.0.1:1\" error=\"identity is not mapped\" method=POST path=/authenticate"
      ),
    ]
  }
}
