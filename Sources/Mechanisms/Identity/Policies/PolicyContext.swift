import Wire

/// The condition keys of a request, names without case.
package struct PolicyContext: Sendable, Equatable {
  package enum Entry: Sendable, Equatable {
    case values([String])
    case unknown(Gap)
  }

  /// What a look-up gives.
  package enum Value: Sendable, Equatable {
    case present([String])
    case absent
    case unknown(Gap)
  }

  private var entries: [String: Entry]
  /// Nil where every key that is not listed is absent; else why it might not be.
  package var rest: Gap?
  /// The beginnings of the keys that ``rest`` is about, in lower case; none for every key.
  package var restOf: [String] = []

  package init(_ values: [String: [String]] = [:], rest: Gap? = nil) {
    entries = [:]
    self.rest = rest
    for (key, values) in values { entries[key.lowercased()] = .values(values) }
  }

  package subscript(key: String) -> Value { value(of: key.lowercased()) }

  /// The same of a name in lower case.
  func value(of key: String) -> Value {
    switch entries[key] {
    case .values(let values): .present(values)
    case .unknown(let gap): .unknown(gap)
    case nil: unlisted(key)
    }
  }

  private func unlisted(_ key: String) -> Value {
    guard let rest, restOf.isEmpty || restOf.contains(where: { key.hasPrefix($0) }) else { return .absent }
    return .unknown(Gap(read: "\(rest.read) (\(key))", why: rest.why, how: rest.how))
  }

  package mutating func set(_ key: String, _ value: String?) {
    entries[key.lowercased()] = value.map { .values([$0]) }
  }

  package mutating func set(_ key: String, values: [String]) { entries[key.lowercased()] = .values(values) }

  package mutating func set(_ key: String, unknown gap: Gap) { entries[key.lowercased()] = .unknown(gap) }

  /// Takes the keys of another one.
  package mutating func add(_ other: PolicyContext) {
    entries.merge(other.entries) { _, new in new }
    if rest == nil {
      rest = other.rest
      restOf = other.restOf
    }
  }

  /// The keys that have values, in order.
  package var keys: [String] { entries.keys.sorted() }
}
