import Evidence
import Mechanisms
import Wire

/// A caller whom the cluster maps is refused because of the token that its kubeconfig makes.
struct TokenMisfits: Link {
  let code = "identity/token-misfits"
  let explains: [Effect.Kind] = [.tokenRefused]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let client = world.target.client else { return .silent }
    let cluster = await world.cluster()
    let verdict = TokenFit.decide(TokenMisfits.facts(client, cluster, world))
    let citation = Citation(
      source: "kubeconfig", locator: "context \(client.context)", field: client.kind == .plugin ? "user.exec" : "user",
      value: client.cluster.map { "signs for cluster \($0)" } ?? client.server, at: world.now)
    switch verdict.outcome {
    case .open: return .silent
    case .yes: return .refuted("the kubeconfig signs for this cluster and sends to its endpoint", [Exhibit(citation)])
    case .no: break
    }
    let reason = verdict.reasons[verdict.reasons.count - 1]
    let evidence = [Exhibit(citation, text: "kubeconfig context \(client.context): \(reason.text)")]
    let word = reason.code.split(separator: "/").last.map(String.init) ?? ""
    return .holds(
      Explanation(
        "the cluster takes no token of this kubeconfig, whoever signs it: \(reason.text)", entity: effect.entity,
        evidence: evidence,
        root: RootCause(
          "identity/token-\(word)", layer: .application, entity: Entity("Context", client.context),
          statement:
            "context \(client.context) of the kubeconfig is not right for cluster \(world.target.cluster ?? ""): \(reason.text)",
          evidence: evidence, fixes: [TokenMisfits.fix(world)])))
  }

  static func facts(
    _ client: SignInClient, _ cluster: Investigation.Found, _ world: Investigation
  ) -> TokenFit.Facts {
    func fact<Value: Sendable>(_ value: Value?, _ what: String) -> Fact<Value> {
      let gap = cluster.gap ?? Gap(read: what, why: "it is not told")
      return value.map {
        .known(
          $0,
          .read(
            Citation(
              source: "kubeconfig", locator: "context \(client.context)", field: what, value: "\($0)", at: world.now)))
      } ?? .unknown(gap)
    }
    // What a plugin signs, it signs at the time.
    let signedAt: Fact<Timestamp?> =
      client.kind == .token ? fact(client.signedAt, "token").map { Optional($0) } : .known(nil)
    return TokenFit.Facts(
      server: fact(client.server, "server"), endpoint: fact(cluster.first?["endpoint"].string, "endpoint"),
      signedCluster: fact(client.cluster, "cluster-name"), cluster: fact(world.target.cluster, "cluster"),
      signedRegion: fact(client.region ?? world.target.region, "region"), region: fact(world.target.region, "region"),
      signedAt: signedAt, now: .known(world.now))
  }

  /// Writes the context anew.
  static func fix(_ world: Investigation) -> Fix {
    Fix(
      "writes a context that signs for this cluster, with its endpoint and CA, and makes it the current one",
      command:
        "aws eks update-kubeconfig --name \(Shell.quote(world.target.cluster ?? "CLUSTER"))\(world.target.awsOptions)",
      owner: "hand", touches: ["kubeconfig"], verify: "kubectl auth whoami", expectWithin: "1m")
  }
}

