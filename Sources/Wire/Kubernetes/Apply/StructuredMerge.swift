/// Merging and comparing objects by type (`sigs.k8s.io/structured-merge-diff/typed`).
enum StructuredMerge {
  typealias Path = [FieldSet.Element]

  struct Comparison {
    var added = FieldSet()
    var modified = FieldSet()
    var removed = FieldSet()
  }

  // MARK: The fields of an object

  /// All that an applied object says. Throws where an element of a list has none of its keys.
  static func fields(_ object: JSON, _ type: ApplyType) throws(SelectorError) -> FieldSet {
    var set = FieldSet()
    try collect(object, type, [], &set)
    return set
  }

  private static func collect(_ value: JSON, _ type: ApplyType, _ path: Path, _ set: inout FieldSet)
    throws(SelectorError)
  {
    switch type.form(of: value) {
    case .scalar, .atomic, .deduced: set.insert(path)
    case .map:
      for field in value.fields {
        let element = FieldSet.Element.field(field.key)
        guard type.declares(field.key) else {
          throw SelectorError("\(FieldSet.text(path + [element])): field not declared in schema")
        }
        try collect(field.value, type.child(element), path + [element], &set)
        let isEmpty = field.value.isNull || field.value.object?.isEmpty == true
        if isEmpty || !type.names(field.key) { set.insert(path + [element]) }
      }
    case .set, .associative:
      for (index, item) in value.items.enumerated() {
        guard let element = type.element(item) else {
          throw SelectorError(
            "\(FieldSet.text(path)): element \(index): associative list with keys has an element that omits all key "
              + "fields")
        }
        try collect(item, type.child(element), path + [element], &set)
        set.insert(path + [element])
      }
    }
  }

  // MARK: Comparing

  static func compare(_ old: JSON?, _ new: JSON?, _ type: ApplyType) -> Comparison {
    var comparison = Comparison()
    compare(old, new, type, [], &comparison)
    return comparison
  }

  private static func compare(
    _ old: JSON?, _ new: JSON?, _ type: ApplyType, _ path: Path, _ comparison: inout Comparison
  ) {
    guard let told = new ?? old else { return }
    // Most of an object is as it was.
    if let old, let new, old == new { return }
    let isEmpty = (old?.childCount ?? 0) == 0 && (new?.childCount ?? 0) == 0
    let form = type.form(of: told)
    switch form {
    case .map where !isEmpty && (old?.isContainer ?? true) && (new?.isContainer ?? true):
      var keys = new?.object?.keys ?? []
      for key in old?.object?.keys ?? [] where !(new?.has(key) ?? false) { keys.append(key) }
      for key in keys {
        let element = FieldSet.Element.field(key)
        var before = old?.object?.field(key)
        var after = new?.object?.field(key)
        if let standing = type.standing(key) {
          if old != nil { before = before ?? standing }
          if new != nil { after = after ?? standing }
        }
        compare(before, after, type.child(element), path + [element], &comparison)
      }
    case .set where !isEmpty, .associative where !isEmpty:
      let before = keyed(old, type)
      let after = keyed(new, type)
      for (element, item) in after.list {
        compare(before.items[element], item, type.child(element), path + [element], &comparison)
      }
      for (element, item) in before.list where after.items[element] == nil {
        compare(item, nil, type.child(element), path + [element], &comparison)
      }
    default:
      if old != nil, new != nil { comparison.modified.insert(path) }
    }
    if path.isEmpty { return }
    if old == nil { comparison.added.insert(path) } else if new == nil { comparison.removed.insert(path) }
  }

  /// Elements by their steps; elements without a step, and all but the first with the same one, are left out.
  private static func keyed(
    _ list: JSON?, _ type: ApplyType
  ) -> (list: [(FieldSet.Element, JSON)], items: [FieldSet.Element: JSON]) {
    var ordered: [(FieldSet.Element, JSON)] = []
    var items: [FieldSet.Element: JSON] = [:]
    for item in list?.items ?? [] {
      guard let element = type.element(item), items[element] == nil else { continue }
      ordered.append((element, item))
      items[element] = item
    }
    return (ordered, items)
  }

