import Mechanisms
import Wire

/// What the text of an error says has happened.
package enum Symptom: Hashable, Sendable {
  /// 401: the API server didn't take the caller for anybody.
  case unauthorized
  /// The console finds no Kubernetes access for its user.
  case console
  /// 403: somebody asked for something and may not.
  case forbidden(username: String, KubernetesDeed)
  /// AWS denied an action; `by` is the kind of policy that the text names, and whether it was explicit.
  case denied(principal: String, action: String, resource: String, by: String, isExplicit: Bool)
  /// STS took no token of a pod for its role.
  case webIdentity(String)
  /// STS found another certificate at the issuer than IAM was told of.
  case thumbprint
  /// AWS knows the credentials of a pod as nobody's.
  case invalidToken
  /// The agent of EKS Pod Identity, or EKS Auth behind it, gave nothing.
  case podIdentity(String)
  /// The SDK is older than Pod Identity.
  case oldSDK
  /// No credentials anywhere, not even the node's.
  case noCredentials(String)
  /// Nodes that were to come did not.
  case nodesMissing(String)
  /// The kubelet of a node has no serving certificate.
  case servingCertificate
  /// A node group could not be updated.
  case updateFailed
  /// Nothing answers at the cluster's endpoint.
  case unreachable
  /// A connection to the API server was cut; when, where the text says so.
  case interrupted(at: String)
  /// EKS refused to make a cluster.
  case clusterNotMade(message: String)
  /// A program got no address for a name.
  case unresolved(name: String)
  /// A program got no connection; `isSilence` where nothing at all came back.
  case noConnection(host: String, port: UInt16, isSilence: Bool)
  /// The API server got no connection to the kubelet at this address: `logs`, `exec`, `top` fail.
  case nodeUnreached(address: String)
  /// The VPC CNI gave a pod no address.
  case noAddress
  /// Fargate made no machine for a pod.
  case noMachine(namespace: String, pod: String)

  /// Nil for a text that says nothing ekswhy knows.
  package init?(_ text: String) {
    let low = text.lowercased()
    if let found = Symptom.deniedAction(text) ?? Symptom.forbiddenRequest(text) {
      self = found
      return
    }
    if let message = Symptom.after(text, "when calling the CreateCluster operation: ") {
      self = .clusterNotMade(message: message.split(separator: "\n").first.map(String.init) ?? message)
      return
    }
    if Symptom.isCut(low) {
      self = .interrupted(at: Symptom.time(in: text) ?? "")
      return
    }
    if let name = Symptom.unresolvedName(text) {
      self = .unresolved(name: name)
      return
    }
    if let found = UnmadeConnection(text) {
      self =
        found.isOfAPIServer
        ? .nodeUnreached(address: found.host)
        : .noConnection(host: found.host, port: found.port, isSilence: found.isSilence)
      return
    }
    if let named = Symptom.after(text, "Pod provisioning timed out (will retry) for pod: ") {
      let parts = named.prefix { !" \n\t\",".contains($0) }.split(separator: "/").map(String.init)
      guard parts.count == 2 else { return nil }
      self = .noMachine(namespace: parts[0], pod: parts[1])
      return
    }
    for (words, symptom) in Symptom.known where words.contains(where: { low.contains($0) }) {
      self = symptom(text)
      return
    }
    return nil
  }

  /// Texts without parts, in the order in which they are looked for.
  private static let known: [([String], @Sendable (String) -> Symptom)] = [
    (["doesn't have access to kubernetes objects"], { _ in .console }),
    (["failed to assign an ip address to container", "add cmd: failed to assign an ip"], { _ in .noAddress }),
    (["unable to connect to the server"], { _ in .unreachable }),
    (["podevictionfailure", "max retries while trying to evict pods"], { _ in .updateFailed }),
    (["only loopback hosts are allowed"], { _ in .oldSDK }),
    (["doesn't match configured thumbprint"], { _ in .thumbprint }),
    (["invalidclienttokenid", "security token included in the request is invalid"], { _ in .invalidToken }),
    (
      [
        "assumerolewithwebidentity", "no openidconnect provider found", "incorrect token audience",
        "invalididentitytoken", "webidentityerr",
      ], { .webIdentity($0) }
    ),
    (
      [
        "eks does not have permissions to assume the associated role", "assumeroleforpodidentity", "169.254.170.23",
        "no service account role association", "fd00:ec2::23",
      ], { .podIdentity($0) }
    ),
    (["unable to register node with api server", "failed to join the kubernetes cluster"], { .nodesMissing($0) }),
    (["nodecreationfailure", "nodes to join the cluster and become ready"], { .nodesMissing($0) }),
    (["invalid iam instance profile", "node not registered with cluster"], { .nodesMissing($0) }),
    (["tls: internal error", "no serving certificate available"], { _ in .servingCertificate }),
    (
      [
        "unable to locate credentials", "no ec2 imds role found", "from ec2metadata", "could not get imds metadata",
        "could not get ec2 instance identity metadata", "no valid providers in chain",
      ], { .noCredentials($0) }
    ),
    (
      ["you must be logged in to the server", "the server has asked for the client to provide credentials"],
      { _ in .unauthorized }
    ),
    (["unauthorized"], { _ in .unauthorized }),
  ]

  /// `User: ARN is not authorized to perform: ACTION on resource: ARN because no … policy allows the … action`.
  private static func deniedAction(_ text: String) -> Symptom? {
    guard let user = between(text, "User: ", " is not authorized to perform: "), ARN.parse(user) != nil,
      let rest = after(text, "is not authorized to perform: ")
    else { return nil }
    let words = rest.split(whereSeparator: { " \n\t".contains($0) }).map(String.init)
    guard let action = words.first.map(trimmed), action.contains(":") else { return nil }
    let resource = between(rest, "on resource: ", " ") ?? after(rest, "on resource: ") ?? "*"
    var by = ""
    for kind in PolicyKind.allCases where rest.contains(kind.rawValue) { by = kind.rawValue }
    return .denied(
      principal: user, action: action, resource: trimmed(resource), by: by,
      isExplicit: rest.contains("explicit deny"))
  }

  /// `pods "x" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace "shop"`.
  private static func forbiddenRequest(_ text: String) -> Symptom? {
    guard let username = between(text, "User \"", "\" cannot "), let rest = after(text, "\" cannot ") else {
      return nil
    }
    let verb = String(rest.prefix { $0 != " " })
    var deed = KubernetesDeed(verb: verb)
    if let path = between(rest, "path \"", "\"") {
      deed.path = path
      return .forbidden(username: username, deed)
    }
    guard let resource = between(rest, "resource \"", "\"") else { return nil }
    let parts = resource.split(separator: "/", maxSplits: 1).map(String.init)
    deed.resource = parts.first ?? resource
    deed.subresource = parts.count > 1 ? parts[1] : ""
    deed.group = between(rest, "in API group \"", "\"") ?? ""
    deed.namespace = between(rest, "in the namespace \"", "\"") ?? ""
    // `pods "web-1" is forbidden`: the object's name stands before.
    if let head = text.range(of: " is forbidden")?.lowerBound, text[..<head].hasSuffix("\"") {
      deed.name = text[..<head].dropLast().split(separator: "\"").last.map(String.init) ?? ""
    }
    return .forbidden(username: username, deed)
  }

  /// What clients of the API server write when the one that they talk to goes.
  private static func isCut(_ low: String) -> Bool {
    let own = [
      "http2: client connection lost", "http2: server sent goaway", "apiserver is shutting down",
      "etcdserver: leader changed",
    ]
    if own.contains(where: { low.contains($0) }) { return true }
    let ends = ["connection reset by peer", "unexpected eof", "tls handshake timeout"]
    let isAPI =
      low.contains(".eks.amazonaws.com") || low.contains("->10.100.0.1:443") || low.contains("->172.20.0.1:443")
    return isAPI && ends.contains { low.contains($0) }
  }

  /// The first time in a text, of the forms 2026-11-24T03:04:05Z and 2026-11-24 03:04:05.
  private static func time(in text: String) -> String? {
    let bytes = Array(text.utf8)
    let shape = Array("0000-00-00.00:00:00".utf8)
    guard bytes.count >= shape.count else { return nil }
    for start in 0...(bytes.count - shape.count) {
      let fits = shape.indices.allSatisfy { at in
        let byte = bytes[start + at]
        if shape[at] == 0x30 { return (0x30...0x39).contains(byte) }
        return shape[at] == 0x2E ? byte == 0x54 || byte == 0x20 : byte == shape[at]
      }
      guard fits else { continue }
      var found = Array(bytes[start..<(start + shape.count)])
      found[10] = 0x54
      return String(decoding: found, as: UTF8.self) + "Z"
    }
    return nil
  }

  /// `lookup NAME on 10.100.0.10:53: no such host`, and how other programs word it.
  private static func unresolvedName(_ text: String) -> String? {
    let failures = [
      "no such host", "i/o timeout", "server misbehaving", "connection refused", "network is unreachable",
    ]
    if let rest = after(text, "lookup "), failures.contains(where: { rest.contains($0) }) {
      let name = String(rest.prefix { !" \n\t".contains($0) })
      return trimmed(name.hasSuffix(":") ? String(name.dropLast()) : name)
    }
    for start in [
      "Could not resolve host: ", "bad address ", "getaddrinfo ENOTFOUND ", "getaddrinfo EAI_AGAIN ",
      "Name or service not known: ", "can't resolve ", "server can't find ",
    ] {
      guard let rest = after(text, start) else { continue }
      let name = trimmed(String(rest.prefix { !" \n\t".contains($0) }))
      return name.hasSuffix(":") ? String(name.dropLast()) : name
    }
    // As the plugin errors of CoreDNS tells it: code, name, type.
    guard let rest = after(text, "plugin/errors: ") else { return nil }
    let words = rest.split(separator: " ")
    return words.count > 2 ? String(words[1]) : nil
  }

  private static func trimmed(_ word: String) -> String {
    var word = word.drop { "'\"(".contains($0) }
    while let last = word.last, ".,;)'\"".contains(last) { word = word.dropLast() }
    return String(word)
  }

  private static func after(_ text: String, _ start: String) -> String? {
    text.range(of: start).map { String(text[$0.upperBound...]) }
  }

  private static func between(_ text: String, _ start: String, _ end: String) -> String? {
    guard let rest = after(text, start), let stop = rest.range(of: end)?.lowerBound else { return nil }
    return String(rest[..<stop])
  }
}

extension String {
  /// The first place of a text in this one.
  fileprivate func range(of text: String) -> Range<String.Index>? { firstRange(of: text) }
}
