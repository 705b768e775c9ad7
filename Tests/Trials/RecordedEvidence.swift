package import Evidence
package import Wire

/// A source that remembers what it was asked and what it answered.
package actor Recorder: EvidenceSource {
  private let source: any EvidenceSource
  private var readings: [(Read, Reading)]

  package init(_ source: any EvidenceSource, known: [(Read, Reading)] = []) {
    self.source = source
    readings = known
  }

  package func read(_ read: Read) async -> Reading {
    let reading = await source.read(read)
    readings.append((read, reading))
    return reading
  }

  package func now() async -> (time: Timestamp, basis: String) { await source.now() }
  package nonisolated func remedy(for read: Read, _ state: Reading.State) -> String { source.remedy(for: read, state) }

  package func recorded() -> [(Read, Reading)] { readings }
}

/// Answers that were given once, some of them changed.
package struct Replay: EvidenceSource {
  package var readings: [(read: Read, reading: Reading)]
  package var time: Timestamp

  package init(_ readings: [(Read, Reading)], time: Timestamp) {
    self.readings = readings.map { (read: $0.0, reading: $0.1) }
    self.time = time
  }

  package func read(_ read: Read) async -> Reading {
    if let same = readings.first(where: { $0.read == read }) { return same.reading }
    if let wide = readings.first(where: { read.isWithin($0.read) && $0.reading.isComplete }) {
      return wide.reading.narrowed(to: read)
    }
    return Reading(state: .missing("it was not read before"), at: time)
  }

  package func now() async -> (time: Timestamp, basis: String) { (time, "") }
  package func remedy(for read: Read, _ state: Reading.State) -> String { read.command }
}
