/// A type of a service model. Shapes may refer to themselves; those of a service live as long as the process.
///
/// Filled in under its model's lock before any other thread sees it, and never changed after.
package final class AWSShape: @unchecked Sendable {
  package enum Kind: UInt8, Sendable {
    case structure, list, map, string, integer, long, double, float, boolean, timestamp, blob
  }

  package enum TimestampFormat: UInt8, Sendable { case iso8601, unix, rfc822 }

  package let name: String
  package let kind: Kind
  package internal(set) var members: [AWSMember] = []
  /// The element of a list.
  package internal(set) var element: AWSMember!
  /// The key and value of a map.
  package internal(set) var key: AWSMember!
  package internal(set) var value: AWSMember!

  /// Least and greatest length or value.
  package internal(set) var min: Double?
  package internal(set) var max: Double?
  package internal(set) var pattern: String?
  package internal(set) var values: [String] = []
  package internal(set) var flattened = false
  package internal(set) var isUnion = false
  package internal(set) var timestampFormat: TimestampFormat?
  /// The member that is the whole body.
  package internal(set) var payload: String?
  package internal(set) var locationName: String?
  package internal(set) var xmlNamespace: String?
  /// For errors: code and HTTP status on the wire.
  package internal(set) var errorCode: String?
  package internal(set) var errorStatus: Int?
  package internal(set) var isFault = false

  var memberIndex: [String: Int] = [:]
  var compiledPattern: AWSPattern?

  init(name: String, kind: Kind) {
    self.name = name
    self.kind = kind
  }

  package func member(_ name: String) -> AWSMember? { memberIndex[name].map { members[$0] } }
}

/// A member of a structure, or the element, key or value of a collection.
package struct AWSMember: Sendable {
  package enum Location: UInt8, Sendable { case body, uri, queryString, header, headers, statusCode }

  package let name: String
  package unowned(unsafe) let shape: AWSShape
  package internal(set) var required = false
  package internal(set) var location = Location.body
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

  /// The name on the wire where a format doesn't change it.
  package var wireName: String { locationName ?? name }
}
