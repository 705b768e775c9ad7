import Wire

/// Namespace (empty for cluster scope) and name.
struct ObjectKey: Hashable, Comparable {
  var namespace: String
  var name: String

  static func < (a: ObjectKey, b: ObjectKey) -> Bool {
    a.namespace == b.namespace ? a.name < b.name : a.namespace < b.namespace
  }
}

/// One version of an object as it is kept: its bytes, and its value once somebody asked. Never changes.
final class StoredObject {
  let key: ObjectKey
  let revision: Int
  /// As Go's encoder writes it, resourceVersion included.
  let bytes: [UInt8]
  private var parsed: JSON?

  init(key: ObjectKey, revision: Int, json: JSON) {
    self.key = key
    self.revision = revision
    bytes = json.bytes(.go)
    parsed = json
  }

  /// As it was kept under a revision that is known.
  init(key: ObjectKey, revision: Int, bytes: [UInt8]) {
    self.key = key
    self.revision = revision
    self.bytes = bytes
  }

  /// From the store; nil when the bytes are no object.
  init?(key: ObjectKey, bytes: [UInt8]) {
    guard let json = try? JSON.parse(bytes), let text = json["metadata"]["resourceVersion"].string,
      let revision = Int(text)
    else { return nil }
    self.key = key
    self.revision = revision
    self.bytes = bytes
  }

  var json: JSON {
    if let parsed { return parsed }
    guard let json = try? JSON.parse(bytes) else { preconditionFailure("a kept object cannot be read") }
    parsed = json
    return json
  }

  /// Forgets the value; it is parsed again when asked for.
  func dropValue() { parsed = nil }

  var uid: String { json["metadata"]["uid"].string ?? "" }
}

/// A change of an object, as watches see it.
struct ObjectChange {
  enum Kind: String {
    case added = "ADDED"
    case modified = "MODIFIED"
    case deleted = "DELETED"
  }

  var kind: Kind
  var revision: Int
  /// Its state after the change; of a deleted one the last, with the revision of the deletion.
  var object: StoredObject
  var previous: StoredObject?
}
