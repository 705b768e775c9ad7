package import Wire
package import World

struct LogGroup: Codable, Sendable {
  var name: String
  var createdAt: Timestamp
  var retention: Int?
  var tags: [String: String]
}

struct LogStream: Codable, Sendable {
  var group: String
  var name: String
  var createdAt: Timestamp
  var first: Timestamp?
  var last: Timestamp?
  var ingested: Timestamp?
}

/// Amazon CloudWatch Logs: groups and streams. Events lie in the world's log store.
package final class LogsService: AWSService {
  package let name = "logs"
  unowned let world: World
  let groups: Table<LogGroup>
  /// Key `group:stream`; neither name may hold a colon.
  let streams: Table<LogStream>

  private let operations: [String: Operation<LogsService>]
  package let modelled: Set<String>

  init(world: World) {
    self.world = world
    groups = Table("logs-group", in: world)
    streams = Table("logs-stream", in: world)
    operations = .joined([Self.groupOperations, Self.eventOperations])
    modelled = Set(operations.keys)
  }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    guard let operation = operations[request.operation] else {
      throw .unsupported(service: name, operation: request.operation)
    }
    return try operation(self)(request)
  }

  package func requirements(_ request: AWSRequest) -> [AWSRequirement] {
    var resource = "*"
    if let group = groupName(request.input) {
      resource = "arn:aws:logs:\(world.region):\(world.account):log-group:\(group):*"
      if let stream = request.input["logStreamName"].string {
        resource = "arn:aws:logs:\(world.region):\(world.account):log-group:\(group):log-stream:\(stream)"
      }
    } else if let arn = request.input["resourceArn"].string {
      resource = arn
    }
    return [AWSRequirement("logs:\(request.operation)", resources: [resource])]
  }

  func arn(_ group: String) -> String { "arn:aws:logs:\(world.region):\(world.account):log-group:\(group)" }

  /// The group that a request names, by name or ARN.
  func groupName(_ input: JSON) -> String? {
    if let name = input["logGroupName"].string { return name }
    guard let identifier = input["logGroupIdentifier"].string else { return nil }
    guard identifier.hasPrefix("arn:") else { return identifier }
    let parts = identifier.split(separator: ":", maxSplits: 6).map(String.init)
    return parts.count == 7 ? String(parts[6].prefix { $0 != ":" }) : nil
  }

  func group(_ input: JSON) throws(AWSError) -> LogGroup {
    guard let name = groupName(input), let group = groups[name] else {
      throw AWSError(
        code: "ResourceNotFoundException", message: "The specified log group does not exist.", status: 400)
    }
    return group
  }

  static func key(_ group: String, _ stream: String) -> String { "\(group):\(stream)" }
  /// Name in the world's log store.
  static func file(_ group: String, _ stream: String) -> String { "cloudwatch\(group):\(stream)" }

  /// Takes an event from a service of AWS, which makes group and stream when they are absent.
  func deliver(_ group: String, _ stream: String, _ message: String) {
    if groups[group] == nil { groups[group] = LogGroup(name: group, createdAt: world.now, tags: [:]) }
    let key = Self.key(group, stream)
    if streams[key] == nil { streams[key] = LogStream(group: group, name: stream, createdAt: world.now) }
    append(group, stream, message, at: world.now)
  }

  /// CloudWatch takes events up to 256 KiB, its own overhead included; what is longer is cut.
  static let messageLimit = 262_118

  func append(_ group: String, _ stream: String, _ message: String, at: Timestamp) {
    let text = message.utf8.count <= Self.messageLimit ? message : String(message.prefix(Self.messageLimit))
    world.logs.append(Self.file(group, stream), at: at, text)
    let key = Self.key(group, stream)
    guard let row = streams[key] else { return }
    // The row is only touched when it says something new: not for every line of a busy log.
    if row.first == nil || (row.last.map { world.now - $0 > .seconds(5) } ?? true) {
      streams.update(key) {
        if $0.first == nil { $0.first = at }
        $0.last = at
        $0.ingested = world.now
      }
    }
  }

  func events(_ group: String, _ stream: String) -> [LogStore.Record] {
    world.logs.read(Self.file(group, stream))
  }
}
