/// A version by semver.org 2.0.
package struct SemanticVersion: Sendable {
  let numbers: [UInt64]
  let before: [String]

  /// Without `normalizes` only the exact form is taken; with it a leading `v`, missing parts and leading zeros.
  init?(_ given: String, normalizes: Bool = false) {
    var text = given[...]
    if normalizes, text.hasPrefix("v") { text = text.dropFirst() }
    guard text.utf8.count <= 256 else { return nil }
    var rest = text
    var build: Substring?
    if let plus = rest.firstIndex(of: "+") {
      build = rest[rest.index(after: plus)...]
      rest = rest[..<plus]
    }
    var pre: Substring?
    if let dash = rest.firstIndex(of: "-") {
      pre = rest[rest.index(after: dash)...]
      rest = rest[..<dash]
    }
    var parts = rest.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    if normalizes {
      while parts.count < 3, pre == nil, build == nil { parts.append("0") }
      parts = parts.map { part in
        let shorter = part.drop { $0 == "0" }
        return shorter.isEmpty && !part.isEmpty ? "0" : String(shorter)
      }
    }
    guard parts.count == 3 else { return nil }
    var numbers: [UInt64] = []
    for part in parts {
      guard !part.isEmpty, part.utf8.allSatisfy({ (48...57).contains($0) }), part == "0" || !part.hasPrefix("0"),
        let number = UInt64(part)
      else { return nil }
      numbers.append(number)
    }
    self.numbers = numbers
    func identifiers(_ text: Substring?) -> [String]? {
      guard let text else { return [] }
      let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      return parts.allSatisfy {
        !$0.isEmpty && $0.unicodeScalars.allSatisfy { $0 != "_" && ($0.isLetter || $0.isDigit) || $0 == "-" }
      }
        ? parts : nil
    }
    guard let before = identifiers(pre), identifiers(build) != nil else { return nil }
    for part in before
    where part.utf8.count > 1 && part.hasPrefix("0") && part.utf8.allSatisfy({ (48...57).contains($0) }) { return nil }
    self.before = before
  }

  func order(_ other: SemanticVersion) -> Int {
    for (a, b) in zip(numbers, other.numbers) where a != b { return a < b ? -1 : 1 }
    if before.isEmpty || other.before.isEmpty {
      return before.isEmpty == other.before.isEmpty ? 0 : before.isEmpty ? 1 : -1
    }
    for (a, b) in zip(before, other.before) where a != b {
      switch (UInt64(a), UInt64(b)) {
      case (let a?, let b?): return a < b ? -1 : 1
      case (nil, nil): return a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : 1
      case (let a, _): return a != nil ? -1 : 1
      }
    }
    return before.count == other.before.count ? 0 : before.count < other.before.count ? -1 : 1
  }
}