  // MARK: Merging

  /// The live value with what was applied over it.
  static func merge(_ live: JSON, _ applied: JSON, _ type: ApplyType) -> JSON {
    switch type.form(of: applied) {
    case .scalar, .atomic, .deduced: return applied
    case .map:
      guard case .object(var object) = live, let changes = applied.object else { return applied }
      for field in changes.fields {
        let child = type.child(.field(field.key))
        if let at = object.index(of: field.key) {
          object.fields[at].value = merge(object.fields[at].value, field.value, child)
        } else {
          object.append(field.key, field.value)
        }
      }
      return .object(object)
    case .set, .associative:
      guard live.array != nil, applied.array != nil else { return applied }
      return .array(mergeLists(keyed(live, type), keyed(applied, type), type))
    }
  }

  /// Elements of both in the order of what was applied; live ones of their own stay before what followed them.
  private static func mergeLists(
    _ live: (list: [(FieldSet.Element, JSON)], items: [FieldSet.Element: JSON]),
    _ applied: (list: [(FieldSet.Element, JSON)], items: [FieldSet.Element: JSON]), _ type: ApplyType
  ) -> [JSON] {
    let shared = applied.list.map(\.0).filter { live.items[$0] != nil }
    var nextShared = 0
    var left = 0
    var right = 0
    var result: [JSON] = []
    func merged(_ element: FieldSet.Element, _ item: JSON) -> JSON {
      guard let old = live.items[element] else { return item }
      return merge(old, item, type.child(element))
    }
    while left < live.list.count || right < applied.list.count {
      if left < live.list.count, right < applied.list.count {
        let element = live.list[left].0
        if element == applied.list[right].0 {
          result.append(merged(element, applied.list[right].1))
          left += 1
          right += 1
          nextShared += 1
          continue
        }
        if applied.items[element] != nil, nextShared < shared.count, shared[nextShared] != element {
          left += 1
          continue
        }
      }
      if left < live.list.count {
        let (element, item) = live.list[left]
        guard applied.items[element] != nil else {
          result.append(item)
          left += 1
          continue
        }
        if right >= applied.list.count {
          left += 1
          continue
        }
      }
      if right < applied.list.count {
        let (element, item) = applied.list[right]
        result.append(merged(element, item))
        right += 1
        if nextShared < shared.count, shared[nextShared] == element { nextShared += 1 }
      }
    }
    return result
  }

  // MARK: Removing

  /// The value without the members of the set; nil where nothing is left of it.
  static func remove(_ set: FieldSet, from value: JSON, _ type: ApplyType) -> JSON? {
    if set.isEmpty { return value }
    switch type.form(of: value) {
    case .scalar, .atomic, .deduced: return value
    case .map:
      guard let object = value.object else { return value }
      var kept = JSONObject()
      for field in object.fields {
        let element = FieldSet.Element.field(field.key)
        if set.has(element) { continue }
        if let rest = remove(set.below(element), from: field.value, type.child(element)) {
          kept.append(field.key, rest)
        }
      }
      if kept.isEmpty, !object.isEmpty { return Optional.none }
      return .object(kept)
    case .set, .associative:
      guard let items = value.array else { return value }
      let kept = items.compactMap { item -> JSON? in
        guard let element = type.element(item) else { return item }
        if set.has(element) { return Optional.none }
        return remove(set.below(element), from: item, type.child(element))
      }
      if kept.isEmpty, !items.isEmpty { return Optional.none }
      return .array(kept)
    }
  }
}

extension JSONObject {
  /// The value of a field that is there, null ones too.
  fileprivate func field(_ key: String) -> JSON? {
    guard let at = index(of: key) else { return Optional.none }
    return fields[at].value
  }
}

extension JSON {
  fileprivate var childCount: Int { array?.count ?? object?.count ?? (isNull ? 0 : 1) }
  fileprivate var isContainer: Bool { object != nil || isNull }
}
