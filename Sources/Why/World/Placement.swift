package import Wire

/// Whether the node selector and required node affinity of a pod template admit a node.
package enum Placement {
  package static func selects(_ spec: JSON, _ node: JSON) -> Bool {
    let labels = node["metadata"]["labels"]
    for field in spec["nodeSelector"].fields where labels[field.key].string != field.value.string { return false }
    let required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    guard !required.isNull else { return true }
    return required["nodeSelectorTerms"].items.contains { term in
      term["matchExpressions"].items.allSatisfy { admits($0, labels[$0["key"].string ?? ""].string) }
        && term["matchFields"].items.allSatisfy {
          admits($0, $0["key"].string == "metadata.name" ? node["metadata"]["name"].string : nil)
        }
    }
  }

  private static func admits(_ requirement: JSON, _ value: String?) -> Bool {
    let values = requirement["values"].strings
    switch requirement["operator"].string {
    case "In": return value.map(values.contains) ?? false
    case "NotIn": return !(value.map(values.contains) ?? false)
    case "Exists": return value != nil
    case "DoesNotExist": return value == nil
    case "Gt": return value.flatMap(Int.init).map { $0 > (values.first.flatMap(Int.init) ?? .max) } ?? false
    case "Lt": return value.flatMap(Int.init).map { $0 < (values.first.flatMap(Int.init) ?? .min) } ?? false
    default: return false
    }
  }
}
