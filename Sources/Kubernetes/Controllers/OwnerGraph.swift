import Wire
import World

/// Who owns whom in a cluster, kept up with every change. It follows from the objects and isn't saved.
final class OwnerGraph {
  /// Objects that own or are owned, by key `resource namespace/name`.
  private var uids: [String: String] = [:]
  private var owners: [String: [String]] = [:]
  /// Keys of dependents by the uid of their owner.
  private var dependents: [String: Set<String>] = [:]
  private var isFilled = false

  static func key(_ resource: String, _ namespace: String, _ name: String) -> String {
    "\(resource) \(namespace)/\(name)"
  }

  static func parts(_ key: String) -> (resource: String, namespace: String, name: String)? {
    let parts = key.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, let slash = parts[1].firstIndex(of: "/") else { return nil }
    return (String(parts[0]), String(parts[1][..<slash]), String(parts[1][parts[1].index(after: slash)...]))
  }

  func fill(_ resources: @autoclosure () -> [String], _ desk: Desk) {
    guard !isFilled else { return }
    isFilled = true
    for resource in resources() {
      for object in desk.list(resource) { note(Self.key(resource, object.namespace, object.name), object) }
    }
  }

  /// Takes a change in; gives the uid of an object that is gone now.
  @discardableResult
  func note(_ key: String, _ object: ObjectView?) -> String? {
    let old = uids[key]
    let gone = old != nil && old != object?.uid ? old : nil
    let before = owners[key] ?? []
    let now = object?.owners.compactMap { $0["uid"].string } ?? []
    uids[key] = object?.uid
    if before != now {
      for uid in before where !now.contains(uid) {
        dependents[uid]?.remove(key)
        if dependents[uid]?.isEmpty == true { dependents[uid] = nil }
      }
      for uid in now { dependents[uid, default: []].insert(key) }
      owners[key] = now.isEmpty ? nil : now
    }
    return gone
  }

  /// Keys of the dependents of an owner, in order.
  func dependents(of uid: String) -> [String] { dependents[uid]?.sorted() ?? [] }

  func owners(of key: String) -> [String] { owners[key] ?? [] }

  /// Keys of objects with one of these uids, in order.
  func keys(of wanted: [String]) -> [String] {
    guard !wanted.isEmpty else { return [] }
    return uids.filter { wanted.contains($0.value) }.map(\.key).sorted()
  }
}
