package import Wire

/// What our rules compute beside what a cluster shows: where they differ, a rule is wrong or something else was at work.
package struct Agreement: Sendable {
  package enum Outcome: String, Sendable { case agree, differ, unread }

  package struct Row: Sendable {
    /// `pod-mutation`, `node-name`, `node-labels`, `max-pods`.
    package var what: String
    package var entity: Entity
    package var outcome: Outcome
    package var ours: String
    package var shown: String
    /// Why they may differ, or what could not be read.
    package var reason: String

    init(_ what: String, _ entity: Entity, ours: String, shown: String, reason: String = "") {
      self.what = what
      self.entity = entity
      self.ours = ours
      self.shown = shown
      outcome = ours == shown ? .agree : .differ
      self.reason = ours == shown ? "" : reason
    }

    init(_ what: String, _ entity: Entity, unread reason: String) {
      self.what = what
      self.entity = entity
      (ours, shown, outcome) = ("", "", .unread)
      self.reason = reason
    }
  }

  package var rows: [Row]

  package func count(_ outcome: Outcome) -> Int { rows.count { $0.outcome == outcome } }

  /// 0 where all agree, 1 where something differs, 2 where nothing differs and something could not be read.
  package var exitStatus: Int32 { count(.differ) > 0 ? 1 : count(.unread) > 0 ? 2 : 0 }

  package var text: String {
    var out = ""
    for row in rows where row.outcome != .agree {
      out += "\(row.outcome.rawValue)  \(row.what)  \(row.entity.title)\n"
      if row.outcome == .differ { out += "        ours   \(row.ours)\n        shown  \(row.shown)\n" }
      if !row.reason.isEmpty { out += "        \(row.reason)\n" }
    }
    return out + "\(count(.agree)) agree, \(count(.differ)) differ, \(count(.unread)) could not be read\n"
  }

  package var json: JSON {
    [
      "agree": JSON(count(.agree)), "differ": JSON(count(.differ)), "unread": JSON(count(.unread)),
      "rows": .array(
        rows.map {
          [
            "what": .string($0.what), "kind": .string($0.entity.kind), "name": .string($0.entity.name),
            "namespace": JSON($0.entity.namespace), "outcome": .string($0.outcome.rawValue), "ours": .string($0.ours),
            "shown": .string($0.shown), "reason": .string($0.reason),
          ]
        }),
    ]
  }
}
