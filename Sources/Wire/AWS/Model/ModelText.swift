import CGenerated

/// A service model as embedded in the binary, by lines. The bytes are constant and live as long as the process.
struct ModelText: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer

  init(index: Int) {
    bytes = UnsafeRawBufferPointer(start: ekswhy_aws_model(index), count: ekswhy_aws_model_size(index))
  }

  static var count: Int { ekswhy_aws_model_count() }

  /// The offsets at which lines start.
  func lineStarts(count: Int) -> [UInt32] {
    [UInt32](unsafeUninitializedCapacity: count) { room, filled in
      let found = ekswhy_line_starts(
        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, room.baseAddress, count)
      precondition(found == count, "a service model has \(found) lines where \(count) were told")
      filled = found
    }
  }

  func line(at start: Int) -> ModelLine { ModelLine(bytes: bytes, at: start) }
}

/// The fields of a line, parted by tabs.
struct ModelLine {
  private let bytes: UnsafeRawBufferPointer
  private var at: Int
  private var ended = false

  init(bytes: UnsafeRawBufferPointer, at: Int) {
    self.bytes = bytes
    self.at = at
  }

  /// The next field; nil at the end of the line.
  mutating func next() -> ModelField? {
    guard !ended else { return nil }
    let start = at
    while at < bytes.count, bytes[at] != 0x09, bytes[at] != 0x0a { at += 1 }
    ended = at >= bytes.count || bytes[at] == 0x0a
    defer { at += 1 }
    return ModelField(bytes: bytes, start: start, end: at)
  }
}

/// A field of a line, or a word of a field.
struct ModelField {
  let bytes: UnsafeRawBufferPointer
  let start: Int
  let end: Int

  var isEmpty: Bool { start == end }
  var first: UInt8 { isEmpty ? 0 : bytes[start] }
  var text: String { String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self) }

  /// The number, or nil where there is none, as in `-`.
  var number: Int? {
    guard !isEmpty else { return nil }
    var value = 0
    for at in start..<end {
      guard (0x30...0x39).contains(bytes[at]) else { return nil }
      value = value * 10 + Int(bytes[at] - 0x30)
    }
    return value
  }

  /// The parts between occurrences of a byte.
  func split(_ separator: UInt8) -> [ModelField] {
    var parts: [ModelField] = []
    var from = start
    for at in start..<end where bytes[at] == separator {
      parts.append(ModelField(bytes: bytes, start: from, end: at))
      from = at + 1
    }
    parts.append(ModelField(bytes: bytes, start: from, end: end))
    return parts
  }

  /// `key=value` without the `skip` leading bytes; the value of a bare key is empty.
  func pair(skip: Int) -> (key: String, value: String) {
    var equals = start + skip
    while equals < end, bytes[equals] != UInt8(ascii: "=") { equals += 1 }
    let key = ModelField(bytes: bytes, start: start + skip, end: equals)
    let value = ModelField(bytes: bytes, start: min(equals + 1, end), end: end)
    return (key.text, value.text)
  }

  /// Order of the bytes against a text.
  func isBefore(_ other: String) -> Bool {
    UnsafeRawBufferPointer(rebasing: bytes[start..<end]).lexicographicallyPrecedes(other.utf8)
  }

  func equals(_ other: String) -> Bool {
    UnsafeRawBufferPointer(rebasing: bytes[start..<end]).elementsEqual(other.utf8)
  }
}
