/// A set of paths into an object, as `metadata.managedFields` keeps them
/// (`sigs.k8s.io/structured-merge-diff/fieldpath`).
package struct FieldSet: Sendable, Equatable {
  /// One step of a path.
  package enum Element: Hashable, Sendable {
    case field(String)
    /// An element of a list by its keys, sorted by name.
    case key([KeyField])
    /// An element of a set by its value, as JSON text.
    case value(String)
    case index(Int)
  }

  package struct KeyField: Hashable, Sendable {
    var name: String
    /// JSON text.
    var value: String
  }

  struct Entry: Sendable, Equatable {
    var isMember = false
    var children = FieldSet()

    /// The form of `fieldsV1`: of a member alone nothing, of others what is below.
    var json: JSON {
      var below = JSONObject()
      if isMember, !children.isEmpty { below.append(FieldsV1.itself, .emptyObject) }
      below.fields += children.json.fields
      return .object(below)
    }
  }

  private(set) var entries: [Element: Entry] = [:]

  package init() {}

  package init(_ paths: [[String]]) { for path in paths { insert(path.map { .field($0) }) } }

  package var isEmpty: Bool { entries.isEmpty }

  package mutating func insert(_ path: [Element]) { insert(path[...]) }

  private mutating func insert(_ path: ArraySlice<Element>) {
    guard let first = path.first else { return }
    if path.count == 1 {
      entries[first, default: Entry()].isMember = true
    } else {
      entries[first, default: Entry()].children.insert(path.dropFirst())
    }
  }

  /// Whether the path of one step is a member.
  func has(_ element: Element) -> Bool { entries[element]?.isMember ?? false }

  /// The paths below that step.
  func below(_ element: Element) -> FieldSet { entries[element]?.children ?? FieldSet() }

  // MARK: Algebra

  package func union(_ other: FieldSet) -> FieldSet {
    var result = self
    for (element, entry) in other.entries {
      guard let mine = result.entries[element] else {
        result.entries[element] = entry
        continue
      }
      result.entries[element] = Entry(
        isMember: mine.isMember || entry.isMember, children: mine.children.union(entry.children))
    }
    return result
  }

  package func subtracting(_ other: FieldSet) -> FieldSet {
    combined(other) { mine, theirs in
      mine && !theirs
    } children: {
      $0.subtracting($1)
    }
  }

  package func intersection(_ other: FieldSet) -> FieldSet {
    var result = FieldSet()
    for (element, entry) in entries {
      guard let theirs = other.entries[element] else { continue }
      result.keep(
        element, isMember: entry.isMember && theirs.isMember, children: entry.children.intersection(theirs.children))
    }
    return result
  }

  /// Without the other's members and all that is below them.
  package func subtractingRecursively(_ other: FieldSet) -> FieldSet {
    var result = FieldSet()
    for (element, entry) in entries {
      guard let theirs = other.entries[element] else {
        result.entries[element] = entry
        continue
      }
      if theirs.isMember { continue }
      result.keep(
        element, isMember: entry.isMember, children: entry.children.subtractingRecursively(theirs.children))
    }
    return result
  }

  private func combined(
    _ other: FieldSet, _ isMember: (Bool, Bool) -> Bool, children: (FieldSet, FieldSet) -> FieldSet
  ) -> FieldSet {
    var result = FieldSet()
    for (element, entry) in entries {
      guard let theirs = other.entries[element] else {
        result.entries[element] = entry
        continue
      }
      result.keep(
        element, isMember: isMember(entry.isMember, theirs.isMember),
        children: children(entry.children, theirs.children))
    }
    return result
  }

  private mutating func keep(_ element: Element, isMember: Bool, children: FieldSet) {
    if isMember || !children.isEmpty { entries[element] = Entry(isMember: isMember, children: children) }
  }

  /// With every named field that has something below it as a member too; keys of maps stay as they are.
  func withNamedFields(_ place: ApplyType) -> FieldSet {
    var result = FieldSet()
    for (element, entry) in entries {
      var entry = entry
      if case .field(let name) = element, !entry.children.isEmpty, place.names(name) { entry.isMember = true }
      entry.children = entry.children.withNamedFields(place.child(element))
      result.entries[element] = entry
    }
    return result
  }

  // MARK: Order and texts

  private var sorted: [(Element, Entry)] { entries.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }

  /// All paths: at each level the members, then what is below.
  package var paths: [[Element]] {
    let sorted = self.sorted
    return sorted.filter(\.1.isMember).map { [$0.0] }
      + sorted.flatMap { element, entry in entry.children.paths.map { [element] + $0 } }
  }

  /// A path as messages name it: `.spec.containers[name="a"].image`.
  package static func text(_ path: [Element]) -> String {
    path.map { element in
      switch element {
      case .field(let name): ".\(name)"
      case .key(let fields): "[" + fields.map { "\($0.name)=\($0.value)" }.joined(separator: ",") + "]"
      case .value(let value): "[=\(value)]"
      case .index(let index): "[\(index)]"
      }
    }.joined()
  }

  /// The form of `fieldsV1`.
  package var json: JSON {
    var object = JSONObject()
    for (element, entry) in sorted { object.append(element.key, entry.json) }
    return .object(object)
  }

  /// Reads `fieldsV1`; what is no path is passed over.
  package init(_ json: JSON) {
    self.init(json, depth: 0)
  }

  private init(_ json: JSON, depth: Int) {
    guard depth < JSON.depthLimit else { return }
    for field in json.fields where field.key != FieldsV1.itself {
      guard let element = Element(key: field.key) else { continue }
      let children = FieldSet(field.value, depth: depth + 1)
      let isMember = field.value.has(FieldsV1.itself) || field.value.fields.isEmpty
      entries[element] = Entry(isMember: isMember, children: children)
    }
  }
}

extension FieldSet.Element: Comparable {
  /// Fields, then keys, values and indexes.
  private var rank: Int {
    switch self {
    case .field: 0
    case .key: 1
    case .value: 2
    case .index: 3
    }
  }

  package static func < (a: Self, b: Self) -> Bool {
    switch (a, b) {
    case (.field(let a), .field(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
    case (.value(let a), .value(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
    case (.index(let a), .index(let b)): a < b
    case (.key(let a), .key(let b)):
      a.lexicographicallyPrecedes(b) { $0.name == $1.name ? $0.value < $1.value : $0.name < $1.name }
    default: a.rank < b.rank
    }
  }

  /// `f:name`, `k:{"name":"a"}`, `v:"x"` or `i:0`.
  var key: String {
    switch self {
    case .field(let name): "f:\(name)"
    case .key(let fields):
      "k:{" + fields.map { "\(JSON.string($0.name).text()):\($0.value)" }.joined(separator: ",") + "}"
    case .value(let value): "v:\(value)"
    case .index(let index): "i:\(index)"
    }
  }

  init?(key: String) {
    let rest = String(key.dropFirst(2))
    switch key.prefix(2) {
    case "f:": self = .field(rest)
    case "i:":
      guard let index = Int(rest) else { return nil }
      self = .index(index)
    case "v:":
      guard let value = try? JSON.parse(rest) else { return nil }
      self = .value(value.text())
    case "k:":
      guard let value = try? JSON.parse(rest), let object = value.object else { return nil }
      self.init(keys: object.fields.map { ($0.key, $0.value) })
    default: return nil
    }
  }

  init(keys: [(String, JSON)]) {
    self = .key(
      keys.map { FieldSet.KeyField(name: $0.0, value: $0.1.text()) }.sorted { $0.name < $1.name })
  }
}
