import Evidence
package import Mechanisms
package import Wire

/// One possible explanation of one effect. It names the rule and its reads and words what they say; the
/// condition itself is the rule's, in `Mechanisms`.
package protocol Link: Sendable {
  /// `group/kebab-name`; once released it doesn't change.
  var code: String { get }
  /// The effects that it may explain.
  var explains: [Effect.Kind] { get }
  /// The kinds of world it holds in. Elsewhere it does not apply, which is never "refuted".
  var worlds: Worlds { get }
  func test(_ effect: Effect, _ world: Investigation) async -> Finding
}

extension Link {
  package var worlds: Worlds { .any }
}

/// What a link found.
package enum Finding: Sendable {
  case holds(Explanation)
  /// Ruled out, with the evidence that does.
  case refuted(String, [Exhibit])
  /// Not to be told without these.
  case open([Gap])
  /// It has nothing to say here.
  case silent
}

/// A link that holds: what it says, on which evidence, and what stands behind it.
package struct Explanation: Sendable {
  package var statement: String
  package var entity: Entity
  package var evidence: [Exhibit]
  /// What to ask next. Each is needed for this one to hold.
  package var causes: [Cause]
  package var root: RootCause?
  /// Reads that would tell more and that the proof doesn't need.
  package var notNeeded: [Gap]
  package var lastSymptomAt: Timestamp?

  package init(
    _ statement: String, entity: Entity, evidence: [Exhibit], causes: [Cause] = [], root: RootCause? = nil,
    notNeeded: [Gap] = [], lastSymptomAt: Timestamp? = nil
  ) {
    self.statement = statement
    self.entity = entity
    self.evidence = evidence
    self.causes = causes
    self.root = root
    self.notNeeded = notNeeded
    self.lastSymptomAt = lastSymptomAt
  }

  package struct Cause: Sendable {
    package var effect: Effect
    /// Whether the answer is open while this one is.
    package var isDeciding: Bool

    package init(_ effect: Effect, deciding: Bool = true) {
      self.effect = effect
      isDeciding = deciding
    }
  }
}
