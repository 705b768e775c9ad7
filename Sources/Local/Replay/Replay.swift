import AWS
import Synchronization
package import Wire
package import World

/// A world without doors that takes its inputs from a log: the same log gives the same rows, logs and answers.
package final class Replay {
  package struct Problem: Error, CustomStringConvertible {
    package var description: String
  }

  private let store = MemoryStore()
  private let files = MemoryLogFiles()
  private let keeper = MemorySecretKeeper()
  private let vault: any Vault
  private let answers = Answers()
  private var world: World?
  private var storeys: Storeys?
  private var options: World.Options?

  package private(set) var records = 0
  /// Why recording ended before the world did, if it did.
  package private(set) var ended: String?
  package private(set) var divergences: [String] = []
  /// Secret values that are not at hand.
  package var missing: Int { (vault as? CountingVault)?.missing.count ?? 0 }

  /// `vault` is what the recorded world kept its secret values in, where it is at hand.
  package init(vault: (any Vault)? = nil) { self.vault = CountingVault(vault) }

  /// Plays the records of a log, in order.
  package func play(_ log: [LogStore.Record]) throws {
    for record in log {
      guard let input = InputRecord(record) else {
        throw Problem(description: "input \(records): this ekswhy can't read \(record.text.prefix(80))")
      }
      guard input.sequence == records else {
        throw Problem(description: "input \(records) is missing: the log goes on with \(input.sequence)")
      }
      try play(input)
      records += 1
    }
    world?.commit()
    collect()
  }

  private func play(_ record: InputRecord) throws {
    switch record.input {
    case .began(let seed, let account, let region, let address, let durations):
      options = World.Options(
        seed: seed, account: account, region: region, durations: Durations(mode: durations), start: record.at,
        outsideAddress: address)
      try open()
    case .opened(let durations):
      options?.durations = Durations(mode: durations)
      try open()
    case .ended(let why): ended = why
    default: break
    }
    guard let world else { throw Problem(description: "the log does not begin with the world's beginning") }
    answers.begin(record.sequence)
    world.inputs.replay(record, responder: answers.responder)
  }

  /// Makes the world, or makes it again from what was committed, as a new process does.
  private func open() throws {
    guard let options else { throw Problem(description: "the log does not begin with the world's beginning") }
    collect()
    storeys = nil
    world = nil
    let world = try World(store: store, logFiles: files, options: options)
    world.inputs.vault = vault
    let ports = ClusterPorts(in: world)
    storeys = Storeys(world: world, host: PaperHost(), ports: ports, secrets: keeper) { _ in }
    try world.restore()
    self.world = world
  }

  private func collect() { divergences += world?.inputs.divergences ?? [] }

  // MARK: - What came of it

  package var now: Timestamp? { world?.now }

  /// The rows of the store in order of their keys.
  package var rows: [(key: String, value: [UInt8])] {
    WorldRows.comparable(store.rows).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// The logs in order of their names, each as it was written.
  package var logs: [(stream: String, bytes: [UInt8])] {
    WorldRows.logs(store.rows).sorted { $0.key < $1.key }.map { ($0.key, $0.value.bytes(of: $0.key, files)) }
  }

  /// Every answer that left, in order: the input's number, and what was answered.
  package var transcript: [UInt8] { answers.bytes }

  /// Counts what it lacks.
  private final class CountingVault: Vault {
    private let vault: (any Vault)?
    private(set) var missing: Set<String> = []
    init(_ vault: (any Vault)?) { self.vault = vault }
    func seal(_ value: String) -> String { vault?.seal(value) ?? "" }
    func open(_ digest: String) -> String? {
      let value = vault?.open(digest)
      if value == nil { missing.insert(digest) }
      return value
    }
  }
}

/// Rows of a store, and what of them two worlds may be compared by.
package enum WorldRows {
  /// The rows as a replayed world has them too: it writes no input log.
  package static func comparable(_ rows: [String: [UInt8]]) -> [String: [UInt8]] {
    var rows = rows
    rows[World.logRow + InputLog.stream] = nil
    if let own = rows["meta/world"], var meta = try? JSON.parse(own) {
      meta.remove("recording")
      rows["meta/world"] = meta.bytes()
    }
    return rows
  }

  /// Where the logs lie.
  package static func logs(_ rows: [String: [UInt8]]) -> [String: LogPlace] {
    var places: [String: LogPlace] = [:]
    for (key, value) in rows where key.hasPrefix(World.logRow) {
      places[String(key.dropFirst(World.logRow.count))] = LogPlace(row: value)
    }
    return places
  }
}
