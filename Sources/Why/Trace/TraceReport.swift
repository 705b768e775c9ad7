import Mechanisms
package import Wire

/// What became of a packet and of the answer to it, and why.
package struct TraceReport: Sendable {
  /// One of the ways that the packet may take.
  package struct Path: Sendable {
    package enum Verdict: String, Sendable { case works, stops, open }

    package var verdict: Verdict
    /// The share of connections that take it.
    package var share: Double
    package var there: [Step]
    package var back: [Step]
    /// Where it went in the end.
    package var target: String
  }

  package struct Step: Sendable {
    package var place: String
    package var text: String
  }

  package var answer: Answer
  package var paths: [Path]

  package var exitStatus: Int32 { answer.exitStatus }

  package var json: JSON {
    var out = answer.json
    out["paths"] = .array(
      paths.map { path in
        [
          "verdict": .string(path.verdict.rawValue), "share": .double(path.share), "target": .string(path.target),
          "there": .array(path.there.map(\.json)), "back": .array(path.back.map(\.json)),
        ]
      })
    return out
  }

  package var text: String {
    var out = TextRenderer().render(answer)
    for path in paths {
      let percent = Int((path.share * 100).rounded())
      let share = paths.count > 1 ? " (\(percent)% of connections)" : ""
      let word =
        switch path.verdict {
        case .works: "there and back"
        case .stops: path.back.isEmpty ? "stops on its way there" : "arrives; the answer stops on its way back"
        case .open: "as far as is known"
        }
      out += "\n  to \(path.target)\(share): \(word)\n"
      out += TraceReport.lines(path.there, "there")
      out += TraceReport.lines(path.back, "back")
    }
    return out
  }

  private static func lines(_ steps: [Step], _ label: String) -> String {
    let width = min(28, steps.map(\.place.count).max() ?? 0)
    var out = ""
    var last = ""
    for (index, step) in steps.enumerated() {
      let head = index == 0 ? label : ""
      let place = step.place == last ? "" : step.place
      last = step.place
      out += "    " + pad(head, 6) + pad(place, width + 2) + step.text + "\n"
    }
    return out
  }

  private static func pad(_ text: String, _ width: Int) -> String {
    text.count >= width ? text + " " : text + String(repeating: " ", count: width - text.count)
  }
}

extension TraceReport.Step {
  var json: JSON { ["at": .string(place), "what": .string(text)] }
}
