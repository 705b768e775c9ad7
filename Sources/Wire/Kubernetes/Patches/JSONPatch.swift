/// A JSON patch of RFC 6902, as `evanphx/json-patch` v4 applies it.
package struct JSONPatch: Sendable {
  package enum Operator: String, Sendable { case add, remove, replace, move, copy, test }

  package struct Operation: Sendable {
    package var op: Operator
    package var path: String
    package var from: String
    package var value: JSON
  }

  package struct Failure: Error, Equatable, CustomStringConvertible {
    package var description: String
  }

  package var operations: [Operation]

  package static let operationLimit = 10_000
  /// What all copies together may add, in bytes.
  private static let copyLimit = 3 * 1024 * 1024

  /// Reads the operations; throws the 400, or 413 past the limit of operations.
  package init(_ json: JSON) throws(KubeStatus) {
    guard let array = json.array else {
      throw .badRequest("json: cannot unmarshal \(json.goKind) into Go value of type jsonpatch.Patch")
    }
    guard array.count <= JSONPatch.operationLimit else {
      throw .tooLargeBody(
        "The allowed maximum operations in a JSON patch is \(JSONPatch.operationLimit), got \(array.count)")
    }
    operations = []
    for element in array {
      guard element.object != nil else {
        throw .badRequest("json: cannot unmarshal \(element.goKind) into Go value of type jsonpatch.Operation")
      }
      guard let op = Operator(rawValue: element["op"].string ?? "") else { throw KubeStatus.unprocessable }
      operations.append(
        Operation(
          op: op, path: element["path"].string ?? "", from: element["from"].string ?? "", value: element["value"]))
    }
  }

  /// The patched document. Upstream's answer to a failure is ``KubeStatus/unprocessable``, whatever the text.
  package func apply(to document: JSON) throws(Failure) -> JSON {
    var document = document
    var copied = 0
    for operation in operations {
      let path = try JSONPatch.pointer(operation.path)
      switch operation.op {
      case .add: try JSONPatch.add(operation.value, at: path, to: &document, operation.path)
      case .remove: _ = try JSONPatch.remove(path, from: &document, operation.path)
      case .replace:
        guard JSONPatch.find(path[...], in: document) != nil else {
          throw Failure(description: "replace operation does not apply: doc is missing key: \(operation.path)")
        }
        try JSONPatch.replace(operation.value, at: path[...], in: &document)
      case .move:
        let value = try JSONPatch.remove(JSONPatch.pointer(operation.from), from: &document, operation.from)
        try JSONPatch.add(value, at: path, to: &document, operation.path)
      case .copy:
        guard let value = JSONPatch.find(try JSONPatch.pointer(operation.from)[...], in: document) else {
          throw Failure(description: "copy operation does not apply: doc is missing from path: \(operation.from)")
        }
        copied += value.bytes().count
        guard copied <= JSONPatch.copyLimit else {
          throw Failure(description: "Unable to copy, the accumulated size increase of copy is \(copied)")
        }
        try JSONPatch.add(value, at: path, to: &document, operation.path)
      case .test:
        // A missing place equals null.
        guard (JSONPatch.find(path[...], in: document) ?? .null) == operation.value else {
          throw Failure(description: "testing value \(operation.path) failed")
        }
      }
    }
    return document
  }

  // MARK: Pointers

  private static func pointer(_ text: String) throws(Failure) -> [String] {
    if text.isEmpty { return [] }
    guard text.hasPrefix("/") else { throw Failure(description: "invalid JSON pointer: \(text)") }
    return text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { part in
      guard part.contains("~") else { return String(part) }
      var out: [UInt8] = []
      var bytes = Array(part.utf8)[...]
      while let byte = bytes.popFirst() {
        if byte == UInt8(ascii: "~"), let next = bytes.first, next == 0x30 || next == 0x31 {
          bytes.removeFirst()
          out.append(next == 0x30 ? UInt8(ascii: "~") : UInt8(ascii: "/"))
        } else {
          out.append(byte)
        }
      }
      return String(decoding: out, as: UTF8.self)
    }
  }

  /// An index into an array of that size; negative ones count from the end.
  private static func index(_ key: String, _ count: Int) -> Int? {
    guard let index = Int(key) else { return nil }
    let place = index < 0 ? index + count : index
    return place >= 0 && place < count ? place : nil
  }

  private static func find(_ path: ArraySlice<String>, in document: JSON) -> JSON? {
    var value = document
    for key in path {
      switch value {
      case .object(let object):
        guard object.has(key) else { return nil }
        value = object[key]
      case .array(let array):
        guard let index = index(key, array.count) else { return nil }
        value = array[index]
      default: return nil
      }
    }
    return value
  }

  private static func replace(_ new: JSON, at path: ArraySlice<String>, in document: inout JSON) throws(Failure) {
    try change(path, in: &document) { place in
      place = new
      return true
    }
  }

  /// Calls `body` on the place; nothing happens where there is none.
  private static func change(
    _ path: ArraySlice<String>, in document: inout JSON, _ body: (inout JSON) -> Bool
  ) throws(Failure) {
    guard let key = path.first else {
      _ = body(&document)
      return
    }
    switch document {
    case .object(var object):
      guard let at = object.index(of: key) else { throw Failure(description: "missing value: \(key)") }
      document = .null
      defer { document = .object(object) }
      try change(path.dropFirst(), in: &object.fields[at].value, body)
    case .array(var array):
      guard let at = index(key, array.count) else { throw Failure(description: "invalid index: \(key)") }
      document = .null
      defer { document = .array(array) }
      try change(path.dropFirst(), in: &array[at], body)
    default: throw Failure(description: "missing value: \(key)")
    }
  }

  private static func add(_ value: JSON, at path: [String], to document: inout JSON, _ text: String) throws(Failure) {
    guard let key = path.last else {
      document = value
      return
    }
    var fault: Failure?
    let missing = Failure(description: "add operation does not apply: doc is missing path: \(GoText.quote(text))")
    guard find(path.dropLast(), in: document) != nil else { throw missing }
    try change(path.dropLast(), in: &document) { container in
      switch container {
      case .object(var object):
        container = .null
        if let at = object.index(of: key) { object.fields[at].value = value } else { object.append(key, value) }
        container = .object(object)
      case .array(var array):
        let at = key == "-" ? array.count : Int(key).map { $0 < 0 ? $0 + array.count + 1 : $0 } ?? -1
        guard (0...array.count).contains(at) else {
          fault = Failure(description: "Unable to access invalid index: \(key)")
          return false
        }
        container = .null
        array.insert(value, at: at)
        container = .array(array)
      default: fault = missing
      }
      return true
    }
    if let fault { throw fault }
  }

  private static func remove(_ path: [String], from document: inout JSON, _ text: String) throws(Failure) -> JSON {
    guard let key = path.last, let old = find(path[...], in: document) else {
      throw Failure(
        description: "remove operation does not apply: doc is missing path: \(GoText.quote(text))")
    }
    try change(path.dropLast(), in: &document) { container in
      switch container {
      case .object(var object):
        container = .null
        object.remove(key)
        container = .object(object)
      case .array(var array):
        guard let at = index(key, array.count) else { return false }
        container = .null
        array.remove(at: at)
        container = .array(array)
      default: break
      }
      return true
    }
    return old
  }
}

extension KubeStatus {
  /// The 422 of a patch that does not apply; upstream does not tell why.
  package static let unprocessable = KubeStatus(
    code: 422, reason: "Invalid", message: "the server rejected our request due to an error in our request",
    details: Details())
}

extension JSON {
  /// What Go's decoder calls the value.
  var goKind: String {
    switch self {
    case .null: "null"
    case .bool: "bool"
    case .int, .double: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }
}
