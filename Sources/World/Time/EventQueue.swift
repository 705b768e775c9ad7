import Wire

/// What waits, soonest first: a 4-ary heap of plain entries. It is an index only; what an entry means
/// stands with the component, so that the queue can be rebuilt from the components.
struct EventQueue {
  struct Entry {
    var at: Int64
    var weight: UInt8
    var component: Int32
    var sequence: UInt64

    @inline(__always)
    func precedes(_ other: Entry) -> Bool {
      if at != other.at { return at < other.at }
      // Heartbeats go before anything that could take their absence for death.
      let (mine, others) = (weight == 0, other.weight == 0)
      if mine != others { return mine }
      return sequence < other.sequence
    }
  }

  private var heap: [Entry] = []

  var isEmpty: Bool { heap.isEmpty }
  var count: Int { heap.count }
  var first: Entry? { heap.first }

  mutating func push(_ entry: Entry) {
    heap.append(entry)
    var at = heap.count - 1
    while at > 0 {
      let parent = (at - 1) / 4
      guard heap[at].precedes(heap[parent]) else { return }
      heap.swapAt(at, parent)
      at = parent
    }
  }

  mutating func pop() -> Entry? {
    guard let top = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return top }
    heap[0] = last
    var at = 0
    while true {
      let firstChild = at * 4 + 1
      guard firstChild < heap.count else { return top }
      var least = firstChild
      for child in firstChild..<min(firstChild + 4, heap.count)
      where heap[child].precedes(heap[least]) { least = child }
      guard heap[least].precedes(heap[at]) else { return top }
      heap.swapAt(at, least)
      at = least
    }
  }

  mutating func removeAll() { heap.removeAll(keepingCapacity: true) }
}
