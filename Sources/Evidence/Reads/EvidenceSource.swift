package import Wire

/// Where evidence comes from: live APIs, a bundle, or the two mixed.
package protocol EvidenceSource: Sendable {
  /// Answers one read; never throws: what cannot be had is a state of the reading.
  func read(_ read: Read) async -> Reading
  /// The present, as this source knows it, and what it was taken from.
  func now() async -> (time: Timestamp, basis: String)
  /// What an operator does to make a missing read possible.
  func remedy(for read: Read, _ state: Reading.State) -> String
}

/// One source for Kubernetes, another for AWS.
package struct MixedSource: EvidenceSource {
  package var kubernetes: any EvidenceSource
  package var aws: any EvidenceSource

  package init(kubernetes: any EvidenceSource, aws: any EvidenceSource) {
    self.kubernetes = kubernetes
    self.aws = aws
  }

  private func source(of read: Read) -> any EvidenceSource { read.isAWS ? aws : kubernetes }

  package func read(_ read: Read) async -> Reading { await source(of: read).read(read) }
  package func now() async -> (time: Timestamp, basis: String) { await kubernetes.now() }
  package func remedy(for read: Read, _ state: Reading.State) -> String { source(of: read).remedy(for: read, state) }
}

/// AWS evidence that must not be used, and why.
package struct RefusedAWS: EvidenceSource {
  package var why: String
  package var how: String

  package init(why: String, how: String) {
    self.why = why
    self.how = how
  }

  package func read(_ read: Read) async -> Reading { Reading(state: .missing(why), at: Timestamp(seconds: 0)) }
  package func now() async -> (time: Timestamp, basis: String) { (Timestamp(seconds: 0), "none") }
  package func remedy(for read: Read, _ state: Reading.State) -> String { how }
}
