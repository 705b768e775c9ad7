/// Backslash escapes as `echo -e`, `printf` and `$'…'` have them.
enum Escapes {
  /// The bytes, and whether `\c` asked to write no more.
  static func interpret(_ text: [UInt8]) -> (bytes: [UInt8], stops: Bool) {
    var out: [UInt8] = []
    var at = 0
    while at < text.count {
      guard text[at] == 0x5c, at + 1 < text.count else {
        out.append(text[at])
        at += 1
        continue
      }
      at += 2
      switch text[at - 1] {
      case UInt8(ascii: "n"): out.append(0x0a)
      case UInt8(ascii: "t"): out.append(0x09)
      case UInt8(ascii: "r"): out.append(0x0d)
      case UInt8(ascii: "a"): out.append(0x07)
      case UInt8(ascii: "b"): out.append(0x08)
      case UInt8(ascii: "f"): out.append(0x0c)
      case UInt8(ascii: "v"): out.append(0x0b)
      case UInt8(ascii: "e"): out.append(0x1b)
      case 0x5c: out.append(0x5c)
      case 0x27: out.append(0x27)
      case 0x22: out.append(0x22)
      case UInt8(ascii: "c"): return (out, true)
      case UInt8(ascii: "x"): out.append(number(text, &at, base: 16, most: 2))
      case 0x30: out.append(number(text, &at, base: 8, most: 3))
      case 0x31...0x37:
        at -= 1
        out.append(number(text, &at, base: 8, most: 3))
      default: out += [0x5c, text[at - 1]]
      }
    }
    return (out, false)
  }

  private static func number(_ text: [UInt8], _ at: inout Int, base: Int, most: Int) -> UInt8 {
    var value = 0
    var count = 0
    while at < text.count, count < most, let digit = Character(UnicodeScalar(text[at])).hexDigitValue, digit < base {
      value = value * base + digit
      at += 1
      count += 1
    }
    return UInt8(truncatingIfNeeded: value)
  }
}
