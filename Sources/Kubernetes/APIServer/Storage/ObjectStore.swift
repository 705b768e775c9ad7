import Wire
import World

/// The objects of one resource, in order of namespace and name, with the latest changes.
final class ObjectStore {
  /// Changes that are held for watches that start in the past.
  static let windowLimit = 1000
  /// Bytes of the objects in them.
  static let windowByteLimit = 32 << 20

  /// `pods`, `deployments.apps`.
  let resource: String
  private var objects: [ObjectKey: StoredObject] = [:]
  private(set) var order: [ObjectKey] = []
  private var window: [ObjectChange] = []
  private var windowStart = 0
  private var windowBytes = 0
  /// Who controls what; made when somebody asks first.
  private var controllers: ControllerIndex?
  private var indexes: [ValueIndex] = []
  /// What of the changes is in the store.
  var history = ChangeHistory()
  /// A watch can start at this revision or a later one.
  private(set) var oldest: Int

  init(_ resource: String, oldest: Int) {
    self.resource = resource
    self.oldest = oldest
  }

  var count: Int { order.count }

  subscript(key: ObjectKey) -> StoredObject? { objects[key] }

  /// The objects of a namespace, or all with an empty one.
  func list(namespace: String) -> [StoredObject] {
    if namespace.isEmpty { return order.map { objects[$0]! } }
    let first = order.partitioningIndex { $0.namespace >= namespace }
    var found: [StoredObject] = []
    var at = first
    while at < order.count, order[at].namespace == namespace {
      found.append(objects[order[at]]!)
      at += 1
    }
    return found
  }

  /// The objects after a key, at most so many and one more, so that the caller sees whether there are more.
  func list(namespace: String, after key: ObjectKey?) -> ArraySlice<StoredObject> {
    let all = list(namespace: namespace)
    guard let key else { return all[...] }
    return all[all.partitioningIndex { $0.key > key }...]
  }

  /// The objects of a namespace that the one with that uid controls, and those that nothing controls.
  func children(namespace: String, of controller: String) -> [StoredObject] {
    if controllers == nil {
      var index = ControllerIndex()
      for key in order { index.change(from: nil, to: objects[key]!) }
      controllers = index
    }
    return controllers!.children(namespace: namespace, of: controller).map { objects[$0]! }
  }

  /// The objects that say so, in order.
  func list(_ field: ValueIndex.Field, _ value: String) -> [StoredObject] {
    if let found = indexes.first(where: { $0.field == field }) { return found.keys(value).map { objects[$0]! } }
    var index = ValueIndex(field)
    for key in order { index.change(key, to: objects[key]) }
    indexes.append(index)
    return index.keys(value).map { objects[$0]! }
  }

  /// Puts an object that was read from the store; nobody is told.
  func restore(_ object: StoredObject) {
    if objects.updateValue(object, forKey: object.key) == nil { order.append(object.key) }
  }

  func finishRestoring() { order.sort() }

  /// Takes over what the store kept of the changes after a revision.
  func restore(_ past: [PastChange], after oldest: Int, until revision: Int) {
    guard let changes = PastChange.changes(past, to: order.map { objects[$0]! }, after: oldest) else {
      self.oldest = revision
      return
    }
    self.oldest = oldest
    for change in changes { record(change) }
  }

  @discardableResult
  func put(_ object: StoredObject) -> ObjectChange {
    let previous = objects.updateValue(object, forKey: object.key)
    controllers?.change(from: previous, to: object)
    for place in indexes.indices { indexes[place].change(object.key, to: object) }
    if previous == nil {
      order.insert(object.key, at: order.partitioningIndex { $0 >= object.key })
    }
    let change = ObjectChange(
      kind: previous == nil ? .added : .modified, revision: object.revision, object: object, previous: previous)
    record(change)
    return change
  }

  /// Removes an object; `last` is its last state with the revision of the deletion.
  func remove(_ last: StoredObject) -> ObjectChange? {
    guard let previous = objects.removeValue(forKey: last.key) else { return nil }
    controllers?.change(from: previous, to: nil)
    for place in indexes.indices { indexes[place].change(last.key, to: nil) }
    order.remove(at: order.partitioningIndex { $0 >= last.key })
    let change = ObjectChange(kind: .deleted, revision: last.revision, object: last, previous: previous)
    record(change)
    return change
  }

  private func record(_ change: ObjectChange) {
    window.append(change)
    windowBytes += change.object.bytes.count
    while window.count - windowStart > Self.windowLimit || windowBytes > Self.windowByteLimit {
      oldest = window[windowStart].revision
      windowBytes -= window[windowStart].object.bytes.count
      windowStart += 1
    }
    if windowStart > 64 {
      window.removeFirst(windowStart)
      windowStart = 0
    }
  }

  /// The changes after a revision that is not older than ``oldest``.
  func changes(after revision: Int) -> ArraySlice<ObjectChange> {
    let held = window[windowStart...]
    var low = held.startIndex
    var high = held.endIndex
    while low < high {
      let middle = (low + high) / 2
      if held[middle].revision > revision { high = middle } else { low = middle + 1 }
    }
    return held[low...]
  }

  /// The objects as they were at a revision that is not older than ``oldest``.
  func list(namespace: String, at revision: Int) -> [StoredObject] {
    let later = changes(after: revision)
    guard !later.isEmpty else { return list(namespace: namespace) }
    var before: [ObjectKey: StoredObject?] = [:]
    for change in later.reversed() { before[change.object.key] = .some(change.previous) }
    var state: [StoredObject] = []
    for object in list(namespace: namespace) {
      if let changed = before.removeValue(forKey: object.key) {
        if let changed { state.append(changed) }
      } else {
        state.append(object)
      }
    }
    // What is left has gone since.
    let gone = before.values.compactMap { $0 }.filter { namespace.isEmpty || $0.key.namespace == namespace }
    guard !gone.isEmpty else { return state }
    return (state + gone).sorted { $0.key < $1.key }
  }

  /// Lets go of parsed values beyond what is likely to be asked for again.
  func dropValues() {
    for key in order { objects[key]?.dropValue() }
    for change in window { change.object.dropValue() }
  }
}
