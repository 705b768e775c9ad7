import Testing
import Wire
import World

/// Counts its wakes and asks for the next one until it has had enough.
private struct Ticker: Component {
  static let kind = "ticker"
  var left: Int
  var seen: [Int64] = []
  var inbox: [String] = []

  mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: context.wake("tick", after: .seconds(1))
    case .wake:
      seen.append(context.now.seconds)
      left -= 1
      if left > 0 { context.wake("tick", after: .seconds(1)) }
    case .message(let text, _): inbox.append(text)
    default: break
    }
  }
}

private func makeWorld(_ store: any Store, seed: UInt64 = 7) throws -> World {
  let world = try World(
    store: store, logFiles: MemoryLogFiles(), options: .init(seed: seed, start: Timestamp(seconds: 1000)))
  world.know(Ticker.self)
  return world
}

@Suite struct WorldTests {
  @Test func eventsHappenInOrderAtTheirTimes() throws {
    let world = try makeWorld(MemoryStore())
    try world.restore()
    world.spawn("ticker/a", Ticker(left: 3))
    #expect(!world.isIdle)
    #expect(world.runEvents(until: Timestamp(seconds: 2000), limit: 100) == 4)
    #expect(world.state(of: "ticker/a", as: Ticker.self)?.seen == [1001, 1002, 1003])
    #expect(world.isIdle)
    #expect(world.now == Timestamp(seconds: 1003))
  }

  @Test func aWorldGoesOnFromItsStore() throws {
    let store = MemoryStore()
    let first = try makeWorld(store)
    try first.restore()
    first.spawn("ticker/a", Ticker(left: 3))
    _ = first.runEvents(until: Timestamp(seconds: 1001), limit: 100)
    first.commit()
    _ = first.runEvents(until: Timestamp(seconds: 1002), limit: 100)
    // The second tick was not committed: the next process does it again.
    let second = try makeWorld(store)
    try second.restore()
    #expect(second.isResumed)
    _ = second.runEvents(until: Timestamp(seconds: 2000), limit: 100)
    #expect(second.state(of: "ticker/a", as: Ticker.self)?.seen == [1001, 1002, 1003])
  }

  @Test func whatFellIntoTheGapHappensOnce() throws {
    let store = MemoryStore()
    let first = try makeWorld(store)
    try first.restore()
    first.spawn("ticker/a", Ticker(left: 3))
    _ = first.runEvents(until: Timestamp(seconds: 1000), limit: 100)
    first.commit()
    let second = try makeWorld(store)
    try second.restore()
    second.jump(to: Timestamp(seconds: 5000))
    _ = second.runEvents(until: Timestamp(seconds: 5000), limit: 100)
    #expect(second.state(of: "ticker/a", as: Ticker.self)?.seen == [5000])
  }

  @Test func answersWaitForTheDiskAndAreRefusedWithoutIt() throws {
    let store = MemoryStore()
    let world = try makeWorld(store)
    try world.restore()
    var outcomes: [StoreError?] = []
    world.put("row/x", [1])
    world.answerOutside { outcomes.append($0) }
    store.refusal = .unwritable("disk full")
    world.commit()
    #expect(outcomes == [.unwritable("disk full")])
    #expect(world.failure != nil)
    store.refusal = nil
    world.answerOutside { outcomes.append($0) }
    world.commit()
    #expect(outcomes == [.unwritable("disk full"), nil])
    #expect(store.rows["row/x"] == [1])
  }

  @Test func heartbeatsBeatFirst() throws {
    let world = try makeWorld(MemoryStore())
    try world.restore()
    world.spawn("ticker/a", Ticker(left: 1))
    let at = Timestamp(seconds: 1500)
    world.schedule("ticker/a", .message("monitor", .null), at: at)
    world.schedule("ticker/a", .message("heartbeat", .null), at: at, .heartbeat)
    _ = world.runEvents(until: at, limit: 100)
    #expect(world.state(of: "ticker/a", as: Ticker.self)?.inbox == ["heartbeat", "monitor"])
  }

  @Test func tablesKeepTheirOrderAndSurvive() throws {
    struct Row: Codable, Sendable, Equatable {
      var name: String
      var size: Int?
    }
    let store = MemoryStore()
    let world = try makeWorld(store)
    let table = Table<Row>("rows", in: world)
    table["b"] = Row(name: "b", size: 2)
    table["a"] = Row(name: "a")
    table["c"] = Row(name: "c")
    table["c"] = nil
    table.update("a") { $0.size = 1 }
    world.commit()
    let again = try makeWorld(store)
    let read = Table<Row>("rows", in: again)
    #expect(read.all == [Row(name: "a", size: 1), Row(name: "b", size: 2)])
  }

  @Test func logsAreCutToWhatWasCommitted() throws {
    let files = MemoryLogFiles()
    let store = MemoryStore()
    let options = World.Options(seed: 1, start: Timestamp(seconds: 1))
    let world = try World(store: store, logFiles: files, options: options)
    let long = String(repeating: "x", count: LogStore.rowLimit)
    world.logs.append("audit/demo", at: Timestamp(seconds: 1), "first\nline\\")
    world.logs.append("audit/demo", at: Timestamp(seconds: 1), long)
    world.commit()
    try files.append("audit/demo", Array("half a rec".utf8))
    let again = try World(store: store, logFiles: files, options: options)
    #expect(again.logs.read("audit/demo").map(\.text) == ["first\nline\\", long])
  }

  /// What is short needs no file; what grows past the bound moves into one, whole.
  @Test func shortLogsLieInTheirRows() throws {
    let (files, store) = (MemoryLogFiles(), MemoryStore())
    let options = World.Options(seed: 1, start: Timestamp(seconds: 1))
    func open() throws -> World { try World(store: store, logFiles: files, options: options) }
    var lines: [String] = []
    for round in 0..<6 {
      let world = try open()
      #expect(world.logs.read("pod/a").map(\.text) == lines)
      lines.append(String(repeating: "\(round)", count: 1000))
      world.logs.append("pod/a", at: Timestamp(seconds: 1), lines[round])
      world.commit()
      #expect(files.read("pod/a", length: 1).isEmpty == (round < 4), "\(round)")
    }
    let last = try open()
    #expect(last.logs.read("pod/a").map(\.text) == lines)
    last.logs.remove("pod/a")
    last.logs.append("pod/a", at: Timestamp(seconds: 2), "new")
    last.commit()
    #expect(files.read("pod/a", length: 1).isEmpty)
    #expect(try open().logs.read("pod/a").map(\.text) == ["new"])
  }
}
