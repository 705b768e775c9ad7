package import Evidence
package import Why
package import Wire

/// An answer on trial: asked once of its evidence, then again with each read left out, with each list cut short, and
/// amid noise. Less evidence may shorten the chain or open it, and never turn it; noise changes nothing.
package struct Trial {
  package var answer: Answer
  /// What went wrong, in sentences; none for a sound answer.
  package var faults: [String] = []
  /// How many times it was asked again.
  package var rounds = 0

  package typealias Asking = @Sendable (Why) async throws -> Answer

  /// `states` are what takes the place of each reading in turn.
  package init(
    _ source: any EvidenceSource, known: [(Read, Reading)] = [], target: Target, now: Timestamp? = nil,
    nodeLogs: NodeLogs? = nil, states: [Reading.State] = [.missing("left out"), .partial("cut short")], _ ask: Asking
  ) async throws {
    let recorder = Recorder(source, known: known)
    let time = if let now { now } else { await recorder.now().time }
    let world = Investigation(
      EvidenceReader(recorder, known: known), target: target, now: time, nodeLogs: nodeLogs)
    let answer = try await ask(Why(world))
    self.answer = answer
    let recorded = await recorder.recorded()
    func again(_ readings: [(Read, Reading)], nodeLogs: NodeLogs? = nodeLogs) async throws -> Answer {
      let replay = Replay(readings, time: time)
      return try await ask(Why(Investigation(EvidenceReader(replay), target: target, now: time, nodeLogs: nodeLogs)))
    }
    rounds += 1
    if Trial.told(try await again(recorded)) != Trial.told(answer) {
      faults.append("the same evidence gave another answer")
    }
    for index in recorded.indices {
      for state in states {
        var fewer = recorded
        fewer[index].1.items = []
        fewer[index].1.state = state
        // A wider or the same answer elsewhere must not fill the hole.
        let hidden = fewer[index].0
        fewer = fewer.enumerated().filter { $0.offset == index || $0.element.0 != hidden }.map(\.element)
        rounds += 1
        do {
          let less = try await again(fewer)
          for fault in Trial.turned(answer, less) { faults.append("without \(hidden.name) (\(state)): \(fault)") }
        } catch is QuestionError {
          // The subject itself could not be read.
        }
      }
    }
    if nodeLogs != nil {
      rounds += 1
      for fault in Trial.turned(answer, try await again(recorded, nodeLogs: nil)) {
        faults.append("without the nodes' logs: \(fault)")
      }
    }
    rounds += 1
    let loud = try await again(recorded.map { ($0.0, Noise.added(to: $0.1, of: $0.0, at: time)) })
    if Trial.told(loud) != Trial.told(answer) {
      faults.append("noise changed it: \(loud.summary); roots \(loud.roots.map(\.cause.code))")
    }
  }

  /// How an answer from less evidence is more than the one from all of it.
  private static func turned(_ whole: Answer, _ less: Answer) -> [String] {
    var faults: [String] = []
    let known = Set(whole.roots.map(\.cause.code))
    let fresh = less.roots.map(\.cause.code).filter { !known.contains($0) }
    if !fresh.isEmpty { faults.append("it has the root \(fresh.joined(separator: ", "))") }
    if whole.status == .failing, less.status == .healthy, !less.summary.hasSuffix("as far as could be read"),
      !less.summary.hasPrefix("nothing readable denies it")
    {
      faults.append("it finds no fault: \(less.summary)")
    }
    if less.status == .unproven, !less.gaps.contains(where: \.isDeciding) { faults.append("it names no gap") }
    if less.chain.count > whole.chain.count { faults.append("its chain is longer") }
    return faults
  }

  /// What of an answer must stay as it is.
  private static func told(_ answer: Answer) -> [String] {
    // Pods are counted, the loud ones too.
    [answer.status.rawValue, answer.summary.filter { !$0.isNumber }] + answer.chain.map(\.statement)
      + answer.roots.map(\.cause.statement)
      + answer.roots.flatMap { $0.cause.fixes.map { $0.command ?? $0.statement } }
  }
}
