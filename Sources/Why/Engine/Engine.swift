import Mechanisms
import Wire

/// Follows causes from effects to roots, testing every link that may explain each effect.
package struct Engine: Sendable {
  package let catalogue: Catalogue
  package let investigation: Investigation
  /// Effects followed in one answer.
  static let effectLimit = 60

  package init(_ catalogue: Catalogue, _ investigation: Investigation) {
    self.catalogue = catalogue
    self.investigation = investigation
  }

  /// What was found about one effect.
  struct Explained: Sendable {
    var effect: Effect
    var holding: [(code: String, explanation: Explanation)] = []
    var refuted: [RuledOut] = []
    var open: [(code: String, gaps: [Gap])] = []
    var isDeciding: Bool
    var groups: [String] = []
  }

  /// Everything that was found out, in order of discovery.
  package struct Trail: Sendable {
    var explained: [Explained] = []
    var index: [Effect: Int] = [:]

    package var isEmpty: Bool { explained.isEmpty }
    package var groups: [String] {
      var seen: [String] = []
      for group in explained.flatMap(\.groups) where !seen.contains(group) { seen.append(group) }
      return seen
    }
  }

  /// Follows these effects down to their roots.
  package func follow(_ effects: [Explanation.Cause]) async -> Trail {
    var trail = Trail()
    var waiting = effects
    while !waiting.isEmpty, trail.explained.count < Engine.effectLimit {
      var fresh: [Explanation.Cause] = []
      for cause in waiting {
        if let at = trail.index[cause.effect] {
          trail.explained[at].isDeciding = trail.explained[at].isDeciding || cause.isDeciding
          continue
        }
        if fresh.contains(where: { $0.effect == cause.effect }) { continue }
        fresh.append(cause)
      }
      // The effects of one generation don't depend on each other; their reads may run side by side.
      let results = await withTaskGroup(of: (Int, Explained).self) { group in
        for (index, cause) in fresh.enumerated() {
          group.addTask { (index, await explain(cause)) }
        }
        var results: [(Int, Explained)] = []
        for await result in group { results.append(result) }
        return results.sorted { $0.0 < $1.0 }.map(\.1)
      }
      waiting = []
      for result in results {
        trail.index[result.effect] = trail.explained.count
        trail.explained.append(result)
        for (_, explanation) in result.holding {
          waiting += explanation.causes.map {
            Explanation.Cause($0.effect, deciding: $0.isDeciding && result.isDeciding)
          }
        }
      }
    }
    return trail
  }

  private func explain(_ cause: Explanation.Cause) async -> Explained {
    var found = Explained(effect: cause.effect, isDeciding: cause.isDeciding)
    for link in catalogue.links(explaining: cause.effect.kind) {
      switch await investigation.applies(link.worlds, to: cause.effect) {
      case .no: continue
      case .open(let gaps):
        found.open.append((link.code, gaps))
        continue
      case .yes: break
      }
      let finding = await link.test(cause.effect, investigation)
      let group = String(link.code.prefix { $0 != "/" })
      switch finding {
      case .holds(let explanation): found.holding.append((link.code, explanation))
      case .refuted(let statement, let evidence):
        found.refuted.append(RuledOut(code: link.code, statement: statement, evidence: evidence))
      case .open(let gaps): found.open.append((link.code, gaps))
      case .silent: continue
      }
      if case .open = finding { continue }
      if !found.groups.contains(group) { found.groups.append(group) }
    }
    return found
  }
}
