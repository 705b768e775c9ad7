/// A type of a service model. Shapes may refer to themselves; those of a service live as long as the process.
///
/// Filled in under its model's lock before any other thread sees it, and never changed after.
package final class AWSShape: @unchecked Sendable {
  package enum Kind: UInt8, Sendable {
    case structure, list, map, string, integer, long, double, float, boolean, timestamp, blob
  }

  package enum TimestampFormat: String, Sendable {
    case iso8601, rfc822
    case unix = "unixTimestamp"
  }

  /// The name, of errors only.
  package internal(set) var name = ""
  package let kind: Kind
  package internal(set) var members: [AWSMember] = []
  /// Least and greatest length or value.
  package internal(set) var min: Double?
  package internal(set) var max: Double?
  package internal(set) var pattern: String?
  /// The values of an enumeration; empty for any other string.
  package internal(set) var values: [String] = []
  package internal(set) var flattened = false
  package internal(set) var isUnion = false
  package internal(set) var isSecret = false
  package internal(set) var timestampFormat: TimestampFormat?
  /// The member that is the whole body.
  package internal(set) var payload: String?
  package internal(set) var locationName: String?
  package internal(set) var xmlNamespace: String?
  /// For errors: code and HTTP status on the wire.
  package internal(set) var errorCode: String?
  package internal(set) var errorStatus: Int?
  package internal(set) var isFault = false
  /// Some member is not in the body.
  var hasHTTPMembers = false

  private var indexByName: [String: Int] = [:]
  private var indexByWireName: [String: Int] = [:]
  package internal(set) var compiledPattern: AWSPattern?

  init(kind: Kind) { self.kind = kind }

  package func member(_ name: String) -> AWSMember? { indexByName[name].map { members[$0] } }
  func member(wireName: String) -> AWSMember? { indexByWireName[wireName].map { members[$0] } }

  /// The element of a list.
  package var element: AWSMember { members[0] }
  /// The key and value of a map.
  package var key: AWSMember { members[0] }
  package var value: AWSMember { members[1] }

  func finish() {
    if kind == .structure {
      for (index, member) in members.enumerated() {
        indexByName[member.name] = index
        if member.location == .body { indexByWireName[member.wireName] = index } else { hasHTTPMembers = true }
      }
    }
    if let pattern { compiledPattern = AWSPattern(pattern) }
  }
}

/// A member of a structure, or the element, key or value of a collection.
package struct AWSMember: Sendable {
  package enum Location: UInt8, Sendable { case body, uri, queryString, header, headers, statusCode }

  package let name: String
  package let shape: AWSShape
  package internal(set) var required = false
  package internal(set) var location = Location.body
  /// The name that the model gives on the wire, where it differs.
  package internal(set) var locationName: String?
  package internal(set) var queryName: String?
  package internal(set) var flattened = false
  package internal(set) var xmlAttribute = false
  package internal(set) var idempotencyToken = false
  package internal(set) var streaming = false
  package internal(set) var xmlNamespace: String?
  package internal(set) var timestampFormat: AWSShape.TimestampFormat?

  init(name: String, shape: AWSShape) {
    self.name = name
    self.shape = shape
  }

  package var wireName: String { locationName ?? name }
  /// The name in EC2's query: the model's own, else the wire's with a capital.
  var ec2Name: String { queryName ?? locationName.map(\.capitalizedFirst) ?? name }
}

extension String {
  var capitalizedFirst: String {
    guard let first = utf8.first, (0x61...0x7a).contains(first) else { return self }
    return String(UnicodeScalar(first - 0x20)) + dropFirst()
  }

  var decapitalizedFirst: String {
    guard let first = utf8.first, (0x41...0x5a).contains(first) else { return self }
    return String(UnicodeScalar(first + 0x20)) + dropFirst()
  }
}
