package import Mechanisms
package import Wire

/// What is asked about one kind of thing. It observes the thing's state, picks the effects that want an
/// explanation, and words the summary.
package protocol Question: Sendable {
  /// The kinds it answers for, as ``Subject`` names them.
  var kinds: [String] { get }
  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry
}

/// Why there is no answer at all.
package enum QuestionError: Error, CustomStringConvertible {
  case noSuchObject(String)
  /// The subject itself could not be read.
  case unreachable(Gap)
  case unsupported(String)

  package var description: String {
    switch self {
    case .noSuchObject(let what): "there is no \(what)"
    case .unreachable(let gap): "\(gap.read) could not be read: \(gap.why)\(gap.how.isEmpty ? "" : "\nhow: \(gap.how)")"
    case .unsupported(let what): what
    }
  }

  /// The exit status of the command line.
  package var exitStatus: Int32 {
    switch self {
    case .noSuchObject: 3
    case .unreachable: 4
    case .unsupported: 64
    }
  }
}

/// What an observed subject asks of the engine.
package struct Inquiry: Sendable {
  package var subject: Entity
  /// What to explain. Empty when the subject's state explains itself.
  package var effects: [Explanation.Cause]
  /// Something is wrong with it, as far as can be seen.
  package var isTrouble: Bool
  /// What is wrong, or that no fault was found.
  package var summary: String
  /// The summary when a fault is found behind a subject that looks well.
  package var hiddenTrouble: String?
  /// Until when its state is usual, and what it waits for.
  package var waits: (what: String, until: Timestamp)?
  package var notChecked: [NotChecked]
  /// The gap to name where the chain ends without a root and without a gap of its own.
  package var lastResort: Gap?
  /// Where it was asked whether: `yes`, `no`, `nothing-readable-denies-it`, `unproven`.
  package var verdict: String?

  package init(
    _ subject: Entity, effects: [Explanation.Cause], isTrouble: Bool, summary: String, hiddenTrouble: String? = nil,
    waits: (what: String, until: Timestamp)? = nil, notChecked: [NotChecked] = [], lastResort: Gap? = nil,
    verdict: String? = nil
  ) {
    self.subject = subject
    self.effects = effects
    self.isTrouble = isTrouble
    self.summary = summary
    self.hiddenTrouble = hiddenTrouble
    self.waits = waits
    self.notChecked = notChecked
    self.lastResort = lastResort
    self.verdict = verdict
  }
}
