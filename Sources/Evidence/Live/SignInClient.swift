package import Wire

/// How a kubeconfig signs in to a cluster: what can be told of it without any secret.
package struct SignInClient: Sendable, Equatable {
  package enum Kind: String, Sendable {
    /// A plugin that signs for EKS: `aws eks get-token`, aws-iam-authenticator.
    case plugin
    /// An IAM token that somebody wrote down.
    case token
    /// A certificate, a password, another kind of token.
    case other
  }

  package var kind: Kind
  /// Name of the context.
  package var context: String
  /// Where requests are sent.
  package var server: String
  /// The cluster for which the plugin signs.
  package var cluster: String?
  /// The region in whose STS the token is to be redeemed.
  package var region: String?
  /// When a token that was written down was signed.
  package var signedAt: Timestamp?

  package init(
    kind: Kind, context: String, server: String, cluster: String? = nil, region: String? = nil,
    signedAt: Timestamp? = nil
  ) {
    self.kind = kind
    self.context = context
    self.server = server
    self.cluster = cluster
    self.region = region
    self.signedAt = signedAt
  }

  package var json: JSON {
    [
      "kind": .string(kind.rawValue), "context": .string(context), "server": .string(server), "cluster": JSON(cluster),
      "region": JSON(region), "signedAt": JSON(signedAt?.rfc3339),
    ]
  }

  package init?(_ json: JSON) {
    guard let kind = json["kind"].string.flatMap(Kind.init), let server = json["server"].string else { return nil }
    self.init(
      kind: kind, context: json["context"].string ?? "", server: server, cluster: json["cluster"].string,
      region: json["region"].string, signedAt: json["signedAt"].string.flatMap { Timestamp(rfc3339: $0) })
  }

  /// Of a context.
  init(_ context: KubeContext) {
    self.init(kind: .other, context: context.name, server: context.server)
    if let exec = context.exec, exec.isEKSToken {
      kind = .plugin
      cluster = exec.clusterName
      region = exec.region
    } else if let query = context.token.flatMap(SignInClient.query) {
      kind = .token
      signedAt = query["X-Amz-Date"].flatMap(SignInClient.time)
      let scope = query["X-Amz-Credential"]?.split(separator: "/").map(String.init) ?? []
      if scope.count > 2 { region = scope[2] }
    }
  }

  /// The query of the URL in an IAM token; nil for any other token.
  private static func query(_ token: String) -> [String: String]? {
    let prefix = "k8s-aws-v1."
    guard token.hasPrefix(prefix), let bytes = try? GoBase64.rawURLDecode(token.dropFirst(prefix.count)) else {
      return nil
    }
    let parts = String(decoding: bytes, as: UTF8.self).split(separator: "?", maxSplits: 1)
    guard parts.count == 2 else { return nil }
    var found: [String: String] = [:]
    for pair in parts[1].split(separator: "&") {
      let sides = pair.split(separator: "=", maxSplits: 1).map { PercentEncoding.decode($0) ?? String($0) }
      if sides.count == 2 { found[sides[0]] = sides[1] }
    }
    return found
  }

  /// `20240102T030405Z`
  private static func time(_ text: String) -> Timestamp? {
    let letters = Array(text)
    guard letters.count == 16, letters[8] == "T" else { return nil }
    func part(_ range: Range<Int>) -> String { String(letters[range]) }
    return Timestamp(
      rfc3339:
        "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z")
  }
}
