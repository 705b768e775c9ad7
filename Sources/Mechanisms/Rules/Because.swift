package import Wire

/// One thing a rule saw on the way to its verdict.
package struct Because: Sendable, Equatable {
  /// Stable, `rule-group/kebab-name`: what programs and links match on.
  package var code: String
  /// The sentence, or the exact text that AWS or Kubernetes gives for it.
  package var text: String
  /// What it was read from.
  package var evidence: [Citation]
  /// The parts of the text, for programs.
  package var details: JSON

  package init(_ code: String, _ text: String, evidence: [Citation?] = [], details: JSON = .null) {
    self.code = code
    self.text = text
    self.evidence = evidence.compactMap { $0 }
    self.details = details
  }
}

extension FactSet {
  /// Hides the fact at that path.
  package static func hider<Value>(
    _ path: any WritableKeyPath<Self, Fact<Value>> & Sendable
  ) -> @Sendable (inout Self) -> Void {
    { $0[keyPath: path] = .unknown(.hidden) }
  }

  /// The hiders of facts that stand inside these.
  package static func lift<Inner: FactSet>(
    _ path: any WritableKeyPath<Self, Inner> & Sendable
  ) -> [@Sendable (inout Self) -> Void] {
    Inner.hiders.map { hide in { @Sendable facts in hide(&facts[keyPath: path]) } }
  }
}

extension Fact {
  package var citation: Citation? { source?.citation }
  package var isKnown: Bool { value != nil }
}

extension Verdict {
  /// The same outcome with these reasons before its own.
  package func after(_ earlier: [Reason]) -> Verdict { Verdict(outcome, earlier + reasons) }

  package func map<Other: Sendable>(_ transform: (Value) -> Other) -> Verdict<Other, Reason> {
    switch outcome {
    case .yes(let value): .init(.yes(transform(value)), reasons)
    case .no: .init(.no, reasons)
    case .open(let gaps): .init(.open(gaps), reasons)
    }
  }
}

extension Truth {
  /// True of all; open facts are gathered.
  package static func all<S: Sequence>(_ elements: S, _ test: (S.Element) -> Truth) -> Truth {
    var result = Truth.yes
    for element in elements {
      result = result && test(element)
      if result == .no { return .no }
    }
    return result
  }

  /// True of at least one; open facts are gathered.
  package static func any<S: Sequence>(_ elements: S, _ test: (S.Element) -> Truth) -> Truth {
    var result = Truth.no
    for element in elements {
      result = result || test(element)
      if result == .yes { return .yes }
    }
    return result
  }

  package var isYes: Bool { self == .yes }
  package var isNo: Bool { self == .no }
}
