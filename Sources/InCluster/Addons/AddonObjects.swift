import CGenerated
package import Wire
package import World

/// The objects of EKS's add-ons, from the manifests they come with.
package enum AddonObjects {
  /// The objects of an order in the order in which they are applied.
  package static func of(_ order: AddonOrder) -> [JSON] {
    let words = words(order)
    var objects = manifests.filter { $0["addon"].string == order.name }.map { fill($0["object"], words) }
    AddonConfiguration(order).apply(to: &objects)
    return objects
  }

  private static let manifests: [JSON] = {
    let data = ekswhy_addons()
    let bytes = Array(UnsafeBufferPointer(start: data.bytes, count: data.count))
    return bytes.split(separator: 0x0a).map { line in
      do { return try JSON.parse(Array(line)) } catch {
        preconditionFailure("an embedded manifest is no JSON: \(error)")
      }
    }
  }()

  /// What the words of the manifests stand for, longer words first.
  private static func words(_ order: AddonOrder) -> [(word: String, value: String)] {
    let facts = order.cluster
    let parts = order.version.split(separator: "-", maxSplits: 1).map(String.init)
    let release = parts.first ?? ""
    return [
      ("ADDON_VERSION", order.version), ("ADDON_RELEASE", release),
      ("ADDON_NUMBER", release.hasPrefix("v") ? String(release.dropFirst()) : release),
      ("ADDON_BUILD", parts.count == 2 ? parts[1] : ""), ("REGION", facts.region), ("CLUSTER", facts.name),
      ("VPC", facts.vpcID), ("ENDPOINT", facts.endpoint), ("DNS", dns(facts.serviceCIDR)),
    ]
  }

  private static func fill(_ json: JSON, _ words: [(word: String, value: String)]) -> JSON {
    switch json {
    case .string(var text):
      // All words are in capitals.
      guard text.utf8.contains(where: { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }) else { return json }
      for (word, value) in words where text.contains(word) {
        // Only whole words: names of variables such as CLUSTER_NAME stay.
        text = replace(word, by: value, in: text)
      }
      return .string(text)
    case .array(let items): return .array(items.map { fill($0, words) })
    case .object(var object):
      for index in object.fields.indices
      where object.fields[index].key != "name" || object.fields[index].value.string == nil {
        object.fields[index].value = fill(object.fields[index].value, words)
      }
      return .object(object)
    default: return json
    }
  }

  private static func replace(_ word: String, by value: String, in text: String) -> String {
    var out = ""
    var rest = text[...]
    while let found = rest.firstRange(of: word) {
      let before = found.lowerBound == text.startIndex ? nil : text[text.index(before: found.lowerBound)]
      let after = found.upperBound == text.endIndex ? nil : text[found.upperBound]
      func joins(_ letter: Character?) -> Bool { letter.map { $0.isLetter || $0 == "_" } ?? false }
      out += rest[..<found.lowerBound]
      out += joins(before) || joins(after) ? word : value
      rest = rest[found.upperBound...]
    }
    return out + rest
  }

  /// The tenth address of the services' block.
  private static func dns(_ cidr: String) -> String {
    CIDR(cidr).map { "\($0.base + 10)" } ?? IPv6CIDR(cidr).map { "\($0.base + 10)" } ?? ""
  }
}
