/// What a rule decided, and why. One evaluation gives both.
package struct Verdict<Value: Sendable, Reason: Sendable>: Sendable {
  package enum Outcome: Sendable {
    case yes(Value)
    case no
    /// Not to be told without these facts.
    case open([Gap])
  }

  package var outcome: Outcome
  /// What was seen on the way, in order; the last of a `no` is the one that decided.
  package var reasons: [Reason]

  package init(_ outcome: Outcome, _ reasons: [Reason] = []) {
    self.outcome = outcome
    self.reasons = reasons
  }

  package static func yes(_ value: Value, _ reasons: [Reason] = []) -> Verdict { .init(.yes(value), reasons) }
  package static func no(_ reasons: [Reason]) -> Verdict { .init(.no, reasons) }
  package static func open(_ gaps: [Gap], _ reasons: [Reason] = []) -> Verdict { .init(.open(gaps), reasons) }

  package var value: Value? { if case .yes(let value) = outcome { value } else { nil } }
  package var isYes: Bool { if case .yes = outcome { true } else { false } }
  package var isNo: Bool { if case .no = outcome { true } else { false } }
  package var gaps: [Gap] { if case .open(let gaps) = outcome { gaps } else { [] } }
}

extension Verdict where Value == Void {
  package static func yes(_ reasons: [Reason] = []) -> Verdict { .init(.yes(()), reasons) }
}

/// A rule of EKS, written once: the local EKS obeys its decision, Why reads its reasons.
///
/// Hiding any of its facts leaves the verdict as it was or opens it, and never turns it; the
/// property test in `Tests/MechanismsTests` holds every rule to that.
package protocol Rule: Sendable {
  associatedtype Facts: FactSet
  associatedtype Value: Sendable
  associatedtype Reason: Sendable
  /// `group/kebab-name`, group as the folder: `identity/token`.
  static var name: String { get }
  static func decide(_ facts: Facts) -> Verdict<Value, Reason>
}

/// The facts of a rule, each of which can be hidden.
package protocol FactSet: Sendable {
  /// One function a fact; it puts ``Gap/hidden`` in the fact's place.
  static var hiders: [@Sendable (inout Self) -> Void] { get }
}

/// Three-valued truth for predicates over partial evidence (Kleene's logic).
package enum Truth: Sendable, Equatable {
  case yes
  case no
  case open([Gap])

  package init(_ fact: Fact<Bool>) {
    switch fact {
    case .known(let value, _): self = value ? .yes : .no
    case .unknown(let gap): self = .open([gap])
    }
  }

  package init(_ value: Bool) { self = value ? .yes : .no }

  package var gaps: [Gap] { if case .open(let gaps) = self { gaps } else { [] } }

  package static prefix func ! (a: Truth) -> Truth {
    switch a {
    case .yes: .no
    case .no: .yes
    case .open: a
    }
  }

  package static func && (a: Truth, b: @autoclosure () -> Truth) -> Truth {
    if a == .no { return .no }
    let b = b()
    if b == .no { return .no }
    let gaps = a.gaps + b.gaps
    return gaps.isEmpty ? .yes : .open(gaps)
  }

  package static func || (a: Truth, b: @autoclosure () -> Truth) -> Truth {
    if a == .yes { return .yes }
    let b = b()
    if b == .yes { return .yes }
    let gaps = a.gaps + b.gaps
    return gaps.isEmpty ? .no : .open(gaps)
  }
}
