/// A DEFLATE stream that comes in pieces, each of which ends at a block's end (RFC 1951), as the header blocks of a
/// SPDY connection do.
package struct Inflate: Sendable {
  package struct Failure: Error, Equatable {
    package var message: String

    init(_ message: String) { self.message = message }
  }

  /// What is looked back at: the dictionary at first, then what came out.
  private var window: [UInt8]
  private var isOver = false
  private static let windowSize = 32 << 10

  package init(dictionary: [UInt8] = []) { window = dictionary }

  /// What a piece comes to; no more than `limit` bytes.
  package mutating func read(_ bytes: ArraySlice<UInt8>, limit: Int) throws(Failure) -> [UInt8] {
    guard !isOver else { throw Failure("data after the last block") }
    var bits = BitReader(bytes)
    var out = window
    let start = out.count
    repeat {
      let isLast = try bits.take(1) == 1
      switch try bits.take(2) {
      case 0: try stored(&bits, &out, start + limit)
      case 1: try coded(&bits, &out, start + limit, Code.fixedLengths, Code.fixedDistances)
      case 2:
        let (lengths, distances) = try codes(&bits)
        try coded(&bits, &out, start + limit, lengths, distances)
      default: throw Failure("invalid block type")
      }
      if isLast {
        isOver = true
        break
      }
    } while bits.hasMore
    window = Array(out.suffix(Self.windowSize))
    return Array(out[start...])
  }

  private func stored(_ bits: inout BitReader, _ out: inout [UInt8], _ end: Int) throws(Failure) {
    let head = try bits.bytes(4)
    let length = Int(head[0]) | Int(head[1]) << 8
    guard length ^ 0xffff == Int(head[2]) | Int(head[3]) << 8 else { throw Failure("invalid stored block lengths") }
    guard out.count + length <= end else { throw Failure("too much data") }
    out += try bits.bytes(length)
  }

  private func coded(
    _ bits: inout BitReader, _ out: inout [UInt8], _ end: Int, _ lengths: Code, _ distances: Code
  ) throws(Failure) {
    while true {
      let symbol = try lengths.next(&bits)
      if symbol == 256 { return }
      if symbol < 256 {
        guard out.count < end else { throw Failure("too much data") }
        out.append(UInt8(symbol))
        continue
      }
      let at = symbol - 257
      guard at < Self.lengthBase.count else { throw Failure("invalid length code") }
      let length = Self.lengthBase[at] + (try bits.take(Self.lengthExtra[at]))
      let code = try distances.next(&bits)
      guard code < Self.distanceBase.count else { throw Failure("invalid distance code") }
      let distance = Self.distanceBase[code] + (try bits.take(Self.distanceExtra[code]))
      guard distance <= out.count else { throw Failure("invalid distance too far back") }
      guard out.count + length <= end else { throw Failure("too much data") }
      for _ in 0..<length { out.append(out[out.count - distance]) }
    }
  }

  private static let lengthBase = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
  ]
  private static let lengthExtra = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
  ]
  private static let distanceBase = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
    8193, 12289, 16385, 24577,
  ]
  private static let distanceExtra = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
  ]
  private static let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

  /// The codes that a dynamic block tells first.
  private func codes(_ bits: inout BitReader) throws(Failure) -> (Code, Code) {
    let count = try bits.take(5) + 257
    let distanceCount = try bits.take(5) + 1
    let lengthCount = try bits.take(4) + 4
    guard count <= 286, distanceCount <= 30 else { throw Failure("too many length or distance symbols") }
    var own = [Int](repeating: 0, count: 19)
    for index in 0..<lengthCount { own[Self.lengthOrder[index]] = try bits.take(3) }
    let code = Code(own)
    var lengths: [Int] = []
    while lengths.count < count + distanceCount {
      let symbol = try code.next(&bits)
      var (value, times) = (symbol, 1)
      switch symbol {
      case 0...15: break
      case 16:
        guard let last = lengths.last else { throw Failure("invalid bit length repeat") }
        (value, times) = (last, 3 + (try bits.take(2)))
      case 17: (value, times) = (0, 3 + (try bits.take(3)))
      default: (value, times) = (0, 11 + (try bits.take(7)))
      }
      guard lengths.count + times <= count + distanceCount else { throw Failure("invalid bit length repeat") }
      lengths += [Int](repeating: value, count: times)
    }
    return (Code(Array(lengths[..<count])), Code(Array(lengths[count...])))
  }

  /// A canonical Huffman code.
  private struct Code: Sendable {
    private var counts = [Int](repeating: 0, count: 16)
    private var symbols: [Int] = []

    init(_ lengths: [Int]) {
      for length in 1...15 {
        for symbol in lengths.indices where lengths[symbol] == length {
          counts[length] += 1
          symbols.append(symbol)
        }
      }
    }

    func next(_ bits: inout BitReader) throws(Failure) -> Int {
      var (code, first, index) = (0, 0, 0)
      for length in 1...15 {
        code |= try bits.take(1)
        let count = counts[length]
        if code - first < count { return symbols[index + code - first] }
        index += count
        first = (first + count) << 1
        code <<= 1
      }
      throw Failure("invalid code")
    }

    static let fixedLengths = Code(
      [Int](repeating: 8, count: 144) + [Int](repeating: 9, count: 112) + [Int](repeating: 7, count: 24)
        + [Int](repeating: 8, count: 8))
    static let fixedDistances = Code([Int](repeating: 5, count: 30))
  }

  private struct BitReader {
    private let input: ArraySlice<UInt8>
    private var at: Int
    private var held = 0
    private var count = 0

    init(_ input: ArraySlice<UInt8>) {
      self.input = input
      at = input.startIndex
    }

    var hasMore: Bool { at < input.endIndex }

    mutating func take(_ wanted: Int) throws(Failure) -> Int {
      while count < wanted {
        guard at < input.endIndex else { throw Failure("unexpected end of data") }
        held |= Int(input[at]) << count
        at += 1
        count += 8
      }
      defer {
        held >>= wanted
        count -= wanted
      }
      return held & (1 << wanted - 1)
    }

    /// Whole bytes from the next byte's beginning on.
    mutating func bytes(_ wanted: Int) throws(Failure) -> ArraySlice<UInt8> {
      held = 0
      count = 0
      guard wanted <= input.endIndex - at else { throw Failure("unexpected end of data") }
      defer { at += wanted }
      let part = input[at..<at + wanted]
      return Array(part)[...]
    }
  }
}
