/// The CBOR (RFC 8949) that smithy's RPC protocol puts around the values of a model.
enum CBOR {
  private static let depthLimit = 100

  // MARK: Writing

  /// A canonical value; members that the model doesn't have are left out.
  static func write(_ value: JSON, _ shape: AWSShape, into out: inout [UInt8]) {
    switch shape.kind {
    case .structure:
      let fields = value.fields.compactMap { field in
        field.value.isNull ? nil : shape.member(field.key).map { ($0, field.value) }
      }
      head(5, UInt64(fields.count), into: &out)
      for (member, inner) in fields {
        text(member.wireName, into: &out)
        write(inner, member.shape, into: &out)
      }
    case .list:
      head(4, UInt64(value.items.count), into: &out)
      for item in value.items { write(item, shape.element.shape, into: &out) }
    case .map:
      head(5, UInt64(value.fields.count), into: &out)
      for field in value.fields {
        text(field.key, into: &out)
        write(field.value, shape.value.shape, into: &out)
      }
    case .string: text(value.string ?? "", into: &out)
    case .blob:
      let bytes = Base64.decode(value.string ?? "") ?? []
      head(2, UInt64(bytes.count), into: &out)
      out.append(contentsOf: bytes)
    case .boolean: out.append(value.bool == true ? 0xf5 : 0xf4)
    case .integer, .long: integer(Int64(value.int ?? 0), into: &out)
    case .double, .float: double(value.double ?? 0, into: &out)
    case .timestamp:
      out.append(0xc1)
      let seconds = AWSText.timestamp(value).map(AWSText.seconds) ?? 0
      if let whole = seconds.int { integer(Int64(whole), into: &out) } else { double(seconds.double ?? 0, into: &out) }
    }
  }

  static func text(_ text: String, into out: inout [UInt8]) {
    head(3, UInt64(text.utf8.count), into: &out)
    out.append(contentsOf: text.utf8)
  }

  static func map(_ fields: [(String, String)]) -> [UInt8] {
    var out: [UInt8] = []
    head(5, UInt64(fields.count), into: &out)
    for (key, value) in fields {
      text(key, into: &out)
      text(value, into: &out)
    }
    return out
  }

  private static func integer(_ value: Int64, into out: inout [UInt8]) {
    if value < 0 { head(1, UInt64(-1 - value), into: &out) } else { head(0, UInt64(value), into: &out) }
  }

  private static func double(_ value: Double, into out: inout [UInt8]) {
    out.append(0xfb)
    bytes(value.bitPattern, 8, into: &out)
  }

  private static func head(_ major: UInt8, _ value: UInt64, into out: inout [UInt8]) {
    let (info, count): (UInt8, Int) =
      switch value {
      case 0..<24: (UInt8(value), 0)
      case 24..<0x100: (24, 1)
      case 0x100..<0x1_0000: (25, 2)
      case 0x1_0000..<0x1_0000_0000: (26, 4)
      default: (27, 8)
      }
    out.append(major << 5 | info)
    bytes(value, count, into: &out)
  }

  private static func bytes(_ value: UInt64, _ count: Int, into out: inout [UInt8]) {
    for index in (0..<count).reversed() { out.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8))) }
  }

  // MARK: Reading

  /// The value as JSON would have it, byte strings in base64, times in seconds; nil when it isn't well-formed.
  static func read(_ bytes: [UInt8]) -> JSON? {
    var reader = Reader(bytes: bytes)
    guard let value = reader.value(depth: 0), reader.at == bytes.count else { return nil }
    return value
  }

  private struct Reader {
    let bytes: [UInt8]
    var at = 0

    mutating func value(depth: Int) -> JSON? {
      guard depth < CBOR.depthLimit, at < bytes.count else { return nil }
      let major = bytes[at] >> 5
      let info = bytes[at] & 31
      at += 1
      if major == 7 { return simple(info) }
      var count: UInt64?
      if info != 31 {
        guard let found = argument(info) else { return nil }
        count = found
      }
      switch major {
      case 0: return count.flatMap { Int64(exactly: $0) }.map { .int($0) }
      case 1: return count.flatMap { Int64(exactly: $0) }.map { .int(-1 - $0) }
      case 2: return string(count, major: 2).map { .string(Base64.encode($0)) }
      case 3: return string(count, major: 3).map { .string(String(decoding: $0, as: UTF8.self)) }
      case 4: return list(count, depth: depth)
      case 5: return map(count, depth: depth)
      // A tag says how to take what follows; a time is the number of its seconds.
      default: return count == nil ? nil : value(depth: depth + 1)
      }
    }

    private mutating func argument(_ info: UInt8) -> UInt64? {
      switch info {
      case 0..<24: return UInt64(info)
      case 24: return take(1)
      case 25: return take(2)
      case 26: return take(4)
      case 27: return take(8)
      default: return nil
      }
    }

    private mutating func take(_ count: Int) -> UInt64? {
      guard at + count <= bytes.count else { return nil }
      var value: UInt64 = 0
      for index in at..<at + count { value = value << 8 | UInt64(bytes[index]) }
      at += count
      return value
    }

    private mutating func simple(_ info: UInt8) -> JSON? {
      switch info {
      case 20: return false
      case 21: return true
      case 22, 23: return .null
      case 25: return take(2).flatMap { number(Double(Float16(bitPattern: UInt16($0)))) }
      case 26: return take(4).flatMap { number(Double(Float(bitPattern: UInt32($0)))) }
      case 27: return take(8).flatMap { number(Double(bitPattern: $0)) }
      default: return nil
      }
    }

    private func number(_ value: Double) -> JSON? { value.isFinite ? .double(value) : nil }

    private mutating func string(_ count: UInt64?, major: UInt8) -> [UInt8]? {
      if let count {
        guard count <= UInt64(bytes.count - at) else { return nil }
        defer { at += Int(count) }
        return Array(bytes[at..<at + Int(count)])
      }
      // Pieces up to a break.
      var out: [UInt8] = []
      while at < bytes.count {
        if bytes[at] == 0xff {
          at += 1
          return out
        }
        guard bytes[at] >> 5 == major, bytes[at] & 31 != 31 else { return nil }
        let info = bytes[at] & 31
        at += 1
        guard let count = argument(info), let piece = string(count, major: major) else { return nil }
        out += piece
      }
      return nil
    }

    /// Whether another element follows, of `count` or up to a break.
    private mutating func goesOn(_ seen: Int, _ count: UInt64?) -> Bool? {
      if let count { return UInt64(seen) < count }
      guard at < bytes.count else { return nil }
      guard bytes[at] == 0xff else { return true }
      at += 1
      return false
    }

    private mutating func list(_ count: UInt64?, depth: Int) -> JSON? {
      var out: [JSON] = []
      while let more = goesOn(out.count, count) {
        guard more else { return .array(out) }
        guard let element = value(depth: depth + 1) else { return nil }
        out.append(element)
      }
      return nil
    }

    private mutating func map(_ count: UInt64?, depth: Int) -> JSON? {
      var out = JSONObject()
      var seen = 0
      while let more = goesOn(seen, count) {
        guard more else { return .object(out) }
        guard case .string(let key)? = value(depth: depth + 1), let inner = value(depth: depth + 1) else { return nil }
        seen += 1
        out.append(key, inner)
      }
      return nil
    }
  }
}
