import Wire

/// Lays an answer out for people.
package struct TextRenderer: Sendable {
  package init() {}

  package func render(_ answer: Answer) -> String {
    var lines: [String] = []
    lines.append("\(answer.summary)      \(target(answer))")
    head(answer, &lines)
    whys(answer, &lines)
    tail(answer, &lines)
    return lines.joined(separator: "\n") + "\n"
  }

  private func target(_ answer: Answer) -> String {
    var parts: [String] = []
    if let cluster = answer.target.cluster { parts.append("cluster \(cluster)") }
    if let account = answer.target.account { parts.append(account) }
    if let region = answer.target.region { parts.append(region) }
    if let caller = answer.target.caller { parts.append("as \(TextRenderer.shortCaller(caller))") }
    parts.append(Ages.absolute(answer.asOf))
    if let basis = answer.basis { parts.append("(\(basis))") }
    return parts.joined(separator: "  ")
  }

  /// `bob` of `arn:aws:iam::…:user/bob`, `Admin/bob` of a session.
  static func shortCaller(_ arn: String) -> String {
    guard arn.hasPrefix("arn:"), let resource = arn.split(separator: ":", maxSplits: 5).last else { return arn }
    let parts = resource.split(separator: "/")
    return parts.count > 1 ? parts.dropFirst().joined(separator: "/") : String(resource)
  }

  private func head(_ answer: Answer, _ lines: inout [String]) {
    for (index, root) in answer.roots.enumerated() {
      let label = index == 0 ? "root" : "and"
      let alone = answer.roots.count > 1 ? (root.sufficient ? "  (curing it alone is enough)" : "  (not alone)") : ""
      lines.append("\(pad(label, 7))\(root.cause.statement)      \(root.cause.layer.title)\(alone)")
      for (place, fix) in root.cause.fixes.enumerated() {
        let label = place == 0 ? "fix" : "or"
        var notes: [String] = []
        if fix.command != nil { notes.append(fix.statement) }
        if fix.restarts { notes.append("restarts what it touches") }
        notes.append("owner: \(owner(fix.owner))")
        if let expect = fix.expectWithin { notes.append("expect it within \(expect)") }
        if let verify = fix.verify { notes.append("then ask: \(verify)") }
        lines.append("\(pad(label, 7))\(fix.command ?? fix.statement)")
        lines.append("\(pad("", 7))\(notes.joined(separator: "; "))")
        if let undo = fix.undo { lines.append("\(pad("", 7))undo: \(undo)") }
      }
    }
    switch answer.status {
    case .failing, .healthy: break
    case .progressing:
      lines.append(
        "\(pad("wait", 7))for \(answer.waitsFor ?? "it")"
          + (answer.waitsUntil.map { ", until \(Ages.clock($0, now: answer.asOf))" } ?? ""))
    case .unproven:
      let deciding = answer.gaps.filter(\.isDeciding)
      lines.append(
        "\(pad("root", 7))not proved: the chain stops for want of \(Count.list(deciding.map(\.gap.read), limit: 3))")
      for gap in deciding {
        lines.append("\(pad("needs", 7))\(gap.gap.read): \(gap.gap.why)")
        if !gap.gap.how.isEmpty { lines.append("\(pad("", 7))\(gap.gap.how)") }
      }
    }
    for also in answer.also { lines.append("\(pad("also", 7))\(also.cause.statement)      \(also.cause.layer.title)") }
  }

  private func whys(_ answer: Answer, _ lines: inout [String]) {
    guard !answer.chain.isEmpty else { return }
    lines.append("")
    for (index, step) in answer.chain.enumerated() {
      lines.append("  \(pad("why \(index + 1)", 7))\(step.statement)")
      for exhibit in step.evidence { lines.append("\(pad("", 9))\(exhibit.text)") }
    }
  }

  private func tail(_ answer: Answer, _ lines: inout [String]) {
    for ruledOut in answer.ruledOut {
      let evidence = ruledOut.evidence.prefix(3).map { Ages.shortened($0.text, 110) }.joined(separator: "; ")
      lines.append("  \(pad("ruled out", 12))\(ruledOut.statement)\(evidence.isEmpty ? "" : " (\(evidence))")")
    }
    for gap in answer.gaps where !(gap.isDeciding && answer.status == .unproven) {
      lines.append(
        "  \(pad("not read", 12))\(gap.gap.read): \(gap.gap.why)\(gap.gap.how.isEmpty ? "" : " (\(gap.gap.how))")")
    }
    if answer.status == .healthy, !answer.checked.isEmpty {
      lines.append("  \(pad("checked", 12))\(answer.checked.joined(separator: ", "))")
    }
    if answer.status == .healthy || answer.status == .progressing {
      for other in answer.notChecked {
        lines.append("  \(pad("not asked", 12))\(other.question): \(other.ask)")
      }
    }
  }

  private func owner(_ owner: String) -> String { owner == "unknown" ? "can't be told" : owner }

  private func pad(_ text: String, _ width: Int) -> String {
    text.count >= width ? text + " " : text + String(repeating: " ", count: width - text.count)
  }
}
