/// XML bodies: the answers of query services, and both directions of rest-xml.
enum XMLCodec {
  struct Style {
    var ec2 = false
  }

  // MARK: Writing

  /// The elements of a structure's members, without an element around them.
  static func writeMembers(_ value: JSON, _ shape: AWSShape, ec2: Bool, into out: inout [UInt8]) {
    for field in value.fields where !field.value.isNull {
      guard let member = shape.member(field.key), member.location == .body, !member.xmlAttribute else { continue }
      write(
        field.value, member.shape, name: member.wireName, flattened: member.flattened || member.shape.flattened,
        format: member.timestampFormat, namespace: member.xmlNamespace, ec2: ec2, into: &out)
    }
  }

  /// An element of that name with the value in it; a flattened list writes one for each of its elements.
  static func write(
    _ value: JSON, _ shape: AWSShape, name: String, flattened: Bool, format: AWSShape.TimestampFormat? = nil,
    namespace: String? = nil, ec2: Bool, into out: inout [UInt8]
  ) {
    switch shape.kind {
    case .structure:
      var attributes: [(String, String)] = []
      for member in shape.members where member.xmlAttribute {
        guard let text = value[member.name].string else { continue }
        attributes.append((member.wireName, text))
      }
      open(name, namespace: namespace ?? shape.xmlNamespace, attributes, into: &out)
      writeMembers(value, shape, ec2: ec2, into: &out)
      close(name, into: &out)
    case .list:
      let element = shape.element
      if flattened {
        // EC2 has no flattened lists in answers; elsewhere the elements bear the list's own name.
        for item in value.items {
          write(
            item, element.shape, name: element.locationName ?? name, flattened: element.shape.flattened, ec2: ec2,
            into: &out)
        }
        return
      }
      open(name, namespace: namespace, into: &out)
      for item in value.items {
        write(
          item, element.shape, name: element.locationName ?? (ec2 ? "item" : "member"),
          flattened: element.shape.flattened, ec2: ec2, into: &out)
      }
      close(name, into: &out)
    case .map:
      if !flattened { open(name, namespace: namespace, into: &out) }
      for field in value.fields {
        open(flattened ? name : "entry", into: &out)
        element(shape.key.locationName ?? "key", field.key, into: &out)
        write(
          field.value, shape.value.shape, name: shape.value.locationName ?? "value",
          flattened: shape.value.shape.flattened, ec2: ec2, into: &out)
        close(flattened ? name : "entry", into: &out)
      }
      if !flattened { close(name, into: &out) }
    default:
      guard let text = AWSText.write(value, shape, format: format, ec2: ec2) else { return }
      open(name, namespace: namespace, into: &out)
      escape(text, into: &out)
      close(name, into: &out)
    }
  }

  static func element(_ name: String, _ text: String, into out: inout [UInt8]) {
    open(name, into: &out)
    escape(text, into: &out)
    close(name, into: &out)
  }

  static func open(
    _ name: String, namespace: String? = nil, _ attributes: [(String, String)] = [], into out: inout [UInt8]
  ) {
    out.append(0x3c)
    out.append(contentsOf: name.utf8)
    if let namespace, !namespace.isEmpty { attribute("xmlns", namespace, into: &out) }
    for (name, value) in attributes { attribute(name, value, into: &out) }
    out.append(0x3e)
  }

  private static func attribute(_ name: String, _ value: String, into out: inout [UInt8]) {
    out.append(0x20)
    out.append(contentsOf: name.utf8)
    out.append(contentsOf: [0x3d, 0x22])
    escape(value, into: &out)
    out.append(0x22)
  }

  static func close(_ name: String, into out: inout [UInt8]) {
    out.append(contentsOf: [0x3c, 0x2f])
    out.append(contentsOf: name.utf8)
    out.append(0x3e)
  }

  /// Text with what XML reserves escaped; control characters, which it can't hold, become U+FFFD.
  static func escape(_ text: String, into out: inout [UInt8]) {
    var text = text
    text.withUTF8 { bytes in
      var start = 0
      for index in bytes.indices {
        let byte = bytes[index]
        if byte >= 0x20, byte != 0x26, byte != 0x3c, byte != 0x3e, byte != 0x22 { continue }
        if byte == 0x0a || byte == 0x09 { continue }
        out.append(contentsOf: bytes[start..<index])
        start = index + 1
        switch byte {
        case 0x26: out.append(contentsOf: "&amp;".utf8)
        case 0x3c: out.append(contentsOf: "&lt;".utf8)
        case 0x3e: out.append(contentsOf: "&gt;".utf8)
        case 0x22: out.append(contentsOf: "&quot;".utf8)
        case 0x0d: out.append(contentsOf: "&#xD;".utf8)
        default: out.append(contentsOf: [0xef, 0xbf, 0xbd])
        }
      }
      out.append(contentsOf: bytes[start...])
    }
  }

  // MARK: Reading

  /// The canonical value of an element; nil for a scalar that is none of its type.
  static func read(_ element: XMLElement, _ shape: AWSShape) -> JSON? {
    switch shape.kind {
    case .structure:
      var out = JSONObject()
      for member in shape.members where member.location == .body {
        if member.xmlAttribute {
          let name = member.wireName
          if let text = element.attribute(name) { out.append(member.name, .string(text)) }
          continue
        }
        guard let value = readMember(element, member) else { continue }
        out.append(member.name, value)
      }
      return .object(out)
    case .list:
      let item = shape.element
      return .array(
        element.children.compactMap { child in
          guard item.locationName == nil || child.name == item.locationName || child.name == "member" else {
            return nil
          }
          return read(child, item.shape)
        })
    case .map: return readMap(element.children.filter { $0.name == "entry" }, shape)
    default: return AWSText.read(element.text, shape)
    }
  }

  private static func readMember(_ parent: XMLElement, _ member: AWSMember) -> JSON? {
    let shape = member.shape
    guard member.flattened || shape.flattened, shape.kind == .list || shape.kind == .map else {
      guard let child = parent.child(member.wireName) else { return nil }
      return read(child, shape)
    }
    let name = shape.kind == .list ? shape.element.locationName ?? member.wireName : member.wireName
    let children = parent.children.filter { $0.name == name || $0.name == member.wireName }
    guard !children.isEmpty else { return nil }
    if shape.kind == .map { return readMap(children, shape) }
    return .array(children.compactMap { read($0, shape.element.shape) })
  }

  private static func readMap(_ entries: [XMLElement], _ shape: AWSShape) -> JSON {
    var out = JSONObject()
    for entry in entries {
      guard let key = entry.child(shape.key.locationName ?? "key"),
        let place = entry.child(shape.value.locationName ?? "value"), let value = read(place, shape.value.shape)
      else { continue }
      out.remove(key.text)
      out.append(key.text, value)
    }
    return .object(out)
  }
}
