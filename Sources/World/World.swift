package import Wire

/// The world: one clock, one queue, one source of chance, one store. It belongs to one thread; nothing
/// in it blocks, and nothing in it knows the time or chance but through it.
package final class World {
  /// What a new world is made with. Of a stored one only `durations` may change.
  package struct Options: Sendable {
    package var seed: UInt64
    package var account: String
    package var region: String
    package var durations: Durations
    /// World time at its beginning.
    package var start: Timestamp
    /// Address from which clients on this machine are seen to come: the Internet.
    package var outsideAddress: String
    /// Whether a new world writes its input log. A world that does so goes on with it.
    package var record: Bool

    package init(
      seed: UInt64, account: String = "000000000000", region: String = "us-east-1",
      durations: Durations = Durations(mode: .fast), start: Timestamp, outsideAddress: String = "198.51.100.10",
      record: Bool = false
    ) {
      self.seed = seed
      self.account = account
      self.region = region
      self.durations = durations
      self.start = start
      self.outsideAddress = outsideAddress
      self.record = record
    }
  }

  package private(set) var now: Timestamp
  package let seed: UInt64
  package let account: String
  package let region: String
  package let outsideAddress: String
  package var durations: Durations
  package private(set) var logs: LogStore
  /// Sequence of the event that is being carried out; 0 while the outside acts.
  package private(set) var cause: UInt64 = 0
  /// Whether the store already held a world.
  package let isResumed: Bool

  private var pipelines: (aws: AWSPipeline, kube: KubePipeline)!
  package var aws: AWSPipeline { pipelines.aws }
  package var kube: KubePipeline { pipelines.kube }
  /// What nodes ask across the storeys.
  package let nodes = NodeHooks()

  /// Doors between the storeys, and to what is kept outside.
  package let ports = Ports()
  /// What came in from outside, for a replay.
  package private(set) var inputs: InputLog!

  /// The way out of the world.
  package private(set) var outbound: Outbound!

  private let store: any Store
  private var loaded: [String: [UInt8]] = [:]
  private var loadedKeys: [String] = []

  private var queue = EventQueue()
  private var sequence: UInt64 = 1
  private var ids: RandomStream
  private var slots: [Slot?] = []
  private var slotOf: [ComponentID: Int32] = [:]
  private var kinds: [String: any Component.Type] = [:]
  private var foreground = 0

  private var batch = Batch()
  private var dirtyRows: [String: Set<String>] = [:]
  private var encoders: [String: (String) -> [UInt8]?] = [:]
  private var dirtySlots: Set<Int32> = []
  private var removedComponents: [ComponentID] = []
  private var replies: [((StoreError?) -> Void)] = []
  private var committedActions: [() -> Void] = []
  private var lastFailure: StoreError?
  /// Goes up with every change and every trace, so that one can tell whether something left any.
  private var changes: UInt64 = 0
  var marks: UInt64 { changes &+ logs.changes }

  /// A component with what waits for it.
  private final class Slot {
    let id: ComponentID
    var component: any Component
    var scheduled: ScheduledEvents
    var random: RandomStream
    /// Objects whose change is already waiting; only asked for membership.
    var changes: Set<ObjectReference> = []

    init(id: ComponentID, component: any Component, scheduled: ScheduledEvents, random: RandomStream) {
      self.id = id
      self.component = component
      self.scheduled = scheduled
      self.random = random
    }
  }

  /// As a slot is read back.
  private struct Saved: Decodable {
    var state: JSON
    var scheduled: [Scheduled]
    var random: RandomStream
  }

  /// As a slot is written.
  private struct Saving: Encodable {
    var state: any Component
    var scheduled: [Scheduled]
    var random: RandomStream

    private enum Field: String, CodingKey { case state, scheduled, random }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Field.self)
      try container.encode(state, forKey: .state)
      try container.encode(scheduled, forKey: .scheduled)
      try container.encode(random, forKey: .random)
    }
  }

  private struct Meta: Codable {
    var now: Timestamp
    var sequence: UInt64
    var seed: UInt64
    var account: String
    var region: String
    var outsideAddress: String
    var ids: RandomStream
    var recording: InputLog.Saved?
  }

  package init(store: any Store, logFiles: any LogStore.Files, options: Options) throws {
    self.store = store
    var rows: [String: [UInt8]] = [:]
    var keys: [String] = []
    try store.load { key, value in
      rows[key] = value
      keys.append(key)
    }
    durations = options.durations
    let recording: InputLog.Saved?
    if let bytes = rows.removeValue(forKey: "meta/world") {
      keys.removeAll { $0 == "meta/world" }
      let meta = try JSON.parse(bytes).decode(Meta.self)
      (now, seed, account, region) = (meta.now, meta.seed, meta.account, meta.region)
      (outsideAddress, ids, sequence) = (meta.outsideAddress, meta.ids, meta.sequence)
      var places: [String: LogPlace] = [:]
      for key in keys where key.hasPrefix(Self.logRow) {
        guard let place = rows.removeValue(forKey: key).flatMap(LogPlace.init(row:)) else {
          throw StoreError.unreadable("the row of a log, \(key), tells neither its length nor its bytes")
        }
        places[String(key.dropFirst(Self.logRow.count))] = place
      }
      keys.removeAll { $0.hasPrefix(Self.logRow) }
      logs = try LogStore(files: logFiles, committed: places)
      recording = meta.recording
      isResumed = true
    } else {
      (now, seed, account, region) = (options.start, options.seed, options.account, options.region)
      outsideAddress = options.outsideAddress
      ids = RandomStream(seed: options.seed, entity: "ids")
      logs = try LogStore(files: logFiles, committed: [:])
      recording = nil
      isResumed = false
    }
    loaded = rows
    loadedKeys = keys
    pipelines = (AWSPipeline(world: self), KubePipeline(world: self))
    inputs = InputLog(world: self, saved: recording)
    if !isResumed, options.record { inputs.begin(options) }
    outbound = Outbound(world: self)
  }

  // MARK: - Setting up

  /// Makes a kind of component known, so that saved ones can be read.
  package func know(_ kinds: any Component.Type...) {
    for kind in kinds {
      precondition(self.kinds[kind.kind] == nil, "two kinds of component are called \(kind.kind)")
      self.kinds[kind.kind] = kind
    }
  }

  /// Rows of the store that begin with `prefix`, each handed out once, in order.
  package func takeLoaded(prefix: String) -> [(key: String, value: [UInt8])] {
    var taken: [(key: String, value: [UInt8])] = []
    var at = loadedKeys.partitioningIndex { $0 >= prefix }
    let first = at
    while at < loadedKeys.count, loadedKeys[at].hasPrefix(prefix) {
      taken.append((String(loadedKeys[at].dropFirst(prefix.count)), loaded.removeValue(forKey: loadedKeys[at])!))
      at += 1
    }
    loadedKeys.removeSubrange(first..<at)
    return taken
  }

  func register(_ table: String, _ encode: @escaping (String) -> [UInt8]?) {
    precondition(encoders[table] == nil, "two tables are called \(table)")
    encoders[table] = encode
  }

  /// Reads the saved components. Call after every kind is known and every table is open.
  package func restore() throws {
    for (text, bytes) in takeLoaded(prefix: "component/") {
      let id = ComponentID(text)
      guard let kind = kinds[id.kind] else {
        throw StoreError.unreadable("the saved component \(id) is of a kind this ekswhy doesn't know")
      }
      let saved = try JSON.parse(bytes).decode(Saved.self)
      let slot = Slot(
        id: id, component: try Self.decode(kind, saved.state), scheduled: ScheduledEvents(saved.scheduled),
        random: saved.random)
      for case .changed(let reference) in saved.scheduled.map(\.input) { slot.changes.insert(reference) }
      let index = Int32(slots.count)
      slots.append(slot)
      slotOf[id] = index
      for event in slot.scheduled.all {
        queue.push(
          .init(at: event.at.microseconds, weight: event.weight.rawValue, component: index, sequence: event.sequence))
        if event.weight == .foreground { foreground += 1 }
      }
    }
    guard loadedKeys.isEmpty else {
      throw StoreError.unreadable("the state holds rows this ekswhy doesn't know, such as \(loadedKeys[0])")
    }
    if isResumed { inputs.opened() }
  }

  private static func decode<C: Component>(_ type: C.Type, _ state: JSON) throws -> C { try state.decode(C.self) }

  /// Lets a resumed world jump to `time`, as a laptop does that was asleep: what fell due in the gap
  /// happens once, now, heartbeats first.
  package func jump(to time: Timestamp) {
    guard time > now else { return }
    let (before, gap) = (now, time - now)
    inputs.eventsBegin()
    defer { inputs.jumped(from: before, to: time) }
    now = time
    queue.removeAll()
    for (index, slot) in slots.enumerated() {
      guard let slot else { continue }
      if slot.scheduled.delay(until: time) { dirtySlots.insert(Int32(index)) }
      for event in slot.scheduled.all {
        queue.push(
          .init(
            at: event.at.microseconds, weight: event.weight.rawValue, component: Int32(index), sequence: event.sequence)
        )
      }
    }
    for index in slots.indices {
      guard let slot = slots[index] else { continue }
      dirtySlots.insert(Int32(index))
      slot.component.resumed(after: gap, Context(world: self, id: slot.id))
    }
  }

  // MARK: - Components

  package func spawn(_ id: ComponentID, _ component: some Component) {
    precondition(slotOf[id] == nil, "there is a component \(id) already")
    precondition(kinds[id.kind] != nil, "the kind of component \(id) is not known")
    changes &+= 1
    let index = Int32(slots.count)
    slots.append(
      Slot(
        id: id, component: component, scheduled: ScheduledEvents(), random: RandomStream(seed: seed, entity: id.text)))
    slotOf[id] = index
    dirtySlots.insert(index)
    schedule(id, .start, at: now)
  }

  package func stop(_ id: ComponentID) {
    guard let index = slotOf.removeValue(forKey: id), let slot = slots[Int(index)] else { return }
    changes &+= 1
    foreground -= slot.scheduled.all.count { $0.weight == .foreground }
    slot.scheduled.removeAll()
    slots[Int(index)] = nil
    dirtySlots.remove(index)
    removedComponents.append(id)
  }

  package func exists(_ id: ComponentID) -> Bool { slotOf[id] != nil }

  /// The state of a component, for those of the same storey that show it (a Describe answer, a status).
  package func state<C: Component>(of id: ComponentID, as type: C.Type = C.self) -> C? {
    slotOf[id].flatMap { slots[Int($0)]?.component as? C }
  }

  /// Ids that begin with `prefix`, in order.
  package func components(prefix: String) -> [ComponentID] {
    slotOf.keys.filter { $0.text.hasPrefix(prefix) }.sorted()
  }

  package func random<T>(_ id: ComponentID, _ use: (inout RandomStream) -> T) -> T {
    changes &+= 1
    guard let index = slotOf[id], let slot = slots[Int(index)] else { return use(&ids) }
    dirtySlots.insert(index)
    return use(&slot.random)
  }

  /// Something new from the stream of ids.
  package func newID<T>(_ use: (inout RandomStream) -> T) -> T {
    changes &+= 1
    return use(&ids)
  }

  private var lastNanoseconds: Int64 = 0

  /// The time in nanoseconds since the epoch, and later with every call.
  package func nanoseconds() -> Int64 {
    lastNanoseconds = max(lastNanoseconds + 1, now.microseconds * 1000)
    return lastNanoseconds
  }

  /// Lets an input reach a component at a time; nothing happens when it is gone by then.
  package func schedule(_ id: ComponentID, _ input: Input, at: Timestamp, _ weight: Weight = .foreground) {
    guard let index = slotOf[id], let slot = slots[Int(index)] else { return }
    if case .changed(let reference) = input {
      guard slot.changes.insert(reference).inserted else { return }
    }
    let event = Scheduled(at: max(at, now), sequence: sequence, weight: weight, cause: cause, input: input)
    sequence += 1
    changes &+= 1
    slot.scheduled.append(event)
    dirtySlots.insert(index)
    if weight == .foreground { foreground += 1 }
    queue.push(.init(at: event.at.microseconds, weight: weight.rawValue, component: index, sequence: event.sequence))
  }

  func cancel(_ id: ComponentID, timer: String) {
    guard let index = slotOf[id], let slot = slots[Int(index)], let event = slot.scheduled.removeTimer(timer) else {
      return
    }
    if event.weight == .foreground { foreground -= 1 }
    dirtySlots.insert(index)
    changes &+= 1
  }

  func isWaiting(_ id: ComponentID, timer: String) -> Bool {
    guard let index = slotOf[id], let slot = slots[Int(index)] else { return false }
    return slot.scheduled.hasTimer(timer)
  }

  // MARK: - Time

  /// When the next event is due.
  package var nextEvent: Timestamp? {
    dropCancelled()
    return queue.first.map { Timestamp(microseconds: $0.at) }
  }

  /// Whether nothing but background is left.
  package var isIdle: Bool { foreground == 0 }

  /// Sets the clock without events; never back.
  package func setClock(_ time: Timestamp) {
    guard time > now else { return }
    now = time
  }

  /// Carries out events that are due until `time`, at most `limit`. Each happens at its own time, or at
  /// the clock's if that is later. Returns how many there were.
  package func runEvents(until time: Timestamp, limit: Int) -> Int {
    var count = 0
    let start = now
    inputs.eventsBegin()
    defer { inputs.eventsEnd(count, from: start) }
    while count < limit {
      dropCancelled()
      guard let entry = queue.first, entry.at <= time.microseconds else { break }
      _ = queue.pop()
      setClock(Timestamp(microseconds: entry.at))
      carryOut(entry)
      count += 1
    }
    return count
  }

  private func dropCancelled() {
    while let entry = queue.first {
      if let slot = slots[Int(entry.component)], slot.scheduled.contains(sequence: entry.sequence) {
        return
      }
      _ = queue.pop()
    }
  }

  private func carryOut(_ entry: EventQueue.Entry) {
    guard let slot = slots[Int(entry.component)], let event = slot.scheduled.remove(sequence: entry.sequence) else {
      return
    }
    if event.weight == .foreground { foreground -= 1 }
    if case .changed(let reference) = event.input { slot.changes.remove(reference) }
    dirtySlots.insert(entry.component)
    cause = event.sequence
    slot.component.step(event.input, Context(world: self, id: slot.id))
    cause = 0
  }

  /// Components by the number of events that wait for them, busiest first.
  package func busiest(_ count: Int) -> [(id: ComponentID, waiting: Int)] {
    slots.compactMap { $0 }.map { (id: $0.id, waiting: $0.scheduled.all.count { $0.weight == .foreground }) }
      .filter { $0.waiting > 0 }.sorted { ($1.waiting, $0.id) < ($0.waiting, $1.id) }.prefix(count).map { $0 }
  }

  // MARK: - Commit

  /// What the rows of logs begin with.
  package static let logRow = "log/"

  func touch(_ table: String, _ key: String) {
    changes &+= 1
    dirtyRows[table, default: []].insert(key)
  }

  /// Puts a row that is not kept in a ``Table`` into the next batch.
  package func put(_ key: String, _ value: [UInt8]) {
    changes &+= 1
    batch.put(key, value)
  }
  package func removeRow(_ key: String) {
    changes &+= 1
    batch.remove(key)
  }

  /// Says that something changed which is not kept but has a say in what comes: a stream was opened.
  package func mark() { changes &+= 1 }

  /// Lets an answer leave once what it tells is on disk; it is handed the failure when that can't be.
  package func answerOutside(_ send: @escaping (StoreError?) -> Void) { replies.append(send) }

  /// Lets something leave once the batch is on disk, however late: a watch event, a listener to open.
  package func afterCommit(_ action: @escaping () -> Void) { committedActions.append(action) }

  package var hasUncommitted: Bool {
    !batch.isEmpty || !dirtyRows.isEmpty || !dirtySlots.isEmpty || !removedComponents.isEmpty || logs.hasPending
  }

  /// Whether anything waits for the next commit in order to leave.
  package var holdsAnswers: Bool { !replies.isEmpty || !committedActions.isEmpty }

  /// Requests whose answers the next commit lets go.
  package var heldAnswers: Int { replies.count }

  /// Whether the last commit failed: the world holds changes that are not on disk, and acknowledges nothing.
  package var failure: StoreError? { lastFailure }

  /// Writes one batch, then lets answers and events leave.
  package func commit() {
    let answers = replies
    replies.removeAll()
    if hasUncommitted {
      do throws(StoreError) {
        try write()
        lastFailure = nil
      } catch {
        lastFailure = error
        for answer in answers { answer(error) }
        return
      }
    }
    for answer in answers { answer(nil) }
    let actions = committedActions
    committedActions.removeAll()
    for action in actions { action() }
  }

  private func write() throws(StoreError) {
    for table in dirtyRows.keys.sorted() {
      for key in dirtyRows[table]!.sorted() {
        if let bytes = encoders[table]!(key) {
          batch.put("\(table)/\(key)", bytes)
        } else {
          batch.remove("\(table)/\(key)")
        }
      }
    }
    dirtyRows.removeAll()
    for id in removedComponents where slotOf[id] == nil { batch.remove("component/\(id)") }
    removedComponents.removeAll()
    for index in dirtySlots.sorted() {
      guard let slot = slots[Int(index)] else { continue }
      do {
        let saved = Saving(state: slot.component, scheduled: slot.scheduled.array, random: slot.random)
        batch.put("component/\(slot.id)", try JSON.bytes(encoding: saved))
      } catch { preconditionFailure("the component \(slot.id) cannot be written: \(error)") }
    }
    dirtySlots.removeAll()
    inputs.settle()
    let places = try logs.flush()
    for (stream, place) in places {
      let key = Self.logRow + stream
      if let place { batch.put(key, place.value) } else { batch.remove(key) }
    }
    let meta = Meta(
      now: now, sequence: sequence, seed: seed, account: account, region: region, outsideAddress: outsideAddress,
      ids: ids, recording: inputs.saved)
    do { batch.put("meta/world", try JSON.bytes(encoding: meta)) } catch {
      preconditionFailure("the world's own row cannot be written: \(error)")
    }
    try store.commit(batch)
    logs.flushed(places)
    batch = Batch()
  }
}
