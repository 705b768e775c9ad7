/// An element of an XML text: what AWS answers are made of. Prefixes are dropped from names.
package struct XMLElement: Sendable, Equatable {
  package var name: String
  package var attributes: [(name: String, value: String)] = []
  package var children: [XMLElement] = []
  /// The text directly inside.
  package var text = ""

  package init(name: String) { self.name = name }

  package static func == (a: XMLElement, b: XMLElement) -> Bool {
    a.name == b.name && a.text == b.text && a.children == b.children
      && a.attributes.elementsEqual(b.attributes) { $0 == $1 }
  }

  package func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }
  package func attribute(_ name: String) -> String? { attributes.first { $0.name == name }?.value }

  /// Parses a text; nil when it isn't well-formed, goes deeper than 100 elements or has a document type.
  package static func parse(_ bytes: [UInt8]) -> XMLElement? {
    var parser = XMLParser(bytes: bytes)
    return parser.document()
  }
}

/// A strict reader of the XML that AWS services and their clients write: elements, attributes, text, CDATA,
/// comments, the five entities and character references.
private struct XMLParser {
  let bytes: [UInt8]
  var at = 0

  static let depthLimit = 100
  static let elementLimit = 1_000_000
  var elements = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func document() -> XMLElement? {
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { at = 3 }
    guard misc(), let root = element(depth: 0), misc(), at == bytes.count else { return nil }
    return root
  }

  private func starts(_ word: StaticString) -> Bool {
    guard at + word.utf8CodeUnitCount <= bytes.count else { return false }
    for index in 0..<word.utf8CodeUnitCount where bytes[at + index] != word.utf8Start[index] { return false }
    return true
  }

  private mutating func skip(past word: StaticString) -> Bool {
    while at < bytes.count {
      if starts(word) {
        at += word.utf8CodeUnitCount
        return true
      }
      at += 1
    }
    return false
  }

  private mutating func space() {
    while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09 { at += 1 }
  }

  /// Declaration, comments and space around the root.
  private mutating func misc() -> Bool {
    while true {
      space()
      if starts("<?") {
        guard skip(past: "?>") else { return false }
      } else if starts("<!--") {
        guard skip(past: "-->") else { return false }
      } else {
        return true
      }
    }
  }

  private mutating func name() -> String? {
    var start = at
    while at < bytes.count {
      switch bytes[at] {
      case 0x3a: start = at + 1
      case 0x2d, 0x2e, 0x30...0x39, 0x41...0x5a, 0x5f, 0x61...0x7a, 0x80...0xff: break
      default: return start < at ? String(decoding: bytes[start..<at], as: UTF8.self) : nil
      }
      at += 1
    }
    return nil
  }

  private mutating func rawName() -> ArraySlice<UInt8> {
    let start = at
    while at < bytes.count {
      switch bytes[at] {
      case 0x3a, 0x2d, 0x2e, 0x30...0x39, 0x41...0x5a, 0x5f, 0x61...0x7a, 0x80...0xff: at += 1
      default: return bytes[start..<at]
      }
    }
    return bytes[start..<at]
  }

  private mutating func element(depth: Int) -> XMLElement? {
    elements += 1
    guard depth < XMLParser.depthLimit, elements <= XMLParser.elementLimit, at < bytes.count, bytes[at] == 0x3c
    else { return nil }
    at += 1
    let nameStart = at
    guard let name = name() else { return nil }
    let tag = bytes[nameStart..<at]
    var element = XMLElement(name: name)
    while true {
      space()
      guard at < bytes.count else { return nil }
      if bytes[at] == 0x3e {
        at += 1
        break
      }
      if starts("/>") {
        at += 2
        return element
      }
      let key = String(decoding: rawName(), as: UTF8.self)
      guard !key.isEmpty, element.attributes.count < 100 else { return nil }
      space()
      guard at < bytes.count, bytes[at] == 0x3d else { return nil }
      at += 1
      space()
      guard at < bytes.count, bytes[at] == 0x22 || bytes[at] == 0x27 else { return nil }
      let quote = bytes[at]
      at += 1
      var value: [UInt8] = []
      while at < bytes.count, bytes[at] != quote {
        guard bytes[at] != 0x3c, character(into: &value) else { return nil }
      }
      guard at < bytes.count else { return nil }
      at += 1
      element.attributes.append((key, String(decoding: value, as: UTF8.self)))
    }
    var text: [UInt8] = []
    while true {
      guard at < bytes.count else { return nil }
      if bytes[at] != 0x3c {
        guard character(into: &text) else { return nil }
      } else if starts("</") {
        at += 2
        guard rawName() == tag else { return nil }
        space()
        guard at < bytes.count, bytes[at] == 0x3e else { return nil }
        at += 1
        element.text = String(decoding: text, as: UTF8.self)
        return element
      } else if starts("<!--") {
        guard skip(past: "-->") else { return nil }
      } else if starts("<![CDATA[") {
        at += 9
        let start = at
        guard skip(past: "]]>") else { return nil }
        text.append(contentsOf: bytes[start..<at - 3])
      } else if starts("<?") {
        guard skip(past: "?>") else { return nil }
      } else {
        guard let child = self.element(depth: depth + 1) else { return nil }
        element.children.append(child)
      }
    }
  }

  /// One character of text or an attribute, references resolved.
  private mutating func character(into out: inout [UInt8]) -> Bool {
    guard bytes[at] == 0x26 else {
      out.append(bytes[at])
      at += 1
      return true
    }
    let known: [(StaticString, UInt8)] = [
      ("&lt;", 0x3c), ("&gt;", 0x3e), ("&amp;", 0x26), ("&quot;", 0x22), ("&apos;", 0x27),
    ]
    for (entity, byte) in known where starts(entity) {
      out.append(byte)
      at += entity.utf8CodeUnitCount
      return true
    }
    guard starts("&#") else { return false }
    at += 2
    let isHex = at < bytes.count && bytes[at] == 0x78
    if isHex { at += 1 }
    let start = at
    while at < bytes.count, at - start < 8, bytes[at] != 0x3b { at += 1 }
    guard at < bytes.count, bytes[at] == 0x3b,
      let value = UInt32(String(decoding: bytes[start..<at], as: UTF8.self), radix: isHex ? 16 : 10),
      let scalar = Unicode.Scalar(value)
    else { return false }
    at += 1
    out.append(contentsOf: String(Character(scalar)).utf8)
    return true
  }
}
