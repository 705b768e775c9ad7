/// A regular expression of a service model, matched against a whole text as Java's `matches` does.
///
/// Knows what the models use: classes, groups, alternatives, greedy and lazy repetition, look-ahead, anchors.
/// Time is bounded by the size of program times text: a pair of instruction and position is tried once.
package struct AWSPattern: Sendable {
  indirect enum Node: Sendable {
    case set(CharacterSet)
    case sequence([Node])
    case alternatives([Node])
    case repeated(Node, min: Int, max: Int?)
    case lookahead(Node, negative: Bool)
    case start
    case end
    case wordBoundary(negated: Bool)
  }

  private enum Instruction: Sendable {
    /// A run of `min...max` characters of a set.
    case run(CharacterSet, min: Int, max: Int)
    case split(Int, Int)
    case jump(Int)
    /// The sub-program that follows must match here, or must not; then goes on at `next`.
    case look(next: Int, negative: Bool)
    case start
    case end
    case wordBoundary(negated: Bool)
    case accept
  }

  private var program: [Instruction] = []

  /// Larger programs are refused, larger texts are taken as matching: the length limits refuse those.
  private static let programLimit = 4000
  private static let workLimit = 16_000_000

  /// Nil when the expression uses something that is not known here.
  package init?(_ text: String) {
    var parser = AWSPatternParser(text)
    guard let node = parser.parse(), emit(node) else { return nil }
    program.append(.accept)
  }

  package func matches(_ text: String) -> Bool {
    let characters = Array(text.unicodeScalars)
    guard program.count * (characters.count + 1) <= AWSPattern.workLimit else { return true }
    return run(from: 0, at: 0...0, characters, whole: true)
  }

  /// Whether some part of the text matches.
  package func isFound(in text: String) -> Bool {
    let characters = Array(text.unicodeScalars)
    guard program.count * (characters.count + 1) <= AWSPattern.workLimit else { return true }
    return run(from: 0, at: 0...characters.count, characters, whole: false)
  }

  private mutating func emit(_ node: Node) -> Bool {
    guard program.count < AWSPattern.programLimit else { return false }
    switch node {
    case .set(let set): program.append(.run(set, min: 1, max: 1))
    case .start: program.append(.start)
    case .end: program.append(.end)
    case .wordBoundary(let negated): program.append(.wordBoundary(negated: negated))
    case .sequence(let nodes):
      for node in nodes { guard emit(node) else { return false } }
    case .alternatives(let nodes):
      var jumps: [Int] = []
      for (index, node) in nodes.enumerated() {
        let split = program.count
        if index < nodes.count - 1 { program.append(.split(0, 0)) }
        guard emit(node) else { return false }
        if index < nodes.count - 1 {
          jumps.append(program.count)
          program.append(.jump(0))
          program[split] = .split(split + 1, program.count)
        }
      }
      for jump in jumps { program[jump] = .jump(program.count) }
    case .repeated(.set(let set), let min, let max): program.append(.run(set, min: min, max: max ?? .max))
    case .repeated(let node, let min, let max):
      for _ in 0..<min { guard emit(node) else { return false } }
      if let max {
        var splits: [Int] = []
        for _ in min..<Swift.max(min, max) {
          splits.append(program.count)
          program.append(.split(0, 0))
          guard emit(node) else { return false }
        }
        for split in splits { program[split] = .split(split + 1, program.count) }
      } else {
        let split = program.count
        program.append(.split(0, 0))
        guard emit(node) else { return false }
        program.append(.jump(split))
        program[split] = .split(split + 1, program.count)
      }
    case .lookahead(let node, let negative):
      let look = program.count
      program.append(.look(next: 0, negative: negative))
      guard emit(node) else { return false }
      program.append(.accept)
      program[look] = .look(next: program.count, negative: negative)
    }
    return program.count < AWSPattern.programLimit
  }

  private func run(from start: Int, at positions: ClosedRange<Int>, _ text: [Unicode.Scalar], whole: Bool) -> Bool {
    let width = text.count + 1
    var tried = [Bool](repeating: false, count: program.count * width)
    var pending = positions.map { (start, $0) }
    func push(_ instruction: Int, _ position: Int) {
      let index = instruction * width + position
      guard !tried[index] else { return }
      tried[index] = true
      pending.append((instruction, position))
    }
    while let (instruction, position) = pending.popLast() {
      switch program[instruction] {
      case .accept:
        if !whole || position == text.count { return true }
      case .run(let set, let min, let max):
        var end = position
        while end < text.count, end - position < max, set.contains(text[end]) { end += 1 }
        guard end - position >= min else { continue }
        for next in (position + min)...end { push(instruction + 1, next) }
      case .split(let first, let second):
        push(second, position)
        push(first, position)
      case .jump(let target): push(target, position)
      case .look(let next, let negative):
        if run(from: instruction + 1, at: position...position, text, whole: false) != negative { push(next, position) }
      case .start: if position == 0 { push(instruction + 1, position) }
      case .end: if position == text.count { push(instruction + 1, position) }
      case .wordBoundary(let negated):
        let before = position > 0 && AWSPattern.isWord(text[position - 1])
        let after = position < text.count && AWSPattern.isWord(text[position])
        if (before != after) != negated { push(instruction + 1, position) }
      }
    }
    return false
  }

  private static func isWord(_ character: Unicode.Scalar) -> Bool {
    switch character {
    case "a"..."z", "A"..."Z", "0"..."9", "_": true
    default: false
    }
  }

  /// A class of characters.
  struct CharacterSet: Sendable {
    enum Part: Sendable {
      case range(UInt32, UInt32)
      case letter, mark, number, separator, punctuation, symbol, control
      case nested(CharacterSet)
    }

    var parts: [Part] = []
    var negated = false

    func contains(_ character: Unicode.Scalar) -> Bool {
      for part in parts where CharacterSet.contains(part, character) { return !negated }
      return negated
    }

    private static func contains(_ part: Part, _ character: Unicode.Scalar) -> Bool {
      if case .range(let low, let high) = part { return low <= character.value && character.value <= high }
      if case .nested(let set) = part { return set.contains(character) }
      switch (part, character.properties.generalCategory) {
      case (.letter, .uppercaseLetter), (.letter, .lowercaseLetter), (.letter, .titlecaseLetter),
        (.letter, .modifierLetter), (.letter, .otherLetter), (.mark, .nonspacingMark), (.mark, .spacingMark),
        (.mark, .enclosingMark), (.number, .decimalNumber), (.number, .letterNumber), (.number, .otherNumber),
        (.separator, .spaceSeparator), (.separator, .lineSeparator), (.separator, .paragraphSeparator),
        (.punctuation, .connectorPunctuation), (.punctuation, .dashPunctuation), (.punctuation, .openPunctuation),
        (.punctuation, .closePunctuation), (.punctuation, .initialPunctuation), (.punctuation, .finalPunctuation),
        (.punctuation, .otherPunctuation), (.symbol, .mathSymbol), (.symbol, .currencySymbol),
        (.symbol, .modifierSymbol), (.symbol, .otherSymbol), (.control, .control), (.control, .format),
        (.control, .surrogate), (.control, .privateUse), (.control, .unassigned):
        return true
      default: return false
      }
    }
  }
}
