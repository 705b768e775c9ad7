import Wire
import World

/// The past of a cluster's objects in the store, so that watches and lists in pages go on after a restart.
extension APIServer {
  /// Written every few seconds by every node and watched by nobody from a revision.
  private static let forgotten: Set<String> = ["leases.coordination.k8s.io"]

  private func historyRow(_ resource: String, _ slot: Int) -> String { "k8s-history/\(id)/\(resource)/\(slot)" }

  /// The revision from which on the past is kept.
  private var historyStartRow: String { "k8s-history-start/\(id)/" }

  func beginHistory(at revision: Int) { world.put(historyStartRow, Array(String(revision).utf8)) }

  /// Keeps a change beside the objects themselves.
  func remember(_ change: ObjectChange, _ store: ObjectStore) {
    guard !APIServer.forgotten.contains(store.resource),
      let past = PastChange(change, number: store.history.next)
    else { return }
    let bytes = past.bytes
    for slot in store.history.take(bytes.count) { world.removeRow(historyRow(store.resource, slot)) }
    world.put(historyRow(store.resource, past.number % ChangeHistory.rowLimit), bytes)
  }

  /// Gives the stores their past back. Returns the revision from which on it is kept.
  func restoreHistory() -> Int {
    var start = revision
    if let row = world.takeLoaded(prefix: historyStartRow).first,
      let kept = Int(String(decoding: row.value, as: UTF8.self))
    {
      start = kept
    } else {
      beginHistory(at: revision)
    }
    var rows: [String: [(change: PastChange, size: Int)]] = [:]
    for (path, bytes) in world.takeLoaded(prefix: "k8s-history/\(id)/") {
      guard let change = PastChange(bytes), let resource = path.split(separator: "/").first else {
        preconditionFailure("the stored row k8s-history/\(id)/\(path) cannot be read")
      }
      rows[String(resource), default: []].append((change, bytes.count))
    }
    for resource in Set(rows.keys).union(keptResources).sorted() {
      let held = (rows[resource] ?? []).sorted { $0.change.number < $1.change.number }
      let past = held.map(\.change)
      let store = store(resource)
      store.history.restore(first: past.first?.number ?? 0, sizes: held.map(\.size))
      var oldest = start
      if APIServer.forgotten.contains(resource) {
        oldest = revision
      } else if let first = past.first, first.number > 0 {
        // What was before the first that is left is not known.
        oldest = max(start, first.revision - 1)
      }
      store.restore(past, after: oldest, until: revision)
    }
    return start
  }

  func removeHistory(_ store: ObjectStore) {
    for slot in store.history.slots { world.removeRow(historyRow(store.resource, slot)) }
  }

  func endHistory() { world.removeRow(historyStartRow) }
}
