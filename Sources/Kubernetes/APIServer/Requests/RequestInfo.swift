import Wire
import World

/// What a request asks for, read from its method, path and query as upstream's `RequestInfoFactory` does.
struct RequestInfo {
  var verb = ""
  var isResource = false
  var group = ""
  var version = ""
  var resource = ""
  var subresource = ""
  var namespace = ""
  var name = ""
  var path = ""
  /// What follows the subresource: the path of a proxied request.
  var rest: [Substring] = []

  init(_ request: KubeRequest) {
    path = request.path
    verb = request.method.lowercased()
    var parts = request.path.split(separator: "/", omittingEmptySubsequences: true)[...]
    guard let root = parts.popFirst() else { return }
    switch root {
    case "api":
      guard let version = parts.popFirst() else { return }
      self.version = String(version)
    case "apis":
      guard parts.count >= 3 else { return }
      group = String(parts.removeFirst())
      version = String(parts.removeFirst())
    default: return
    }
    guard !parts.isEmpty else { return }
    var isWatchPath = false
    if parts.first == "watch", parts.count > 1 {
      isWatchPath = true
      parts.removeFirst()
    }
    isResource = true
    if parts.first == "namespaces", parts.count > 1 {
      namespace = String(parts[parts.startIndex + 1])
      // A namespace's own subresources are told from resources in it.
      let third = parts.count > 2 ? parts[parts.startIndex + 2] : ""
      if parts.count > 2, third != "status", third != "finalize" { parts = parts.dropFirst(2) }
    }
    resource = parts.popFirst().map(String.init) ?? ""
    name = parts.popFirst().map(String.init) ?? ""
    subresource = parts.popFirst().map(String.init) ?? ""
    rest = Array(parts)
    setVerb(request, isWatchPath: isWatchPath)
  }

  private mutating func setVerb(_ request: KubeRequest, isWatchPath: Bool) {
    switch request.method {
    case "POST": verb = "create"
    case "GET", "HEAD": verb = "get"
    case "PUT": verb = "update"
    case "PATCH": verb = "patch"
    case "DELETE": verb = "delete"
    default: verb = ""
    }
    if isWatchPath, verb == "get" {
      verb = "watch"
    } else if verb == "get", name.isEmpty {
      verb = RequestInfo.flag(request.parameter("watch")) ? "watch" : "list"
    } else if verb == "delete", name.isEmpty {
      verb = "deletecollection"
    }
    // A list of one name is authorised like a get of it.
    if name.isEmpty, verb == "list" || verb == "watch" || verb == "deletecollection",
      let text = request.parameter("fieldSelector"), let selector = try? FieldSelector(parsing: text),
      let only = selector.required("metadata.name"), NameRules.pathSegment(only).isEmpty
    {
      name = only
    }
  }

  /// A boolean parameter: present and empty, `1` and `true` are true.
  static func flag(_ text: String?) -> Bool {
    guard let text else { return false }
    return text != "0" && text.lowercased() != "false" && text != "f" && text != "F"
  }
}
