/// Go's `time.Parse` of the layout `20060102T150405Z`, with its error texts.
package enum GoTime {
  package static let amzLayout = "20060102T150405Z"

  package static func parseAmz(_ text: String) throws(GoError) -> Timestamp {
    var rest = Array(text.utf8)[...]
    func fault(_ element: String, _ at: ArraySlice<UInt8>) -> GoError {
      GoError(
        "parsing time \(GoText.quote(text)) as \(GoText.quote(amzLayout)): cannot parse "
          + "\(GoText.quote(String(decoding: at, as: UTF8.self))) as \(GoText.quote(element))")
    }
    func digits(_ count: Int) -> Int? {
      guard rest.count >= count, rest.prefix(count).allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
      return rest.prefix(count).reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
    func outOfRange(_ what: String) -> GoError { GoError("parsing time \(GoText.quote(text)): \(what) out of range") }

    guard let year = digits(4) else { throw fault("2006", rest) }
    rest = rest.dropFirst(4)
    guard let month = digits(2) else { throw fault("01", rest) }
    rest = rest.dropFirst(2)
    guard (1...12).contains(month) else { throw outOfRange("month") }
    guard let day = digits(2) else { throw fault("02", rest) }
    rest = rest.dropFirst(2)
    guard rest.first == UInt8(ascii: "T") else { throw fault("T", rest) }
    rest = rest.dropFirst()
    guard let one = digits(1) else { throw fault("15", rest) }
    let hour = digits(2) ?? one
    rest = rest.dropFirst(digits(2) == nil ? 1 : 2)
    guard hour < 24 else { throw outOfRange("hour") }
    guard let minute = digits(2) else { throw fault("04", rest) }
    rest = rest.dropFirst(2)
    guard minute < 60 else { throw outOfRange("minute") }
    guard let second = digits(2) else { throw fault("05", rest) }
    rest = rest.dropFirst(2)
    guard second < 60 else { throw outOfRange("second") }
    if rest.count >= 2, rest.first == UInt8(ascii: ".") || rest.first == UInt8(ascii: ","), digitAt(rest, 1) {
      rest = rest.dropFirst(2).drop { (0x30...0x39).contains($0) }
    }
    guard rest.first == UInt8(ascii: "Z") else { throw fault("Z", rest) }
    rest = rest.dropFirst()
    guard rest.isEmpty else {
      throw GoError(
        "parsing time \(GoText.quote(text)): extra text: \(GoText.quote(String(decoding: rest, as: UTF8.self)))")
    }
    guard
      let time = Timestamp(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    else { throw outOfRange("day") }
    return time
  }

  private static func digitAt(_ bytes: ArraySlice<UInt8>, _ offset: Int) -> Bool {
    (0x30...0x39).contains(bytes[bytes.startIndex + offset])
  }
}
