import Mechanisms
import Wire
import World

extension APIServer {
  /// Lets the request act as whom its `Impersonate-` headers name, where the caller may do that.
  func impersonate(_ exchange: Exchange) throws(KubeStatus) {
    let headers = exchange.request.headers
    let name = headers["Impersonate-User"] ?? ""
    let groups = headers.all("Impersonate-Group")
    let uid = headers["Impersonate-Uid"] ?? ""
    var extra: [(key: String, value: String)] = []
    for field in headers.fields {
      let lower = field.name.lowercased()
      guard lower.hasPrefix("impersonate-extra-") else { continue }
      let key = String(lower.dropFirst("impersonate-extra-".count))
      extra.append((PercentEncoding.decode(key) ?? key, field.value))
    }
    guard !name.isEmpty || !groups.isEmpty || !uid.isEmpty || !extra.isEmpty else { return }
    guard !name.isEmpty else {
      throw .internalError("requested \(extra) without impersonating a user")
    }
    func ask(_ resource: String, _ name: String, group: String = "", namespace: String = "", subresource: String = "")
      throws(KubeStatus)
    {
      let user = exchange.authenticated!
      let access = AccessRequest(
        username: user.name, groups: user.groups, verb: "impersonate", group: group, resource: resource,
        subresource: subresource, namespace: namespace, name: name)
      let decision = decide(access, user)
      guard decision.isAllowed else {
        throw .forbidden(
          GroupName(group: group, name: resource), name, APIServer.refusal(access, decision.reason))
      }
    }
    var user = KubeUser(name: name, uid: uid, groups: groups)
    let parts = name.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    if parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount" {
      try ask("serviceaccounts", parts[3], namespace: parts[2])
      if groups.isEmpty { user.groups = ["system:serviceaccounts", "system:serviceaccounts:\(parts[2])"] }
    } else {
      try ask("users", name)
    }
    for group in groups { try ask("groups", group) }
    if !uid.isEmpty { try ask("uids", uid, group: "authentication.k8s.io") }
    for (key, value) in extra {
      try ask("userextras", value, group: "authentication.k8s.io", subresource: key)
      user.extra[key, default: []].append(value)
    }
    let everybody = name == "system:anonymous" ? "system:unauthenticated" : "system:authenticated"
    if !user.groups.contains(everybody) { user.groups.append(everybody) }
    exchange.user = user
  }
}
