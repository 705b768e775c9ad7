import CGenerated
package import Wire
package import World

/// What EKS puts into a new cluster by itself: VPC CNI, kube-proxy, CoreDNS.
package enum DefaultAddons {
  /// The objects in the order in which they are applied.
  package static func manifests(_ facts: ClusterFacts) -> [JSON] {
    let data = ekswhy_default_addons()
    let text = String(decoding: UnsafeBufferPointer(start: data.bytes, count: data.count), as: UTF8.self)
    let values = [
      "REGION": facts.region, "CLUSTER": facts.name, "VPC": facts.vpcID, "ENDPOINT": facts.endpoint,
      "KUBERNETES": "v\(facts.version).0", "DNS": dns(facts.serviceCIDR),
    ]
    return text.split(separator: "\n").map { line in
      do { return fill(try JSON.parse(Array(line.utf8)), values) } catch {
        preconditionFailure("an embedded manifest is no JSON: \(error)")
      }
    }
  }

  private static func fill(_ json: JSON, _ values: [String: String]) -> JSON {
    switch json {
    case .string(var text):
      for (name, value) in values.sorted(by: { $0.key < $1.key }) where text.contains(name) {
        // Only whole words: names of variables such as CLUSTER_NAME stay.
        text = replace(name, by: value, in: text)
      }
      return .string(text)
    case .array(let items): return .array(items.map { fill($0, values) })
    case .object(var object):
      for index in object.fields.indices
      where object.fields[index].key != "name" || object.fields[index].value.string == nil {
        object.fields[index].value = fill(object.fields[index].value, values)
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
    CIDR(cidr).map { "\($0.base + 10)" } ?? ""
  }
}
