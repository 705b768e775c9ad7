import Wire
import World

/// The flow schemas of a cluster in the order of their precedence, read once after each change: which one a request
/// is of. How much of each flow is carried out at once is settled at the door.
final class FlowIndex {
  static let schemas = "flowschemas.flowcontrol.apiserver.k8s.io"
  static let levels = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"

  /// What a request is told of its flow.
  struct Flow {
    var schemaUID: String
    var levelUID: String
  }

  private struct Schema {
    var flow: Flow
    var rules: [JSON]
  }

  private var isCurrent = false
  private var schemas: [Schema] = []

  func invalidate() { isCurrent = false }

  func flow(of exchange: Exchange, _ server: APIServer) -> Flow? {
    guard let user = exchange.user else { return nil }
    refresh(server)
    return schemas.first { schema in
      schema.rules.contains { FlowIndex.isOf(user, $0["subjects"]) && FlowIndex.asks(exchange.info, $0) }
    }?.flow
  }

  private func refresh(_ server: APIServer) {
    guard !isCurrent else { return }
    isCurrent = true
    let sorted = server.read(FlowIndex.schemas, namespace: "").sorted { a, b in
      let (x, y) = (a["spec"]["matchingPrecedence"].int ?? 1000, b["spec"]["matchingPrecedence"].int ?? 1000)
      return x == y ? (a["metadata"]["name"].string ?? "") < (b["metadata"]["name"].string ?? "") : x < y
    }
    schemas = sorted.compactMap { schema in
      let name = schema["spec"]["priorityLevelConfiguration"]["name"].string ?? ""
      guard let level = server.read(FlowIndex.levels, "", name) else { return nil }
      return Schema(
        flow: Flow(
          schemaUID: schema["metadata"]["uid"].string ?? "", levelUID: level["metadata"]["uid"].string ?? ""),
        rules: schema["spec"]["rules"].items)
    }
  }

  private static func isOf(_ user: KubeUser, _ subjects: JSON) -> Bool {
    subjects.items.contains { subject in
      switch subject["kind"].string {
      case "Group":
        let name = subject["group"]["name"].string ?? ""
        return name == "*" || user.groups.contains(name)
      case "User":
        let name = subject["user"]["name"].string ?? ""
        return name == "*" || user.name == name
      case "ServiceAccount":
        let prefix = "system:serviceaccount:\(subject["serviceAccount"]["namespace"].string ?? ""):"
        let name = subject["serviceAccount"]["name"].string ?? ""
        return name == "*" ? user.name.hasPrefix(prefix) : user.name == prefix + name
      default: return false
      }
    }
  }

  private static func asks(_ info: RequestInfo, _ rule: JSON) -> Bool {
    func has(_ list: JSON, _ wanted: String) -> Bool { list.strings.contains { $0 == "*" || $0 == wanted } }
    if info.isResource {
      let resource = info.subresource.isEmpty ? info.resource : "\(info.resource)/\(info.subresource)"
      return rule["resourceRules"].items.contains { resources in
        has(resources["verbs"], info.verb) && has(resources["apiGroups"], info.group)
          && has(resources["resources"], resource)
          && (info.namespace.isEmpty
            ? resources["clusterScope"].bool == true : has(resources["namespaces"], info.namespace))
      }
    }
    return rule["nonResourceRules"].items.contains { paths in
      has(paths["verbs"], info.verb)
        && paths["nonResourceURLs"].strings.contains {
          $0 == "*" || $0 == info.path || $0.hasSuffix("*") && info.path.hasPrefix($0.dropLast())
        }
    }
  }
}
