import Mechanisms
import Wire

/// What was seen of the parts.
struct Overview {
  var effects: [Explanation.Cause] = []
  var troubles: [String] = []
  var counts: [String] = []
  var left = 0
  var waits: (what: String, until: Timestamp)?
  /// Every trouble is still within its usual time.
  var isWaiting = true
  var lastResort: Gap?

  /// A list could not be read.
  var isPartial = false

  mutating func add(_ inquiry: Inquiry) {
    effects += inquiry.effects
    guard inquiry.isTrouble else { return }
    troubles.append(inquiry.summary)
    lastResort = lastResort ?? inquiry.lastResort
    guard let theirs = inquiry.waits else {
      isWaiting = false
      return
    }
    if theirs.until > waits?.until ?? Timestamp(seconds: 0) { waits = theirs }
  }
}
