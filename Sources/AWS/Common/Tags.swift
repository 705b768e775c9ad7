import Wire

/// Tags of a resource in the order in which they were given.
struct Tags: Codable, Sendable, Equatable {
  struct Tag: Codable, Sendable, Equatable {
    var key: String
    var value: String
  }

  private(set) var list: [Tag] = []

  init() {}
  init(_ pairs: KeyValuePairs<String, String>) { list = pairs.map { Tag(key: $0.key, value: $0.value) } }
  /// From a list of `{"Key": …, "Value": …}`.
  init(_ json: JSON) { add(json) }

  init(from decoder: any Decoder) throws { list = try decoder.singleValueContainer().decode([Tag].self) }
  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(list)
  }

  var isEmpty: Bool { list.isEmpty }

  subscript(key: String) -> String? {
    get { list.first { $0.key == key }?.value }
    set {
      let at = list.firstIndex { $0.key == key }
      if let newValue {
        if let at { list[at].value = newValue } else { list.append(Tag(key: key, value: newValue)) }
      } else if let at {
        list.remove(at: at)
      }
    }
  }

  mutating func add(_ json: JSON) {
    for tag in json.items { if let key = tag["Key"].string { self[key] = tag["Value"].string ?? "" } }
  }

  mutating func remove(keys: [String]) { for key in keys { self[key] = nil } }

  /// As a list of `{"Key": …, "Value": …}`; absent when there is none.
  var json: JSON {
    list.isEmpty ? .null : .array(list.map { ["Key": .string($0.key), "Value": .string($0.value)] })
  }
  /// The same, empty when there is none.
  var jsonOrEmpty: JSON { .array(list.map { ["Key": .string($0.key), "Value": .string($0.value)] }) }

  var map: [String: String] { Dictionary(list.map { ($0.key, $0.value) }) { $1 } }
}
