import Mechanisms
import Wire

extension Engine.Trail {
  /// Chain, roots, what was ruled out and what is open, numbered from the first effect down.
  func fill(_ answer: inout Answer, from first: [Effect]) {
    // Steps are numbered along the longest path first.
    var ids: [Key: Int] = [:]
    var order: [Key] = []
    func number(_ effect: Effect, _ path: Set<Effect>) {
      guard let at = index[effect], !path.contains(effect) else { return }
      for position in explained[at].holding.indices {
        let key = Key(effect: at, holding: position)
        guard ids[key] == nil else { continue }
        order.append(key)
        ids[key] = order.count
        let causes = explained[at].holding[position].explanation.causes.map(\.effect)
        for cause in causes.enumerated().sorted(by: {
          (depth($0.element), -$0.offset) > (depth($1.element), -$1.offset)
        }) {
          number(cause.element, path.union([effect]))
        }
      }
    }
    for effect in first { number(effect, []) }

    var roots: [Root] = []
    var chain: [Step] = []
    for key in order {
      let (code, explanation) = explained[key.effect].holding[key.holding]
      var because = explanation.causes.compactMap { index[$0.effect] }.flatMap { at in
        explained[at].holding.indices.compactMap { ids[Key(effect: at, holding: $0)] }
      }
      if let root = explanation.root {
        let id: Int
        if let known = roots.first(where: { $0.cause.code == root.code && $0.cause.entity == root.entity }) {
          id = known.id
        } else {
          id = order.count + roots.count + 1
          roots.append(Root(id: id, sufficient: false, cause: root))
        }
        because.append(id)
      }
      chain.append(
        Step(
          id: ids[key]!, because: because.sorted(), code: code, statement: explanation.statement,
          entity: explanation.entity, evidence: explanation.evidence))
      if let at = explanation.lastSymptomAt, at > answer.lastSymptomAt ?? at - .microseconds(1) {
        answer.lastSymptomAt = at
      }
    }
    for position in roots.indices {
      let root = roots[position].cause
      roots[position].sufficient = first.allSatisfy { isCured($0, by: root, []) }
    }
    answer.chain = chain
    answer.roots = roots

    for found in explained {
      for refuted in found.refuted
      where !answer.ruledOut.contains(where: { $0.code == refuted.code && $0.statement == refuted.statement }) {
        answer.ruledOut.append(refuted)
      }
      // Where a cause of this effect is proved, an open rival is told and decides nothing.
      let decides = found.isDeciding && found.holding.isEmpty
      for (code, gaps) in found.open { for gap in gaps { answer.add(gap, code, deciding: decides) } }
      for (code, explanation) in found.holding {
        for gap in explanation.notNeeded { answer.add(gap, code, deciding: false) }
      }
    }
    answer.checked = groups
  }

  /// Effects that nothing explains, though the answer hangs on them.
  var deadEnds: [Effect] { explained.filter { $0.isDeciding && $0.holding.isEmpty }.map(\.effect) }

  /// Whether a link could not be told for want of evidence.
  var isOpen: Bool { explained.contains { !$0.open.isEmpty } }

  private struct Key: Hashable {
    var effect: Int
    var holding: Int
  }

  private func depth(_ effect: Effect, _ path: Set<Effect> = []) -> Int {
    guard let at = index[effect], !path.contains(effect) else { return 0 }
    let below = explained[at].holding.map { holding in
      (holding.explanation.causes.map { depth($0.effect, path.union([effect])) }.max() ?? 0)
        + (holding.explanation.root == nil ? 0 : 1)
    }
    return below.max().map { $0 + 1 } ?? 0
  }

  /// Whether an effect would go away with that root: all that holds behind it must.
  private func isCured(_ effect: Effect, by root: RootCause, _ path: Set<Effect>) -> Bool {
    guard let at = index[effect], !path.contains(effect) else { return false }
    let holding = explained[at].holding
    // While a rival is open, nobody can promise that this one alone is enough.
    return !holding.isEmpty && explained[at].open.isEmpty
      && holding.allSatisfy { _, explanation in
        if let own = explanation.root, own.code == root.code, own.entity == root.entity { return true }
        return explanation.causes.contains { isCured($0.effect, by: root, path.union([effect])) }
      }
  }
}

extension Answer {
  mutating func add(_ gap: Gap, _ code: String, deciding: Bool) {
    if let at = gaps.firstIndex(where: { $0.gap.read == gap.read && $0.gap.why == gap.why }) {
      if !gaps[at].unlocks.contains(code) { gaps[at].unlocks.append(code) }
      gaps[at].isDeciding = gaps[at].isDeciding || deciding
    } else {
      gaps.append(AnswerGap(gap: gap, unlocks: [code], isDeciding: deciding))
    }
  }
}
