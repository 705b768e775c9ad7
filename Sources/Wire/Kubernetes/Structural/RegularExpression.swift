/// A regular expression as Go has it. Time is bounded by the product of its size and the text's.
package struct RegularExpression: Sendable {
  private let pattern: AWSPattern

  /// Nil when the expression is none, or uses something that is not known here.
  package init?(_ text: String) {
    guard let pattern = AWSPattern(text) else { return nil }
    self.pattern = pattern
  }

  /// Whether some part of the text matches; anchors hold it to the text's ends.
  package func isFound(in text: String) -> Bool { pattern.isFound(in: text) }

  package func matchesWhole(_ text: String) -> Bool { pattern.matches(text) }
}
