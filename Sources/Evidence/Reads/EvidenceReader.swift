package import Wire

/// The view of the evidence that an answer is made from: lazy, cached, bounded.
///
/// A filtered read is answered from a wider complete one. Reads beyond the budget are gaps.
package actor EvidenceReader {
  package struct Budget: Sendable {
    package var kubernetes: Int
    package var aws: Int

    package init(kubernetes: Int = 60, aws: Int = 40) {
      self.kubernetes = kubernetes
      self.aws = aws
    }
  }

  package struct Counts: Sendable {
    package var kubernetes = 0
    package var aws = 0
  }

  package nonisolated let source: any EvidenceSource
  package nonisolated let budget: Budget
  package private(set) var counts = Counts()
  private var answers: [Read: Reading] = [:]
  /// Reads with an answer, in order of arrival; the search for a wider one must not depend on hashing.
  private var order: [Read] = []
  private var again: Set<Read> = []
  private var underway: [Read: Task<Reading, Never>] = [:]
  private var time: (time: Timestamp, basis: String)?

  /// Told of each read before it is sent.
  private let announce: @Sendable (Read) -> Void

  /// `known` are answers that the source has given already.
  package init(
    _ source: any EvidenceSource, budget: Budget = Budget(), known: [(Read, Reading)] = [],
    announce: @escaping @Sendable (Read) -> Void = { _ in }
  ) {
    self.source = source
    self.budget = budget
    self.announce = announce
    for (read, reading) in known where answers[read] == nil {
      answers[read] = reading
      order.append(read)
      if read.isAWS { counts.aws += 1 } else { counts.kubernetes += 1 }
    }
  }

  package func read(_ read: Read) async -> Reading {
    if let known = answers[read] { return known }
    if let wide = order.first(where: { read.isWithin($0) && answers[$0]?.isComplete == true }) {
      return answers[wide]!.narrowed(to: read)
    }
    if let task = underway[read] { return await task.value }
    // A wider read under way will answer this one too.
    let wider = underway.keys.filter { read.isWithin($0) }.sorted { $0.name < $1.name }.first
    if let wider, let task = underway[wider] {
      let reading = await task.value
      if reading.isComplete { return reading.narrowed(to: read) }
      if let known = answers[read] { return known }
    }
    guard take(read) else {
      return Reading(
        state: .missing("the budget of \(read.isAWS ? budget.aws : budget.kubernetes) reads is used up"),
        at: await now())
    }
    let source = source
    let task = Task { await source.read(read) }
    underway[read] = task
    let reading = await task.value
    underway[read] = nil
    if answers[read] == nil { order.append(read) }
    answers[read] = reading
    return reading
  }

  /// Forgets what these reads, which contradict each other, were answered from, so that they are sent once more;
  /// only once in the life of an answer.
  package func readAgain(_ reads: [Read]) {
    guard !again.isSuperset(of: reads) else { return }
    again.formUnion(reads)
    let stale = order.filter { known in reads.contains { $0.isWithin(known) } }
    for read in stale { answers[read] = nil }
    order.removeAll { stale.contains($0) }
  }

  /// The present of this evidence, and what it was taken from.
  package func clock() async -> (time: Timestamp, basis: String) {
    if let time { return time }
    let fresh = await source.now()
    if time == nil { time = fresh }
    return time!
  }

  package func now() async -> Timestamp { await clock().time }

  private func take(_ read: Read) -> Bool {
    if read.isAWS {
      guard counts.aws < budget.aws else { return false }
      counts.aws += 1
    } else {
      guard counts.kubernetes < budget.kubernetes else { return false }
      counts.kubernetes += 1
    }
    announce(read)
    return true
  }
}
