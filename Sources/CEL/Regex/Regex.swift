/// A regular expression with the meaning of RE2: leftmost, then first alternative; time is bounded by the product of
/// its size and the text's.
struct Regex: Sendable {
  private enum Instruction: Sendable {
    case set(ScalarSet)
    /// Goes on at both, the first before the second.
    case split(Int, Int)
    case jump(Int)
    case assertion(RegexAssertion)
    case accept
  }

  private var program: [Instruction] = []
  private static let programLimit = 20_000

  /// Nil when it is none.
  init?(_ text: String) {
    guard let node = try? RegexParser.parse(text), emit(node) else { return nil }
    program.append(.accept)
  }

  /// Why a text is no regular expression.
  static func fault(_ text: String) -> String {
    do throws(RegexParser.Fault) {
      _ = try RegexParser.parse(text)
      return "error parsing regexp: expression too large"
    } catch {
      return "error parsing regexp: \(error.text)"
    }
  }

  private mutating func emit(_ node: RegexNode) -> Bool {
    guard program.count < Regex.programLimit else { return false }
    switch node {
    case .empty: break
    case .set(let set): program.append(.set(set))
    case .assertion(let assertion): program.append(.assertion(assertion))
    case .sequence(let nodes): for node in nodes { guard emit(node) else { return false } }
    case .either(let nodes):
      var ends: [Int] = []
      for (index, node) in nodes.enumerated() {
        guard index < nodes.count - 1 else {
          guard emit(node) else { return false }
          break
        }
        let split = program.count
        program.append(.split(split + 1, 0))
        guard emit(node) else { return false }
        ends.append(program.count)
        program.append(.jump(0))
        program[split] = .split(split + 1, program.count)
      }
      for end in ends { program[end] = .jump(program.count) }
    case .many(let inner, let least, let most, let isGreedy):
      for _ in 0..<least { guard emit(inner) else { return false } }
      if let most {
        var splits: [Int] = []
        for _ in least..<max(most, least) {
          splits.append(program.count)
          program.append(.split(0, 0))
          guard emit(inner) else { return false }
        }
        for split in splits {
          program[split] = isGreedy ? .split(split + 1, program.count) : .split(program.count, split + 1)
        }
      } else {
        let split = program.count
        program.append(.split(0, 0))
        guard emit(inner) else { return false }
        program.append(.jump(split))
        program[split] = isGreedy ? .split(split + 1, program.count) : .split(program.count, split + 1)
      }
    }
    return program.count < Regex.programLimit
  }

  // MARK: Matching

  private struct Thread {
    var place: Int
    var start: Int
  }

  /// The threads that wait for one position, in order of preference, each place once.
  private struct Threads {
    var list: [Thread] = []
    var seen: [Int]

    init(_ count: Int) { seen = [Int](repeating: -1, count: count) }
  }

  func isFound(in text: String) -> Bool { match(Array(text.unicodeScalars), from: 0, stopsAtOnce: true) != nil }

  func first(in text: String) -> String? {
    let scalars = Array(text.unicodeScalars)
    return match(scalars, from: 0).map { String(of: scalars[$0]) }
  }

  func all(in text: String, limit: Int) -> [String] {
    let scalars = Array(text.unicodeScalars)
    var found: [String] = []
    var at = 0
    var lastEnd = -1
    while at <= scalars.count, limit < 0 || found.count < limit {
      guard let range = match(scalars, from: at) else { break }
      // An empty match right after another one is none.
      if !range.isEmpty || range.lowerBound != lastEnd { found.append(String(of: scalars[range])) }
      lastEnd = range.upperBound
      at = range.isEmpty ? range.upperBound + 1 : range.upperBound
    }
    return found
  }

  private func match(_ text: [Unicode.Scalar], from start: Int, stopsAtOnce: Bool = false) -> Range<Int>? {
    var current = Threads(program.count)
    var next = Threads(program.count)
    var best: Range<Int>?
    var at = start
    while at <= text.count {
      if best == nil { add(0, start: at, at, text, &current) }
      if current.list.isEmpty, best != nil { break }
      for thread in current.list {
        switch program[thread.place] {
        case .accept:
          best = thread.start..<at
          if stopsAtOnce { return best }
        case .set(let set):
          if at < text.count, set.contains(text[at]) { add(thread.place + 1, start: thread.start, at + 1, text, &next) }
          continue
        default: continue
        }
        // Later threads are of less preference.
        break
      }
      swap(&current, &next)
      next.list.removeAll(keepingCapacity: true)
      at += 1
    }
    return best
  }

  /// Follows what takes no character; with a stack of its own, as programs may be long.
  private func add(_ place: Int, start: Int, _ at: Int, _ text: [Unicode.Scalar], _ threads: inout Threads) {
    var stack = [place]
    while let place = stack.popLast() {
      guard threads.seen[place] != at else { continue }
      threads.seen[place] = at
      switch program[place] {
      case .jump(let target): stack.append(target)
      case .split(let first, let second):
        stack.append(second)
        stack.append(first)
      case .assertion(let assertion): if holds(assertion, at, text) { stack.append(place + 1) }
      case .set, .accept: threads.list.append(Thread(place: place, start: start))
      }
    }
  }

  private func holds(_ assertion: RegexAssertion, _ at: Int, _ text: [Unicode.Scalar]) -> Bool {
    func isWord(_ index: Int) -> Bool {
      text.indices.contains(index) && (text[index].isLetter || text[index].isDigit)
    }
    return switch assertion {
    case .textStart: at == 0
    case .textEnd: at == text.count
    case .lineStart: at == 0 || text[at - 1] == "\n"
    case .lineEnd: at == text.count || text[at] == "\n"
    case .wordEdge: isWord(at - 1) != isWord(at)
    case .notWordEdge: isWord(at - 1) == isWord(at)
    }
  }
}
