/// Writes the fields of a protobuf message, in the order in which they are given.
struct ProtobufWriter {
  private(set) var bytes: [UInt8] = []

  private mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  private mutating func key(_ field: Int, _ wire: UInt64) { varint(UInt64(field) << 3 | wire) }

  /// A message or a text as its bytes.
  mutating func put(_ field: Int, _ data: some Collection<UInt8>) {
    key(field, 2)
    varint(UInt64(data.count))
    bytes += data
  }

  /// A text; an empty one is left out.
  mutating func put(_ field: Int, _ text: String?) {
    guard let text, !text.isEmpty else { return }
    put(field, text.utf8)
  }

  mutating func put(_ field: Int, _ texts: [String]) { for text in texts { put(field, text.utf8) } }

  mutating func put(_ field: Int, _ value: Bool?) {
    guard value == true else { return }
    key(field, 0)
    varint(1)
  }

  mutating func put(_ field: Int, _ value: Int?) {
    guard let value, value != 0 else { return }
    key(field, 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func put(_ field: Int, _ value: Double?) {
    guard let value, value != 0 else { return }
    key(field, 1)
    let bits = value.bitPattern
    for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
  }

  // MARK: What is written even when it has the zero value

  mutating func text(_ field: Int, _ text: String) { put(field, text.utf8) }

  mutating func varint(_ field: Int, _ value: UInt64) {
    key(field, 0)
    varint(value)
  }

  mutating func fixed64(_ field: Int, _ bits: UInt64) {
    key(field, 1)
    for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
  }
}
