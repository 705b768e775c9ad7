/// A pattern as file names and `case` have them: `*`, `?`, `[a-z]`.
struct ShellPattern: Sendable {
  private enum Piece: Sendable {
    case letter(Character)
    case one
    case many
    case set([ClosedRange<Character>], isNegated: Bool)
  }

  private var pieces: [Piece] = []
  /// Whether anything in it is more than a letter.
  private(set) var isActive = false

  /// Quoted runs stand for their letters.
  init(_ runs: [(text: String, isQuoted: Bool)]) {
    for run in runs {
      if run.isQuoted {
        pieces += run.text.map { .letter($0) }
      } else {
        parse(Array(run.text))
      }
    }
  }

  init(_ text: String) { self.init([(text: text, isQuoted: false)]) }

  private mutating func parse(_ letters: [Character]) {
    var at = 0
    while at < letters.count {
      switch letters[at] {
      case "*":
        isActive = true
        if case .many? = pieces.last {} else { pieces.append(.many) }
      case "?":
        isActive = true
        pieces.append(.one)
      case "[":
        if let (set, isNegated, end) = Self.set(letters, at) {
          isActive = true
          pieces.append(.set(set, isNegated: isNegated))
          at = end
        } else {
          pieces.append(.letter("["))
        }
      case "\\" where at + 1 < letters.count:
        at += 1
        pieces.append(.letter(letters[at]))
      case let letter: pieces.append(.letter(letter))
      }
      at += 1
    }
  }

  /// The set that begins at `[`, and where its `]` stands.
  static func set(_ letters: [Character], _ start: Int) -> ([ClosedRange<Character>], Bool, Int)? {
    var at = start + 1
    var isNegated = false
    if at < letters.count, letters[at] == "!" || letters[at] == "^" {
      isNegated = true
      at += 1
    }
    var ranges: [ClosedRange<Character>] = []
    var isFirst = true
    while at < letters.count {
      if letters[at] == "]", !isFirst { return (ranges, isNegated, at) }
      isFirst = false
      if letters[at] == "[", at + 1 < letters.count, letters[at + 1] == ":",
        let end = (at + 2..<letters.count).first(where: {
          letters[$0] == ":" && $0 + 1 < letters.count && letters[$0 + 1] == "]"
        })
      {
        ranges += classes[String(letters[(at + 2)..<end])] ?? []
        at = end + 2
        continue
      }
      if at + 2 < letters.count, letters[at + 1] == "-", letters[at + 2] != "]", letters[at] <= letters[at + 2] {
        ranges.append(letters[at]...letters[at + 2])
        at += 3
      } else {
        ranges.append(letters[at]...letters[at])
        at += 1
      }
    }
    return nil
  }

  static let classes: [String: [ClosedRange<Character>]] = [
    "alpha": ["A"..."Z", "a"..."z"], "digit": ["0"..."9"], "alnum": ["0"..."9", "A"..."Z", "a"..."z"],
    "upper": ["A"..."Z"], "lower": ["a"..."z"], "space": [" "..." ", "\t"..."\r"], "blank": [" "..." ", "\t"..."\t"],
    "xdigit": ["0"..."9", "A"..."F", "a"..."f"],
    "punct": ["!"..."/", ":"..."@", "["..."`", "{"..."~"], "print": [" "..."~"], "graph": ["!"..."~"],
  ]

  func matches(_ text: some StringProtocol) -> Bool { matches(Array(text)[...]) }

  /// Goes back to the last star only, so that its cost is the product of the lengths at most.
  func matches(_ letters: ArraySlice<Character>) -> Bool {
    var at = letters.startIndex
    var piece = 0
    var star: (piece: Int, at: Int)?
    while at < letters.endIndex {
      if piece < pieces.count {
        if case .many = pieces[piece] {
          star = (piece, at)
          piece += 1
          continue
        }
        if accepts(pieces[piece], letters[at]) {
          piece += 1
          at += 1
          continue
        }
      }
      guard let last = star else { return false }
      piece = last.piece + 1
      at = last.at + 1
      star = (last.piece, at)
    }
    while piece < pieces.count {
      guard case .many = pieces[piece] else { return false }
      piece += 1
    }
    return true
  }

  private func accepts(_ piece: Piece, _ letter: Character) -> Bool {
    switch piece {
    case .letter(let wanted): wanted == letter
    case .one, .many: true
    case .set(let ranges, let isNegated): ranges.contains { $0.contains(letter) } != isNegated
    }
  }

  /// Whether it begins with a dot of its own, as names do that `*` leaves out.
  var namesHidden: Bool { if case .letter(".")? = pieces.first { true } else { false } }
}
