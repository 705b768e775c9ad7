import Wire

/// The objects of a resource by something that they say, so that who wants a few needn't look at all.
struct ValueIndex {
  enum Field: String, CaseIterable {
    /// `status.podIP` of pods that have not ended.
    case podAddress
    /// `spec.nodeName`.
    case podNode
    /// The internal addresses of nodes.
    case nodeAddress
    /// `spec.clusterIPs` of Services, with what else leads to them.
    case serviceAddress
    /// The Service of an EndpointSlice, with its namespace.
    case sliceService

    func values(_ object: JSON) -> [String] {
      switch self {
      case .podAddress:
        let phase = object["status"]["phase"].string
        return phase == "Succeeded" || phase == "Failed" ? [] : [object["status"]["podIP"].string].compactMap { $0 }
      case .podNode: return [object["spec"]["nodeName"].string].compactMap { $0 }
      case .nodeAddress:
        return object["status"]["addresses"].items.filter { $0["type"].string == "InternalIP" }
          .compactMap { $0["address"].string }
      case .serviceAddress:
        let spec = object["spec"]
        return spec["clusterIPs"].strings + spec["externalIPs"].strings
          + object["status"]["loadBalancer"]["ingress"].items.compactMap { $0["ip"].string }
          + spec["ports"].items.compactMap { $0["nodePort"].int.map { "port \($0)" } }
      case .sliceService:
        let metadata = object["metadata"]
        guard let service = metadata["labels"]["kubernetes.io/service-name"].string else { return [] }
        return ["\(metadata["namespace"].string ?? "")/\(service)"]
      }
    }
  }

  let field: Field
  private var keys: [String: [ObjectKey]] = [:]
  private var values: [ObjectKey: [String]] = [:]

  init(_ field: Field) { self.field = field }

  /// Keys of the objects that say so, in order.
  func keys(_ value: String) -> [ObjectKey] { keys[value] ?? [] }

  mutating func change(_ key: ObjectKey, to object: StoredObject?) {
    let after = object.map { field.values($0.json) } ?? []
    let before = values[key] ?? []
    guard before != after else { return }
    for value in before {
      keys[value]?.removeAll { $0 == key }
      if keys[value]?.isEmpty == true { keys[value] = nil }
    }
    for value in after {
      let at = keys[value]?.partitioningIndex { $0 >= key } ?? 0
      keys[value, default: []].insert(key, at: at)
    }
    values[key] = after.isEmpty ? nil : after
  }
}
