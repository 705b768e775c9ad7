package import Wire

/// The types of records that are asked for here.
package enum DNSType: String, Codable, Sendable, CaseIterable {
  case a = "A"
  case aaaa = "AAAA"
  case cname = "CNAME"
  case srv = "SRV"
  case ptr = "PTR"
  case txt = "TXT"
  case ns = "NS"
  case soa = "SOA"
  case mx = "MX"
  case any = "ANY"

  package init?(name: String) { self.init(rawValue: name.uppercased()) }
}

/// What a server says of a question as a whole, by RFC 1035's codes.
package enum DNSCode: String, Codable, Sendable {
  case noError = "NOERROR"
  case serverFailure = "SERVFAIL"
  case nameError = "NXDOMAIN"
  case notImplemented = "NOTIMP"
  case refused = "REFUSED"

  package var number: Int {
    switch self {
    case .noError: 0
    case .serverFailure: 2
    case .nameError: 3
    case .notImplemented: 4
    case .refused: 5
    }
  }
}

/// Names as they are compared: lower case, without the dot at the end; the root is empty.
package enum DNSName {
  package static let limit = 253

  package static func canonical(_ name: String) -> String {
    let lower = name.lowercased()
    return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
  }

  package static func labels(_ name: String) -> [String] {
    let name = canonical(name)
    return name.isEmpty ? [] : name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
  }

  /// Whether a name is a zone's own or lies below it. Both canonical.
  package static func isWithin(_ name: String, _ zone: String) -> Bool {
    zone.isEmpty || name == zone || (name.hasSuffix(zone) && name.dropLast(zone.utf8.count).hasSuffix("."))
  }

  /// The longest of the zones that holds a name.
  package static func zone(of name: String, among zones: [String]) -> String? {
    zones.filter { isWithin(name, $0) }.max { $0.utf8.count < $1.utf8.count }
  }

  /// A name that can be asked for: labels of 1 to 63 bytes, 253 at most in all.
  package static func isValid(_ name: String) -> Bool {
    let name = canonical(name)
    if name.isEmpty { return true }
    return name.utf8.count <= limit && labels(name).allSatisfy { (1...63).contains($0.utf8.count) }
  }

  package static func count(dotsIn name: String) -> Int { name.utf8.count { $0 == 0x2e } }

  /// `23.1.0.10.in-addr.arpa`.
  package static func reverse(of address: IPv4Address) -> String {
    address.description.split(separator: ".").reversed().joined(separator: ".") + ".in-addr.arpa"
  }

  /// The address that a name of the reverse zone stands for.
  package static func address(reversed name: String) -> IPv4Address? {
    let suffix = ".in-addr.arpa"
    guard name.hasSuffix(suffix) else { return nil }
    let parts = name.dropLast(suffix.utf8.count).split(separator: ".")
    return parts.count == 4 ? IPv4Address(parts.reversed().joined(separator: ".")) : nil
  }
}

/// What is asked of a server.
package struct DNSQuestion: Hashable, Codable, Sendable {
  /// Canonical.
  package var name: String
  package var type: DNSType

  package init(_ name: String, _ type: DNSType) {
    self.name = DNSName.canonical(name)
    self.type = type
  }

  package var text: String { "\(type.rawValue) \(name.isEmpty ? "." : name + ".")" }
}

package struct DNSRecord: Hashable, Codable, Sendable {
  /// Canonical.
  package var name: String
  package var type: DNSType
  package var seconds: Int
  /// As a zone file has it; names in it are canonical.
  package var data: String

  package init(_ name: String, _ type: DNSType, _ seconds: Int, _ data: String) {
    self.name = name
    self.type = type
    self.seconds = seconds
    self.data = data
  }
}

/// A server's answer.
package struct DNSReply: Hashable, Codable, Sendable {
  package var code: DNSCode
  package var isAuthoritative: Bool
  package var answers: [DNSRecord]
  package var authority: [DNSRecord]
  package var additional: [DNSRecord]

  package init(
    _ code: DNSCode = .noError, authoritative: Bool = false, answers: [DNSRecord] = [], authority: [DNSRecord] = [],
    additional: [DNSRecord] = []
  ) {
    self.code = code
    isAuthoritative = authoritative
    self.answers = answers
    self.authority = authority
    self.additional = additional
  }

  /// The addresses of that family, in order.
  package func addresses(_ type: DNSType) -> [String] { answers.filter { $0.type == type }.map(\.data) }

  /// How long the answer may be kept: the shortest of its records; of a denial, the SOA's minimum (RFC 2308).
  package var seconds: Int? {
    if !answers.isEmpty { return answers.map(\.seconds).min() }
    guard let soa = authority.first(where: { $0.type == .soa }) else { return nil }
    let minimum = soa.data.split(separator: " ").last.flatMap { Int($0) } ?? soa.seconds
    return min(soa.seconds, minimum)
  }

  /// The same with its times shortened by what has passed, or set.
  package func aged(_ change: (Int) -> Int) -> DNSReply {
    var copy = self
    for index in copy.answers.indices { copy.answers[index].seconds = change(copy.answers[index].seconds) }
    for index in copy.authority.indices { copy.authority[index].seconds = change(copy.authority[index].seconds) }
    for index in copy.additional.indices { copy.additional[index].seconds = change(copy.additional[index].seconds) }
    return copy
  }
}
