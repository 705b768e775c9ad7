import Mechanisms
import Wire

/// The names in a certificate request (PKCS #10), read from the PEM in `spec.request`.
enum CertificateRequest {
  /// Nil for what is no such request.
  static func subject(ofCSR csr: JSON) -> KubeletCSR.Subject? {
    guard let pem = csr["spec"]["request"].string.flatMap({ Base64.decode($0) }) else { return nil }
    let lines = String(decoding: pem, as: UTF8.self).split(whereSeparator: \.isNewline)
      .drop { !$0.hasPrefix("-----BEGIN") }.dropFirst().prefix { !$0.hasPrefix("-----END") }
    guard let der = Base64.decode(lines.joined()), let request = parts(der[...]).first,
      let info = parts(request.content).first
    else { return nil }
    // Version, subject, public key, attributes.
    let fields = parts(info.content)
    guard fields.count >= 3 else { return nil }
    var subject = KubeletCSR.Subject(commonName: "", organizations: [])
    for set in parts(fields[1].content) {
      for attribute in parts(set.content).map({ parts($0.content) }) where attribute.count == 2 {
        let text = String(decoding: attribute[1].content, as: UTF8.self)
        switch Array(attribute[0].content) {
        case [0x55, 0x04, 0x03]: subject.commonName = text
        case [0x55, 0x04, 0x0A]: subject.organizations.append(text)
        default: continue
        }
      }
    }
    if fields.count > 3 { read(attributes: fields[3].content, &subject) }
    return subject
  }

  private struct Part {
    var tag: UInt8
    var content: ArraySlice<UInt8>
  }

  /// The elements that stand one after the other; those before a broken one.
  private static func parts(_ bytes: ArraySlice<UInt8>) -> [Part] {
    var found: [Part] = []
    var rest = bytes
    while rest.count >= 2 {
      let tag = rest.removeFirst()
      var length = Int(rest.removeFirst())
      if length >= 0x80 {
        let count = length & 0x7F
        guard count > 0, count <= 4, rest.count >= count else { return found }
        length = rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(count)
      }
      guard rest.count >= length else { return found }
      found.append(Part(tag: tag, content: rest.prefix(length)))
      rest = rest.dropFirst(length)
    }
    return found
  }

  /// Of the attributes the wanted extensions, of those the subject's other names.
  private static func read(attributes: ArraySlice<UInt8>, _ subject: inout KubeletCSR.Subject) {
    let wanted: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x0E]
    for attribute in parts(attributes).map({ parts($0.content) })
    where attribute.count == 2 && Array(attribute[0].content) == wanted {
      for extensions in parts(attribute[1].content) {
        for one in parts(extensions.content).map({ parts($0.content) }) {
          guard let first = one.first, Array(first.content) == [0x55, 0x1D, 0x11], let value = one.last,
            let names = parts(value.content).first
          else { continue }
          for name in parts(names.content) { read(name, &subject) }
        }
      }
    }
  }

  private static func read(_ name: Part, _ subject: inout KubeletCSR.Subject) {
    let text = String(decoding: name.content, as: UTF8.self)
    switch name.tag {
    case 0x81: subject.emails.append(text)
    case 0x82: subject.dnsNames.append(text)
    case 0x86: subject.uris.append(text)
    case 0x87 where name.content.count == 4:
      subject.addresses.append(name.content.map(String.init).joined(separator: "."))
    default: return
    }
  }
}
