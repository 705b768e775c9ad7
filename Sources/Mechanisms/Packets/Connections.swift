import Wire

/// The connection tracking of one network stack, NAT included.
///
/// Sequence numbers and timers are not part of it: an entry lives until it is forgotten by name.
package struct Connections: Sendable {
  package struct Entry: Sendable {
    package var original: FlowKey
    /// What the answers look like: other than the inverse where addresses are translated.
    package var reply: FlowKey
    package var mark: UInt32 = 0
    package var hasReply = false
    var sourceIsSet = false
    var destinationIsSet = false
    package var translatesSource = false
    package var translatesDestination = false
    /// The interface whose address a masquerading rule took; -1 none.
    var masqueradeInterface: Int32 = -1

    init(_ key: FlowKey) {
      original = key
      reply = key.inverse
    }
  }

  package private(set) var entries: [Entry] = []
  private var index: [FlowKey: Int32] = [:]
  private var free: [Int32] = []

  package init() {}

  package var count: Int { entries.count - free.count }

  /// The entry of a packet, and whether the packet goes the way of the answers.
  func find(_ key: FlowKey) -> (entry: Int, isReply: Bool)? {
    guard let found = index[key] else { return nil }
    let entry = Int(found)
    return (entry, entries[entry].original != key)
  }

  subscript(entry: Int) -> Entry {
    get { entries[entry] }
    set { entries[entry] = newValue }
  }

  /// Whether another connection already gets its answers so.
  func isTaken(_ reply: FlowKey) -> Bool { index[reply] != nil }

  /// Keeps an entry; its keys are those it has now.
  mutating func confirm(_ entry: Entry) -> Int {
    let place: Int32
    if let old = free.popLast() {
      place = old
      entries[Int(old)] = entry
    } else {
      place = Int32(entries.count)
      entries.append(entry)
    }
    index[entry.original] = place
    index[entry.reply] = place
    return Int(place)
  }

  mutating func markReplied(_ entry: Int) { entries[entry].hasReply = true }

  mutating func forget(_ entry: Int) {
    index[entries[entry].original] = nil
    index[entries[entry].reply] = nil
    free.append(Int32(entry))
  }

  /// Forgets the entries that a test picks, as `conntrack -D` does.
  package mutating func forget(where test: (Entry) -> Bool) {
    for (place, entry) in entries.enumerated() where index[entry.original] == Int32(place) && test(entry) {
      index[entry.original] = nil
      index[entry.reply] = nil
      free.append(Int32(place))
    }
  }

  package mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
    index.removeAll(keepingCapacity: true)
    free.removeAll(keepingCapacity: true)
  }

  /// The entries as `conntrack -L` names their two directions, in order of their making.
  package var listed: [Entry] {
    entries.enumerated().filter { index[$0.element.original] == Int32($0.offset) }.map(\.element)
  }
}
