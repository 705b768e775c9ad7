import Mechanisms
import Wire

/// Who wants to do something.
package enum Principal: Hashable, Sendable {
  /// A role, a user, a session or the root of an account, by its ARN.
  case iam(arn: String)
  /// A role or a user of the account, by name.
  case role(String)
  case user(String)
  /// Whoever asks.
  case caller
  case pod(namespace: String, name: String)
  case serviceAccount(namespace: String, name: String)
  /// A user as the API server knows it.
  case kubernetes(username: String)

  /// `arn:…`, `role/x`, `user/x`, `me`, `pod/web-1`, `sa/web`, `system:…`; nil for what is none of these.
  package init?(_ word: String, namespace: String?) {
    let namespace = namespace ?? "default"
    if word.hasPrefix("arn:") {
      guard (try? CanonicalARN.of(word)) != nil else { return nil }
      self = .iam(arn: word)
      return
    }
    if word == "me" {
      self = .caller
      return
    }
    if word.hasPrefix("system:") {
      self = Principal(username: word)
      return
    }
    let parts = word.split(separator: "/", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return nil }
    switch parts[0].lowercased() {
    case "role", "roles": self = .role(parts[1])
    case "user", "users": self = .user(parts[1])
    case "pod", "pods", "po": self = .pod(namespace: namespace, name: parts[1])
    case "sa", "serviceaccount", "serviceaccounts": self = .serviceAccount(namespace: namespace, name: parts[1])
    case "node", "nodes", "no": self = .kubernetes(username: "system:node:\(parts[1])")
    default: return nil
    }
  }

  /// A Kubernetes user by name, a service account by its own.
  package init(username: String) {
    let parts = username.split(separator: ":").map(String.init)
    self =
      parts.count == 4 && username.hasPrefix("system:serviceaccount:")
      ? .serviceAccount(namespace: parts[2], name: parts[3]) : .kubernetes(username: username)
  }

  package var entity: Entity {
    switch self {
    case .iam(let arn):
      switch ARN.parse(arn)?.resourceType {
      case "user": Entity("User", ARN.parse(arn)?.name ?? arn)
      case "root": Entity("Account", ARN.parse(arn)?.account ?? arn)
      default: Entity("Role", (try? CanonicalARN.of(arn)).flatMap { ARN.parse($0.arn)?.name } ?? arn)
      }
    case .role(let name): Entity("Role", name.split(separator: "/").last.map(String.init) ?? name)
    case .user(let name): Entity("User", name.split(separator: "/").last.map(String.init) ?? name)
    case .caller: Entity("Caller", "me")
    case .pod(let namespace, let name): Entity("Pod", name, namespace: namespace)
    case .serviceAccount(let namespace, let name): Entity("ServiceAccount", name, namespace: namespace)
    case .kubernetes(let username): Entity("User", username)
    }
  }

  /// As the command line takes it.
  package var word: String {
    switch self {
    case .iam(let arn): arn
    case .role(let name): "role/\(name)"
    case .user(let name): "user/\(name)"
    case .caller: "me"
    case .pod(_, let name): "pod/\(name)"
    case .serviceAccount(let namespace, let name): "system:serviceaccount:\(namespace):\(name)"
    case .kubernetes(let username): username
    }
  }

  var namespace: String? { if case .pod(let namespace, _) = self { namespace } else { nil } }
}

/// What is asked: whether somebody may do something. An effect about access carries it as its detail.
struct AccessAsked: Hashable, Sendable {
  var principal: Principal
  var deed: Deed
  /// The pod that calls as that principal.
  var pod: Entity?

  /// One text for it, which ``init(detail:)`` reads again.
  var detail: String {
    var out: JSON = ["principal": .string(principal.word), "namespace": JSON(principal.namespace)]
    if let pod { out["pod"] = ["name": .string(pod.name), "namespace": JSON(pod.namespace)] }
    switch deed {
    case .kubernetes(let deed): out["kubernetes"] = deed.json
    case .aws(let action, let resource):
      out["action"] = .string(action)
      out["resource"] = .string(resource)
    }
    return out.text()
  }

  init(_ principal: Principal, _ deed: Deed, pod: Entity? = nil) {
    self.principal = principal
    self.deed = deed
    self.pod = pod
  }

  init?(detail: String) {
    guard let json = try? JSON.parse(Array(detail.utf8)) else { return nil }
    let word = json["principal"].string ?? ""
    principal = Principal(word, namespace: json["namespace"].string) ?? .kubernetes(username: word)
    if let name = json["pod"]["name"].string { pod = Entity("Pod", name, namespace: json["pod"]["namespace"].string) }
    if let action = json["action"].string {
      deed = .aws(action: action, resource: json["resource"].string ?? "*")
    } else {
      deed = .kubernetes(KubernetesDeed(json["kubernetes"]))
    }
  }
}
