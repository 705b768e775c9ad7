package import Wire

extension AWSAuth {
  /// Reads the ConfigMap as the authenticator does: a key that is no YAML of the right form adds nothing,
  /// the other keys still count; nil stands for no ConfigMap.
  package init(configMap: JSON?, parseYAML: (String) throws -> JSON) {
    self.init()
    guard let data = configMap?["data"] else { return }
    for list in [AWSAuthItem.List.users, .roles] {
      guard let text = Self.text(data[list.rawValue]) else { continue }
      let parsed: JSON
      do { parsed = try parseYAML(text) } catch {
        faults.append("\(error)")
        continue
      }
      if parsed.isNull { continue }
      guard let items = parsed.array else {
        faults.append("json: cannot unmarshal \(GoJSON.kind(parsed)) into Go value of type []\(list.type)")
        continue
      }
      read(items, list)
    }
    guard let text = Self.text(data["mapAccounts"]) else { return }
    do { readAccounts(try parseYAML(Self.quotingNumbers(text)), text) } catch { faults.append("\(error)") }
  }

  /// The first thing that is of another type is told and left out, what stands around it counts.
  private mutating func read(_ items: [JSON], _ list: AWSAuthItem.List) {
    let read = items.map { AWSAuthItem($0, list) }
    if let fault = read.lazy.compactMap(\.typeFault).first { faults.append(fault) }
    for (index, item) in read.enumerated() {
      if let fault = item.fault {
        faults.append(fault)
        continue
      }
      let line = Line(list: list.rawValue, index: index, arn: item.arn, username: item.username, groups: item.groups)
      if list == .roles { roles.append(line) } else { users.append(line) }
    }
  }

  private mutating func readAccounts(_ parsed: JSON, _ text: String) {
    switch parsed {
    case .null: return
    case .array(let items):
      for item in items {
        guard item.array == nil, item.object == nil else {
          faults.append(
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!\(item.array == nil ? "map" : "seq") into string")
          continue
        }
        accounts.append(GoJSON.scalarText(item))
      }
    default:
      let tag = parsed.object != nil ? "map" : parsed.bool != nil ? "bool" : "str"
      var shown = parsed.object == nil ? " `\(text.trimmingASCIISpace)`" : ""
      if shown.utf8.count > 13 { shown = String(shown.prefix(9)) + "...`" }
      faults.append("yaml: unmarshal errors:\n  line 1: cannot unmarshal !!\(tag)\(shown) into []string")
    }
  }

  /// A key's text; nil where it stands for nothing.
  private static func text(_ value: JSON) -> String? {
    guard let text = value.string else { return nil }
    let trimmed = text.trimmingASCIISpace
    return ["", "``", "\"\"", "''"].contains(trimmed) ? nil : text
  }

  /// The text with whole numbers as strings: an account's number keeps the zeros it begins with.
  private static func quotingNumbers(_ text: String) -> String {
    var out: [UInt8] = []
    var quote: UInt8?
    var isComment = false
    let bytes = Array(text.utf8)
    var at = 0
    func isBorder(_ index: Int) -> Bool {
      guard bytes.indices.contains(index) else { return true }
      return [0x20, 0x09, 0x0a, 0x0d, 0x2c, 0x5b, 0x5d].contains(bytes[index])
    }
    while at < bytes.count {
      let byte = bytes[at]
      if quote == nil, !isComment, (0x30...0x39).contains(byte), isBorder(at - 1) {
        var end = at
        while end < bytes.count, (0x30...0x39).contains(bytes[end]) { end += 1 }
        let digits = bytes[at..<end]
        out += isBorder(end) ? [0x22] + digits + [0x22] : Array(digits)
        at = end
        continue
      }
      if byte == 0x0a {
        isComment = false
      } else if byte == 0x23, quote == nil, isBorder(at - 1) {
        isComment = true
      } else if let open = quote, open == byte {
        quote = nil
      } else if quote == nil, !isComment, byte == 0x22 || byte == 0x27, isBorder(at - 1) {
        quote = byte
      }
      out.append(byte)
      at += 1
    }
    return String(decoding: out, as: UTF8.self)
  }
}

extension StringProtocol {
  /// Without white space at its ends.
  package var trimmingASCIISpace: String {
    let space: (UInt8) -> Bool = { $0 == 32 || (9...13).contains($0) }
    var slice = Substring(self)
    while let first = slice.utf8.first, space(first) { slice = slice.dropFirst() }
    while let last = slice.utf8.last, space(last) { slice = slice.dropLast() }
    return String(slice)
  }
}
