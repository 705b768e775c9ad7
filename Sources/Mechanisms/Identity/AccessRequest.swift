package import Wire

/// What somebody asks of the API server, as its authorizers see it.
package struct AccessRequest: Sendable, Equatable {
  package var username: String
  package var groups: [String]
  package var verb: String
  package var group: String
  package var resource: String
  package var subresource: String
  package var namespace: String
  package var name: String
  /// What a list or a watch is restricted to.
  package var fieldSelector = FieldSelector()
  /// Of a request for no resource: `/healthz`.
  package var path: String

  package var isResource: Bool { path.isEmpty }

  package init(
    username: String, groups: [String] = [], verb: String, group: String = "", resource: String,
    subresource: String = "", namespace: String = "", name: String = ""
  ) {
    self.username = username
    self.groups = groups
    self.verb = verb
    self.group = group
    self.resource = resource
    self.subresource = subresource
    self.namespace = namespace
    self.name = name
    path = ""
  }

  package init(username: String, groups: [String] = [], verb: String, path: String) {
    self.init(username: username, groups: groups, verb: verb, resource: "")
    self.path = path
  }

  /// `pods/log`.
  package var fullResource: String { subresource.isEmpty ? resource : "\(resource)/\(subresource)" }

  /// The group whose members are asked nothing.
  package static let privilegedGroup = "system:masters"
  package var isPrivileged: Bool { groups.contains(AccessRequest.privilegedGroup) }

  /// The message of a 403: `pods is forbidden: User "u" cannot list resource "pods" in API group "" …`.
  package func forbiddenMessage(_ reason: String = "") -> String {
    var text = "User \"\(username)\" cannot \(verb) "
    guard isResource else {
      text = "forbidden: \(text)path \"\(path)\""
      return reason.isEmpty ? text : "\(text): \(reason)"
    }
    text += "resource \"\(fullResource)\" in API group \"\(group)\" "
    text += namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(namespace)\""
    let qualified = group.isEmpty ? resource : "\(resource).\(group)"
    let object = name.isEmpty ? qualified : "\(qualified) \"\(name)\""
    return "\(object) is forbidden: \(text)" + (reason.isEmpty ? "" : ": \(reason)")
  }
}
