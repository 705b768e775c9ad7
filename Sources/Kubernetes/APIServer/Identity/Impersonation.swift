import Wire
import World

/// Whom a request's `Impersonate-` headers name.
struct Impersonation: Equatable {
  private static let extraPrefix = "impersonate-extra-"
  /// Group and version of uids and extras, as upstream's references to them have it.
  private static let version = "authentication.k8s.io/v1"

  var user: String
  var groups: [String]
  var uid: String
  /// In the order of the headers; keys in lower case.
  var extra: [(key: String, value: String)]

  /// Nil where no header is there.
  init?(_ headers: HTTPHeaders) {
    user = headers["Impersonate-User"] ?? ""
    groups = headers.all("Impersonate-Group")
    uid = headers["Impersonate-Uid"] ?? ""
    extra = []
    for field in headers.fields {
      let name = field.name.lowercased()
      guard name.hasPrefix(Self.extraPrefix) else { continue }
      let key = String(name.dropFirst(Self.extraPrefix.count))
      extra.append((PercentEncoding.decode(key) ?? key, field.value))
    }
    if user.isEmpty, groups.isEmpty, uid.isEmpty, extra.isEmpty { return nil }
  }

  static func == (a: Impersonation, b: Impersonation) -> Bool {
    a.user == b.user && a.groups == b.groups && a.uid == b.uid
      && a.extra.elementsEqual(b.extra, by: { $0.key == $1.key && $0.value == $1.value })
  }

  /// Why nobody can be impersonated by these headers, in upstream's words; nil where somebody can.
  var fault: String? {
    guard user.isEmpty else { return nil }
    // Go's print of the references that were asked for.
    var references = groups.map { "{Group  \($0)    }" }
    references += extra.map { "{UserExtra  \($0.value)  \(Self.version)  \($0.key)}" }
    if !uid.isEmpty { references.append("{UID  \(uid)  \(Self.version)  }") }
    return "requested \(GoText.list(references)) without impersonating a user"
  }

  /// Namespace and name of the service account that the user is.
  var serviceAccount: (namespace: String, name: String)? {
    let prefix = "system:serviceaccount:"
    guard user.hasPrefix(prefix) else { return nil }
    let parts = user.dropFirst(prefix.count).split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, NameRules.dns1123Label(parts[0]).isEmpty, NameRules.dns1123Subdomain(parts[1]).isEmpty
    else {
      return nil
    }
    return (parts[0], parts[1])
  }

  /// The user who is acted as: groups are completed as upstream completes them.
  var impersonated: KubeUser {
    var result = KubeUser(name: user, uid: uid, groups: groups)
    if groups.isEmpty, let account = serviceAccount {
      result.groups = ["system:serviceaccounts", "system:serviceaccounts:\(account.namespace)"]
    }
    let everybody = "system:authenticated"
    let nobody = "system:unauthenticated"
    if user == "system:anonymous" {
      if !result.groups.contains(nobody) { result.groups.append(nobody) }
    } else if !result.groups.contains(everybody), !result.groups.contains(nobody) {
      result.groups.append(everybody)
    }
    for (key, value) in extra { result.extra[key, default: []].append(value) }
    return result
  }
}
