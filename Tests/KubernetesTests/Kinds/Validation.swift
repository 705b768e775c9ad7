import Wire

/// An object that is refused, and the causes that the answer tells.
struct Refused: CustomStringConvertible, Sendable {
  var name: String
  var path: String
  var object: JSON
  var causes: [String]
  var description: String { name }

  init(_ name: String, _ path: String, _ object: JSON, _ causes: [String]) {
    self.name = name
    self.path = path
    self.object = object
    self.causes = causes
  }
}

extension Bench.Reply {
  /// `field: message` of every cause.
  var causes: [String] {
    body["details"]["causes"].items.map { "\($0["field"].string ?? ""): \($0["message"].string ?? "")" }
  }
}

extension JSON {
  /// With a value put at a path of names and indexes.
  func with(_ value: JSON, _ path: String) -> JSON {
    var result = self
    result.put(value, path.split(separator: ".").map(String.init)[...])
    return result
  }

  private mutating func put(_ value: JSON, _ path: ArraySlice<String>) {
    guard let first = path.first else {
      self = value
      return
    }
    if let index = Int(first) {
      while items.count <= index { append(.emptyObject) }
      self[index].put(value, path.dropFirst())
    } else {
      self[first].put(value, path.dropFirst())
    }
  }
}