/// The authenticator's log of tokens whose sender it never came to know: what was wrong with them.
struct TokenRefusals: Link {
  let code = "identity/token-refusals"
  let explains: [Effect.Kind] = [.tokenRefused]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    // Where nothing answered, no token was refused.
    guard effect.detail.isEmpty else { return .silent }
    let log = await world.controlPlaneLog("authenticator", stream: "authenticator", pattern: "\"access denied\"")
    if let gap = log.gap { return .open([gap]) }
    // A line with an ARN is of somebody who is known, and not mapped: not of one who is.
    let refusals = log.lines.compactMap { line -> (at: Timestamp, fault: TokenFault)? in
      guard line.text.contains("access denied"), !line.text.contains(" arn=") else { return nil }
      let error = AuthenticatorRecords.field("error", in: line.text) ?? ""
      return (line.at, TokenFault(error))
    }
    guard let last = refusals.last else {
      let citation = Citation(
        source: "logs", locator: "authenticator", field: "access denied", value: "none", at: world.now)
      return .refuted("the authenticator refused no token in the last hour", [Exhibit(citation)])
    }
    var kinds: [TokenFault.Kind] = []
    for refusal in refusals where !kinds.contains(refusal.fault.kind) { kinds.append(refusal.fault.kind) }
    guard kinds.count == 1 else {
      return .open([
        Gap(
          read: "which of the refused tokens was this caller's",
          why:
            "the authenticator refused tokens for \(Count.of(kinds.count, "reason")) in the last hour (\(kinds.map(\.rawValue).joined(separator: ", "))), and such a line names nobody",
          how: "try again, and compare the time of the refusal with the authenticator's log")
      ])
    }
    let evidence = [
      Exhibit(
        Citation(
          source: "logs", locator: "authenticator", field: "error", value: Ages.shortened(last.fault.error, 300),
          at: last.at),
        text:
          "logs authenticator \(Ages.clock(last.at, now: world.now)), \(Count.of(refusals.count, "line")): \(Ages.shortened(last.fault.error, 200))"
      )
    ]
    return .holds(
      Explanation(
        "the authenticator refused the token itself: \(last.fault.statement)", entity: effect.entity,
        evidence: evidence,
        root: RootCause(
          "identity/token-\(last.fault.kind.rawValue)", layer: last.fault.kind.layer, entity: effect.entity,
          statement: last.fault.statement, evidence: evidence, fixes: [last.fault.fix(world)]),
        lastSymptomAt: last.at))
  }
}

/// What is wrong with a token, as the authenticator's error tells it.
struct TokenFault: Sendable {
  enum Kind: String, Sendable {
    case expired, cluster, credentials, clock, host, sts, throttled, malformed

    var layer: RootCause.Layer {
      switch self {
      case .sts, .throttled: .aws
      default: .application
      }
    }
  }

  var kind: Kind
  var error: String

  /// In order: the first that stands in the error is it.
  private static let texts: [(text: String, kind: Kind)] = [
    ("X-Amz-Date parameter is expired", .expired), ("Signature expired", .expired),
    ("Signature not yet current", .clock), ("was throttled", .throttled), ("error during GET", .sts),
    ("RegionDisabledException", .sts), ("ExpiredToken", .credentials), ("InvalidClientTokenId", .credentials),
    ("SignatureDoesNotMatch", .cluster), ("unexpected hostname", .host), ("could not parse region", .host),
    ("does not support hostname", .host), ("global endpoint unsupported", .host),
  ]

  init(_ error: String) {
    self.error = error
    kind = TokenFault.texts.first { error.contains($0.text) }?.kind ?? .malformed
  }

  var statement: String {
    switch kind {
    case .expired: "it was signed more than 15 minutes before, or by a clock that is behind"
    case .clock: "it was signed by a clock that is ahead"
    case .cluster: "STS finds its signature wrong: it is signed for a cluster of another name, or by another secret key"
    case .credentials: "STS doesn't take the credentials that signed it: they have expired or don't exist any more"
    case .host: "it points to a host that is no STS of the cluster's partition"
    case .sts: "the authenticator could not reach STS in the region that it points to"
    case .throttled: "STS throttled the calls of the authenticator"
    case .malformed: "it is no well-formed token: \(error)"
    }
  }

  func fix(_ world: Investigation) -> Fix {
    switch kind {
    case .cluster, .host, .malformed: return TokenMisfits.fix(world)
    case .expired:
      var fix = TokenMisfits.fix(world)
      fix.statement =
        "writes a context that signs a token at each use, in place of one that was written down; let the machine's clock follow NTP if it does so already"
      return fix
    case .clock: return Fix("let the machine's clock follow NTP", owner: "hand", touches: ["the client's clock"])
    case .credentials:
      return Fix(
        "sign in anew, so that kubectl signs with credentials that hold (aws sts get-caller-identity shows whether they do)",
        owner: "hand", touches: ["the client's credentials"], verify: "aws sts get-caller-identity")
    case .sts:
      return Fix(
        "let STS be active in that region (IAM, account settings), or sign for another with --region",
        owner: "hand", touches: ["account"])
    case .throttled:
      return Fix(
        "let fewer clients sign in at once: a token is good for 14 minutes, and may be kept so long", owner: "hand",
        touches: ["clients of the cluster"])
    }
  }
}
