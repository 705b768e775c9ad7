package import Wire

/// One line of the input log: what came into the world, when, and what the world asked the outside meanwhile.
package struct InputRecord {
  package enum Input {
    /// A new world.
    case began(seed: UInt64, account: String, region: String, outsideAddress: String, durations: Durations.Mode)
    /// A process opened the world that was there.
    case opened(Durations.Mode)
    /// The world jumped, as after a suspended laptop.
    case jumped(to: Timestamp)
    /// So many events that were due were carried out.
    case events(Int)
    /// As ``Recording`` writes them; without credentials.
    case aws(JSON)
    case kube(JSON)
    /// What a storey takes from outside beside requests, under the name it registered.
    case told(String, JSON)
    /// Recording ended, and why.
    case ended(String)
  }

  package var sequence: Int
  /// World time at which it was handled, or at which the first of the events was due.
  package var at: Timestamp
  package var input: Input
  /// What the outside answered meanwhile, in order; each is an object with one field, the question's name.
  package var answers: [JSON] = []
  /// With the last one of a batch: the clock when the batch was committed.
  package var committedAt: Timestamp?

  package static let format = 1

  var json: JSON {
    var object = JSONObject([("n", .int(Int64(sequence)))])
    switch input {
    case .began(let seed, let account, let region, let address, let durations):
      object.append(
        "began",
        [
          "format": .int(Int64(Self.format)), "seed": .string(String(seed)), "account": .string(account),
          "region": .string(region), "outsideAddress": .string(address), "durations": .string(durations.rawValue),
        ])
    case .opened(let durations): object.append("opened", .string(durations.rawValue))
    case .jumped(let time): object.append("jumped", .int(time.microseconds))
    case .events(let count): object.append("events", .int(Int64(count)))
    case .aws(let call): object.append("aws", call)
    case .kube(let request): object.append("kube", request)
    case .told(let kind, let value): object.append("told", [.string(kind), value])
    case .ended(let why): object.append("ended", .string(why))
    }
    if !answers.isEmpty { object.append("answers", .array(answers)) }
    if let committedAt { object.append("commit", .int(committedAt.microseconds)) }
    return .object(object)
  }

  package init(sequence: Int, at: Timestamp, input: Input, answers: [JSON] = []) {
    self.sequence = sequence
    self.at = at
    self.input = input
    self.answers = answers
  }

  /// Reads a line of the log; nil for what this ekswhy doesn't know.
  package init?(_ record: LogStore.Record) {
    guard let json = try? JSON.parse(Array(record.text.utf8)), let sequence = json["n"].int else { return nil }
    let input: Input
    if json.has("began") {
      let began = json["began"]
      guard began["format"].int == Self.format, let seed = began["seed"].string.flatMap(UInt64.init),
        let durations = began["durations"].string.flatMap(Durations.Mode.init)
      else { return nil }
      input = .began(
        seed: seed, account: began["account"].string ?? "", region: began["region"].string ?? "",
        outsideAddress: began["outsideAddress"].string ?? "", durations: durations)
    } else if let durations = json["opened"].string.flatMap(Durations.Mode.init) {
      input = .opened(durations)
    } else if let time = json["jumped"].int {
      input = .jumped(to: Timestamp(microseconds: Int64(time)))
    } else if let count = json["events"].int {
      input = .events(count)
    } else if json.has("aws") {
      input = .aws(json["aws"])
    } else if json.has("kube") {
      input = .kube(json["kube"])
    } else if let kind = json["told"][0].string {
      input = .told(kind, json["told"][1])
    } else if let why = json["ended"].string {
      input = .ended(why)
    } else {
      return nil
    }
    self.init(sequence: sequence, at: record.at, input: input, answers: json["answers"].items)
    committedAt = json["commit"].int.map { Timestamp(microseconds: Int64($0)) }
  }
}
