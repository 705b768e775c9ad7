import Wire
import World

extension LogsService {
  static var groupOperations: [String: Operation<LogsService>] {
    [
      "CreateLogGroup": createLogGroup, "DescribeLogGroups": describeLogGroups, "DeleteLogGroup": deleteLogGroup,
      "CreateLogStream": createLogStream, "DescribeLogStreams": describeLogStreams,
      "DeleteLogStream": deleteLogStream, "PutRetentionPolicy": putRetentionPolicy,
      "DeleteRetentionPolicy": deleteRetentionPolicy, "ListTagsForResource": listTagsForResource,
      "TagResource": tagResource, "UntagResource": untagResource, "ListTagsLogGroup": listTagsLogGroup,
    ]
  }

  private func json(_ group: LogGroup) -> JSON {
    let stored = streams.rows(prefix: "\(group.name):").reduce(0) { total, stream in
      total + events(group.name, stream.row.name).reduce(0) { $0 + $1.text.utf8.count + 26 }
    }
    return [
      "logGroupName": .string(group.name), "creationTime": .milliseconds(group.createdAt),
      "retentionInDays": JSON(group.retention), "metricFilterCount": 0, "arn": .string(arn(group.name) + ":*"),
      "storedBytes": .int(Int64(stored)), "logGroupClass": "STANDARD", "logGroupArn": .string(arn(group.name)),
      "deletionProtectionEnabled": false,
    ]
  }

  private func page(
    _ name: String, _ all: [(key: String, value: JSON)], _ request: AWSRequest
  ) throws(AWSError) -> JSON {
    guard let page = Page(all, token: request.input["nextToken"].string, limit: request.input["limit"].int ?? 50)
    else {
      throw AWSError(
        code: "InvalidParameterException", message: "The specified nextToken is invalid.", status: 400)
    }
    return [name: .array(page.elements), "nextToken": JSON(page.next)]
  }

  private func createLogGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let name = request.input["logGroupName"].string ?? ""
    guard groups[name] == nil else {
      throw AWSError(
        code: "ResourceAlreadyExistsException", message: "The specified log group already exists", status: 400)
    }
    groups[name] = LogGroup(name: name, createdAt: request.now, tags: request.input["tags"].stringMap)
    return .emptyObject
  }

  private func describeLogGroups(_ request: AWSRequest) throws(AWSError) -> JSON {
    let prefix = request.input["logGroupNamePrefix"].string ?? ""
    let pattern = request.input["logGroupNamePattern"].string?.lowercased()
    let rows = groups.rows(prefix: prefix).map(\.row).filter { group in
      pattern.map { wildcard("*\($0)*", matches: group.name.lowercased()) } ?? true
    }
    return try page("logGroups", rows.map { ($0.name, json($0)) }, request)
  }

  private func deleteLogGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request.input)
    for (key, stream) in streams.rows(prefix: "\(group.name):") {
      world.logs.remove(Self.file(group.name, stream.name))
      streams[key] = nil
    }
    groups[group.name] = nil
    return .emptyObject
  }

  private func createLogStream(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request.input)
    let name = request.input["logStreamName"].string ?? ""
    let key = Self.key(group.name, name)
    guard streams[key] == nil else {
      throw AWSError(
        code: "ResourceAlreadyExistsException", message: "The specified log stream already exists", status: 400)
    }
    streams[key] = LogStream(group: group.name, name: name, createdAt: request.now)
    return .emptyObject
  }

  func stream(_ request: AWSRequest, in group: LogGroup) throws(AWSError) -> LogStream {
    guard let stream = streams[Self.key(group.name, request.input["logStreamName"].string ?? "")] else {
      throw AWSError(
        code: "ResourceNotFoundException", message: "The specified log stream does not exist.", status: 400)
    }
    return stream
  }

  private func describeLogStreams(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request.input)
    let prefix = request.input["logStreamNamePrefix"].string ?? ""
    var rows = streams.rows(prefix: "\(group.name):\(prefix)").map(\.row)
    if request.input["orderBy"].string == "LastEventTime" {
      rows.sort { ($0.last ?? $0.createdAt, $0.name) < ($1.last ?? $1.createdAt, $1.name) }
    }
    if request.input["descending"].bool == true { rows.reverse() }
    let all = rows.enumerated().map { index, stream in
      (
        index.padded(6),
        [
          "logStreamName": .string(stream.name), "creationTime": .milliseconds(stream.createdAt),
          "firstEventTimestamp": .milliseconds(stream.first), "lastEventTimestamp": .milliseconds(stream.last),
          "lastIngestionTime": .milliseconds(stream.ingested),
          "uploadSequenceToken": "49039859590146326786429498436", "storedBytes": 0,
          "arn": .string("\(arn(group.name)):log-stream:\(stream.name)"),
        ] as JSON
      )
    }
    return try page("logStreams", all, request)
  }

  private func deleteLogStream(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request.input)
    let stream = try stream(request, in: group)
    world.logs.remove(Self.file(group.name, stream.name))
    streams[Self.key(group.name, stream.name)] = nil
    return .emptyObject
  }

  private func putRetentionPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request.input)
    groups.update(group.name) { $0.retention = request.input["retentionInDays"].int }
    return .emptyObject
  }

  private func deleteRetentionPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request.input)
    groups.update(group.name) { $0.retention = nil }
    return .emptyObject
  }

  private func tagged(_ request: AWSRequest) throws(AWSError) -> LogGroup {
    let given = request.input["resourceArn"].string ?? ""
    guard let group = groups.first(where: { arn($0.name) == given || arn($0.name) + ":*" == given }) else {
      throw AWSError(
        code: "ResourceNotFoundException", message: "The specified resource does not exist.", status: 400)
    }
    return group
  }

  private func listTagsForResource(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["tags": JSON(try tagged(request).tags)]
  }

  private func listTagsLogGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["tags": JSON(try group(request.input).tags)]
  }

  private func tagResource(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try tagged(request)
    groups.update(group.name) { $0.tags.merge(request.input["tags"].stringMap) { $1 } }
    return .emptyObject
  }

  private func untagResource(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try tagged(request)
    groups.update(group.name) { row in
      for key in request.input["tagKeys"].strings { row.tags[key] = nil }
    }
    return .emptyObject
  }
}

extension JSON {
  /// Milliseconds since 1970, as CloudWatch Logs counts.
  static func milliseconds(_ time: Timestamp?) -> JSON { time.map { .int($0.microseconds / 1000) } ?? .null }
}
