import Wire
import World

extension LogsService {
  static var eventOperations: [String: Operation<LogsService>] {
    ["PutLogEvents": putLogEvents, "GetLogEvents": getLogEvents, "FilterLogEvents": filterLogEvents]
  }

  private func putLogEvents(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request.input)
    let stream = try stream(request, in: group)
    for event in request.input["logEvents"].items {
      let at = event["timestamp"].int.map { Timestamp(microseconds: Int64($0) * 1000) } ?? request.now
      append(group.name, stream.name, event["message"].string ?? "", at: at)
    }
    return ["nextSequenceToken": "49039859590146326786429498436"]
  }

  private func within(_ record: LogStore.Record, _ input: JSON) -> Bool {
    let at = record.at.microseconds / 1000
    if let start = input["startTime"].int, at < Int64(start) { return false }
    if let end = input["endTime"].int, at >= Int64(end) { return false }
    return true
  }

  private func getLogEvents(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request.input)
    let stream = try stream(request, in: group)
    let all = events(group.name, stream.name).filter { within($0, request.input) }
    let limit = request.input["limit"].int ?? 10_000
    var start = request.input["startFromHead"].bool == true ? 0 : max(0, all.count - limit)
    if let token = request.input["nextToken"].string {
      guard let place = Int(token.dropFirst(2)), token.hasPrefix("f/") || token.hasPrefix("b/") else {
        throw AWSError(code: "InvalidParameterException", message: "The specified nextToken is invalid.", status: 400)
      }
      start = token.hasPrefix("f/") ? min(place, all.count) : max(0, place - limit)
    }
    let end = min(all.count, start + limit)
    return [
      "events": .array(
        all[start..<end].map {
          [
            "timestamp": .milliseconds($0.at), "message": .string($0.text), "ingestionTime": .milliseconds($0.at),
          ]
        }),
      "nextForwardToken": .string("f/\(end)"), "nextBackwardToken": .string("b/\(start)"),
    ]
  }

  private func filterLogEvents(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let group = try group(input)
    let names = input["logStreamNames"].strings
    let prefix = input["logStreamNamePrefix"].string ?? ""
    guard names.isEmpty || prefix.isEmpty else {
      throw AWSError(
        code: "InvalidParameterException",
        message: "Only one of logStreamNames and logStreamNamePrefix can be specified.", status: 400)
    }
    for name in names where streams[Self.key(group.name, name)] == nil {
      throw AWSError(
        code: "ResourceNotFoundException", message: "The specified log stream does not exist.", status: 400)
    }
    let pattern = try LogPattern(input["filterPattern"].string ?? "")
    var found: [(record: LogStore.Record, stream: String, place: Int)] = []
    for (_, stream) in streams.rows(prefix: "\(group.name):\(prefix)") {
      guard names.isEmpty || names.contains(stream.name) else { continue }
      for (place, record) in events(group.name, stream.name).enumerated()
      where within(record, input) && pattern.matches(record.text) {
        found.append((record, stream.name, place))
      }
    }
    found.sort { ($0.record.at, $0.stream, $0.place) < ($1.record.at, $1.stream, $1.place) }
    var start = 0
    if let token = input["nextToken"].string {
      guard let place = Int(token) else {
        throw AWSError(code: "InvalidParameterException", message: "The specified nextToken is invalid.", status: 400)
      }
      start = min(place, found.count)
    }
    let end = min(found.count, start + (input["limit"].int ?? 10_000))
    return [
      "events": .array(
        found[start..<end].map { event in
          [
            "logStreamName": .string(event.stream), "timestamp": .milliseconds(event.record.at),
            "message": .string(event.record.text), "ingestionTime": .milliseconds(event.record.at),
            "eventId": .string("\(event.record.at.microseconds)\(event.place.padded(8))"),
          ]
        }),
      "searchedLogStreams": [], "nextToken": end < found.count ? .string(String(end)) : .null,
    ]
  }
}
