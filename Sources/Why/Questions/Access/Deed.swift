import Mechanisms
import Wire

/// Something that a principal wants to do: a request to the API server, or an action of AWS.
package enum Deed: Hashable, Sendable {
  /// Without a verb it is only a matter of being let in.
  case kubernetes(KubernetesDeed)
  /// An action, `s3:GetObject`, on a resource's ARN or `*`.
  case aws(action: String, resource: String)

  /// Reads `VERB RESOURCE [NAME]` as kubectl's `auth can-i` does, or `SERVICE:ACTION [ARN]`.
  package init?(_ words: [String], namespace: String?, allNamespaces: Bool = false, subresource: String = "") {
    guard let verb = words.first, words.count <= 3 else { return nil }
    if verb.contains(":") {
      guard words.count <= 2, verb.split(separator: ":").count == 2 else { return nil }
      self = .aws(action: verb, resource: words.count > 1 ? words[1] : "*")
      return
    }
    guard words.count > 1 else { return nil }
    var deed = KubernetesDeed(verb: verb.lowercased())
    if words[1].hasPrefix("/") {
      guard words.count == 2 else { return nil }
      deed.path = words[1]
      self = .kubernetes(deed)
      return
    }
    let parts = words[1].split(separator: "/", maxSplits: 1).map(String.init)
    guard let word = parts.first, parts.count == 1 || words.count == 2 else { return nil }
    deed.resource(word)
    deed.name = parts.count > 1 ? parts[1] : words.count > 2 ? words[2] : ""
    deed.subresource = subresource
    if deed.isNamespaced { deed.namespace = allNamespaces ? "" : namespace ?? "default" }
    self = .kubernetes(deed)
  }

  /// `get pods in namespace shop`, `call s3:GetObject on arn:…`.
  package var text: String {
    switch self {
    case .kubernetes(let deed): deed.text
    case .aws(let action, let resource): resource == "*" ? "call \(action)" : "call \(action) on \(resource)"
    }
  }
}

/// A request to the API server, without who asks.
package struct KubernetesDeed: Hashable, Sendable {
  package var verb: String
  package var group = ""
  package var resource = ""
  package var subresource = ""
  /// Empty for all of them, and for what stands in none.
  package var namespace = ""
  package var name = ""
  package var path = ""
  var isNamespaced = true

  package init(verb: String, path: String = "") {
    self.verb = verb
    self.path = path
  }

  /// From what an authorizer was asked.
  init(_ request: AccessRequest) {
    self.init(verb: request.verb)
    group = request.group
    resource = request.resource
    subresource = request.subresource
    namespace = request.namespace
    name = request.name
    path = request.path
  }

  /// A resource by its plural, singular, short name or kind, with or without its group: `deploy`, `deployments.apps`.
  mutating func resource(_ word: String) {
    let word = word.lowercased()
    let plural = word.split(separator: ".", maxSplits: 1).map(String.init)
    let rows = ResourceTable.for(KubernetesVersion.known.upperBound).resources
    let row = rows.first { row in
      let names = [row.plural, row.singular, row.kind.lowercased()] + row.shortNames
      guard names.contains(plural.first ?? "") else { return false }
      return plural.count == 1 || row.group == plural[1] || plural[1] == "\(row.version).\(row.group)"
    }
    resource = row?.plural ?? plural.first ?? word
    group = row?.group ?? (plural.count > 1 ? plural[1] : "")
    isNamespaced = row?.namespaced ?? true
  }

  func request(username: String, groups: [String]) -> AccessRequest {
    if !path.isEmpty { return AccessRequest(username: username, groups: groups, verb: verb, path: path) }
    return AccessRequest(
      username: username, groups: groups, verb: verb, group: group, resource: resource, subresource: subresource,
      namespace: namespace, name: name)
  }

  /// `get pods in namespace shop`; that it may talk to the API server at all where there is no verb.
  package var text: String {
    guard !verb.isEmpty else { return "sign in to the cluster" }
    guard path.isEmpty else { return "\(verb) \(path)" }
    var what = subresource.isEmpty ? resource : "\(resource)/\(subresource)"
    if !group.isEmpty { what += ".\(group)" }
    if !name.isEmpty { what += " \(name)" }
    if namespace.isEmpty {
      return isNamespaced && name.isEmpty ? "\(verb) \(what) of every namespace" : "\(verb) \(what)"
    }
    return "\(verb) \(what) in namespace \(namespace)"
  }

  /// As `kubectl auth can-i` takes it.
  var words: String {
    guard path.isEmpty else { return "\(verb) \(path)" }
    var text = "\(verb) \(resource)\(group.isEmpty ? "" : ".\(group)")"
    if !name.isEmpty { text += "/\(name)" }
    if !subresource.isEmpty { text += " --subresource \(subresource)" }
    return namespace.isEmpty ? text : "\(text) -n \(namespace)"
  }
}

extension KubernetesDeed {
  var json: JSON {
    [
      "verb": .string(verb), "group": .string(group), "resource": .string(resource),
      "subresource": .string(subresource), "namespace": .string(namespace), "name": .string(name),
      "path": .string(path), "isNamespaced": .bool(isNamespaced),
    ]
  }

  init(_ json: JSON) {
    self.init(verb: json["verb"].string ?? "")
    group = json["group"].string ?? ""
    resource = json["resource"].string ?? ""
    subresource = json["subresource"].string ?? ""
    namespace = json["namespace"].string ?? ""
    name = json["name"].string ?? ""
    path = json["path"].string ?? ""
    isNamespaced = json["isNamespaced"].bool ?? true
  }
}
