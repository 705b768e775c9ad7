import Mechanisms
import Wire
import World

extension APIServer {
  /// Lets the request act as whom its `Impersonate-` headers name, where the caller may do that. Answers what is
  /// wrong with them, where nobody can be meant.
  func impersonate(_ exchange: Exchange) throws(KubeStatus) -> Answer? {
    guard let wanted = Impersonation(exchange.request.headers) else { return nil }
    if let fault = wanted.fault {
      let text = "Internal Server Error: \(GoText.quote(uri(exchange.request))): \(fault)"
      let escaped = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      return .text("\(escaped)\n", status: 500)
    }
    if let account = wanted.serviceAccount {
      try ask(exchange, "serviceaccounts", account.name, namespace: account.namespace)
    } else {
      try ask(exchange, "users", wanted.user)
    }
    for group in wanted.groups { try ask(exchange, "groups", group) }
    for (key, value) in wanted.extra { try ask(exchange, "userextras", value, of: key) }
    if !wanted.uid.isEmpty { try ask(exchange, "uids", wanted.uid) }
    exchange.user = wanted.impersonated
    return nil
  }

  /// 403 unless the caller may `impersonate` that.
  private func ask(
    _ exchange: Exchange, _ resource: String, _ name: String, namespace: String = "", of subresource: String = ""
  ) throws(KubeStatus) {
    let user = exchange.authenticated!
    let isOfUsers = resource == "userextras" || resource == "uids"
    let access = AccessRequest(
      username: user.name, groups: user.groups, verb: "impersonate", group: isOfUsers ? "authentication.k8s.io" : "",
      resource: resource, subresource: subresource, namespace: namespace, name: name)
    let decision = decide(access, user)
    guard decision.isAllowed else { throw APIServer.forbidden(access, decision.reason) }
  }
}
