import Wire

/// The objects of a resource by the object that controls them, so that a controller needn't look at those of others.
struct ControllerIndex {
  /// Keys in order, by namespace and the controller's uid; an empty uid for those that nothing controls.
  private var keys: [Place: [ObjectKey]] = [:]

  private struct Place: Hashable {
    var namespace: String
    var controller: String
  }

  func children(namespace: String, of controller: String) -> [ObjectKey] {
    let own = keys[Place(namespace: namespace, controller: controller)] ?? []
    let free = keys[Place(namespace: namespace, controller: "")] ?? []
    return free.isEmpty ? own : (own + free).sorted()
  }

  mutating func change(from old: StoredObject?, to new: StoredObject?) {
    let before = old.map(Self.place)
    let after = new.map(Self.place)
    if before == after { return }
    if let old, let before {
      keys[before]?.removeAll { $0 == old.key }
      if keys[before]?.isEmpty == true { keys[before] = nil }
    }
    if let new, let after {
      let at = keys[after]?.partitioningIndex { $0 >= new.key } ?? 0
      keys[after, default: []].insert(new.key, at: at)
    }
  }

  private static func place(_ object: StoredObject) -> Place {
    let owners = object.json["metadata"]["ownerReferences"].items
    let controller = owners.first { $0["controller"].bool == true }
    return Place(namespace: object.key.namespace, controller: controller?["uid"].string ?? "")
  }
}
