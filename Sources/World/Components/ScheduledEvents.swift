import Wire

/// What waits for a component, in the order in which it was scheduled.
///
/// A controller may have thousands of changes waiting, of which the first is taken next.
struct ScheduledEvents {
  /// By sequence, which only grows; those before `head` are over.
  private var items: [Scheduled]
  private var head = 0
  /// How many timers of a name wait.
  private var timers: [String: Int] = [:]

  init(_ items: [Scheduled] = []) {
    self.items = items
    for event in items { count(event, 1) }
  }

  var all: ArraySlice<Scheduled> { items[head...] }

  var array: [Scheduled] { head == 0 ? items : Array(all) }

  func contains(sequence: UInt64) -> Bool { index(of: sequence) != nil }
  func hasTimer(_ name: String) -> Bool { timers[name] != nil }

  mutating func append(_ event: Scheduled) {
    items.append(event)
    count(event, 1)
  }

  mutating func remove(sequence: UInt64) -> Scheduled? { index(of: sequence).map { remove(at: $0) } }

  mutating func removeTimer(_ name: String) -> Scheduled? {
    guard hasTimer(name) else { return nil }
    return all.firstIndex { if case .wake(name) = $0.input { true } else { false } }.map { remove(at: $0) }
  }

  mutating func removeAll() { self = ScheduledEvents() }

  /// Lets nothing fall due before `time`; returns whether anything did.
  mutating func delay(until time: Timestamp) -> Bool {
    var isChanged = false
    for at in items[head...].indices where items[at].at < time {
      items[at].at = time
      isChanged = true
    }
    return isChanged
  }

  private func index(of sequence: UInt64) -> Int? {
    if head < items.count, items[head].sequence == sequence { return head }
    let at = all.partitioningIndex { $0.sequence >= sequence }
    return at < items.endIndex && items[at].sequence == sequence ? at : nil
  }

  private mutating func remove(at index: Int) -> Scheduled {
    let event = items[index]
    count(event, -1)
    guard index == head else {
      items.remove(at: index)
      return event
    }
    // Its place stays until there are many; what it held goes at once.
    items[head].input = .start
    head += 1
    if head == items.count || head > 64 && head * 2 > items.count {
      items.removeFirst(head)
      head = 0
    }
    return event
  }

  private mutating func count(_ event: Scheduled, _ change: Int) {
    guard case .wake(let name) = event.input else { return }
    let count = (timers[name] ?? 0) + change
    timers[name] = count == 0 ? nil : count
  }
}
