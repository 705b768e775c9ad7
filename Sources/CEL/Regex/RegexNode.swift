/// A regular expression's tree.
indirect enum RegexNode: Sendable {
  case empty
  case set(ScalarSet)
  case sequence([RegexNode])
  case either([RegexNode])
  case many(RegexNode, least: Int, most: Int?, isGreedy: Bool)
  case assertion(RegexAssertion)
}

enum RegexAssertion: Sendable {
  case textStart, textEnd, lineStart, lineEnd, wordEdge, notWordEdge
}

/// A set of code points.
struct ScalarSet: Sendable {
  var ranges: [ClosedRange<UInt32>] = []
  var categories: [(name: String, isNegated: Bool)] = []
  var isNegated = false

  static func one(_ scalar: Unicode.Scalar) -> ScalarSet { ScalarSet(ranges: [scalar.value...scalar.value]) }

  func contains(_ scalar: Unicode.Scalar) -> Bool {
    var isIn = ranges.contains { $0.contains(scalar.value) }
    if !isIn { isIn = categories.contains { Category.has(scalar, $0.name) != $0.isNegated } }
    return isIn != isNegated
  }

  /// With the other case of every letter of ASCII, and of those few letters beyond that have one.
  var foldingCase: ScalarSet {
    var set = self
    for range in ranges {
      for (low, high, shift) in [(0x41 as UInt32, 0x5a as UInt32, 32 as Int32), (0x61, 0x7a, -32)] {
        let from = max(range.lowerBound, low)
        let to = min(range.upperBound, high)
        if from <= to {
          set.ranges.append(UInt32(Int32(from) + shift)...UInt32(Int32(to) + shift))
        }
      }
      if range.count == 1, range.lowerBound > 127, let scalar = Unicode.Scalar(range.lowerBound) {
        for text in [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping] {
          let scalars = Array(text.unicodeScalars)
          if scalars.count == 1 { set.ranges.append(scalars[0].value...scalars[0].value) }
        }
      }
    }
    return set
  }

  static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
  static let words: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a]
  static let blanks: [ClosedRange<UInt32>] = [0x09...0x0a, 0x0c...0x0d, 0x20...0x20]

  /// All but those ranges.
  static func others(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in ranges {
      if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
      next = range.upperBound + 1
    }
    result.append(next...0x10ffff)
    return result
  }

  static let named: [String: [ClosedRange<UInt32>]] = [
    "alnum": [0x30...0x39, 0x41...0x5a, 0x61...0x7a], "alpha": [0x41...0x5a, 0x61...0x7a], "ascii": [0...0x7f],
    "blank": [0x09...0x09, 0x20...0x20], "cntrl": [0...0x1f, 0x7f...0x7f], "digit": digits, "graph": [0x21...0x7e],
    "lower": [0x61...0x7a], "print": [0x20...0x7e], "punct": [0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e],
    "space": [0x09...0x0d, 0x20...0x20], "upper": [0x41...0x5a], "word": words,
    "xdigit": [0x30...0x39, 0x41...0x46, 0x61...0x66],
  ]

  /// General categories of Unicode.
  enum Category {
    static let names: Set<String> = [
      "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe",
      "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cs", "Any",
    ]

    static func has(_ scalar: Unicode.Scalar, _ name: String) -> Bool {
      name == "Any" || short(scalar).hasPrefix(name)
    }

    private static func short(_ scalar: Unicode.Scalar) -> String {
      switch scalar.properties.generalCategory {
      case .uppercaseLetter: "Lu"
      case .lowercaseLetter: "Ll"
      case .titlecaseLetter: "Lt"
      case .modifierLetter: "Lm"
      case .otherLetter: "Lo"
      case .nonspacingMark: "Mn"
      case .spacingMark: "Mc"
      case .enclosingMark: "Me"
      case .decimalNumber: "Nd"
      case .letterNumber: "Nl"
      case .otherNumber: "No"
      case .connectorPunctuation: "Pc"
      case .dashPunctuation: "Pd"
      case .openPunctuation: "Ps"
      case .closePunctuation: "Pe"
      case .initialPunctuation: "Pi"
      case .finalPunctuation: "Pf"
      case .otherPunctuation: "Po"
      case .mathSymbol: "Sm"
      case .currencySymbol: "Sc"
      case .modifierSymbol: "Sk"
      case .otherSymbol: "So"
      case .spaceSeparator: "Zs"
      case .lineSeparator: "Zl"
      case .paragraphSeparator: "Zp"
      case .control: "Cc"
      case .format: "Cf"
      case .privateUse: "Co"
      case .surrogate: "Cs"
      case .unassigned: "Cn"
      @unknown default: "Cn"
      }
    }
  }
}
