import Evidence
import Mechanisms
import Wire

/// STS does not take the pod's token for the role: no provider, another audience, a trust policy that does not fit.
struct WebIdentityRefused: Link {
  let code = "identity/web-identity-refused"
  let explains: [Effect.Kind] = [.podWebIdentity]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let check = await WebIdentityCheck.make(effect, world)
    guard let check else { return .silent }
    if let root = check.root(world) {
      return .holds(
        Explanation(
          "STS refuses the token of \(check.reading.subject) for \(check.role): \(check.error)", entity: effect.entity,
          evidence: check.evidence, root: root))
    }
    // That it is taken is the statement of another link.
    return check.gaps.isEmpty ? .silent : .open(check.gaps)
  }
}

/// STS takes the pod's token, and so its programs have the role.
struct WebIdentityTaken: Link {
  let code = "identity/web-identity-taken"
  let explains: [Effect.Kind] = [.podWebIdentity]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let check = await WebIdentityCheck.make(effect, world)
    guard let check, check.gaps.isEmpty, check.taken.isYes, check.trusted?.isYes == true else { return .silent }
    return .holds(
      Explanation(
        "STS gives \(check.reading.subject) the role \(check.role): IAM knows the cluster's issuer, and the role trusts it",
        entity: effect.entity, evidence: check.evidence))
  }
}

/// What STS says to a pod's token, by the rules that STS goes by.
struct WebIdentityCheck: Sendable {
  var reading: PodIdentityReading
  var role: String
  var issuer: String
  var claims: WebIdentityToken.Claims?
  var taken: Verdict<WebIdentityToken.Provider, Because>
  /// Nil where the token is refused before.
  var trusted: Verdict<TrustPolicy.Grant, PolicyReason>?
  var hasRole: Fact<Bool>
  var document: JSON
  var roleTags: JSON
  var evidence: [Exhibit]

  private var host: String { issuer.hasPrefix("https://") ? String(issuer.dropFirst(8)) : issuer }

  var gaps: [Gap] { taken.gaps + (trusted?.gaps ?? []) + (hasRole.gap.map { [$0] } ?? []) }

  /// The error that the SDK gets.
  var error: String {
    if taken.isNo, let reason = taken.reasons.last { return "\(WebIdentityToken.errorCode(reason)): \(reason.text)" }
    return "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
  }

  static func make(_ effect: Effect, _ world: Investigation) async -> WebIdentityCheck? {
    guard let reading = await world.podIdentity(effect.entity).reading else { return nil }
    let role = effect.detail
    async let clusterRead = world.cluster()
    async let listRead = world.aws(.listOpenIDConnectProviders)
    let (cluster, listed) = await (clusterRead, listRead)
    let issuer = cluster.first?["identity"]["oidc"]["issuer"].string
    var evidence: [Exhibit] = []
    let claims: Fact<WebIdentityToken.Claims?>
    if let issuer {
      evidence.append(
        Exhibit(
          Cite.aws(
            .describeCluster, world.target.cluster ?? "", field: "identity.oidc.issuer", value: issuer, at: cluster.at))
      )
      let audience = reading.audience(ofVolume: PodIdentityWebhook.tokenVolume)
      claims = .known(
        WebIdentityToken.Claims(
          issuer: issuer, subject: reading.subject, audience: [audience ?? "sts.amazonaws.com"],
          // The kubelet renews it long before its end.
          expires: world.now.seconds + 3600))
    } else {
      claims = .unknown(
        cluster.gap ?? Gap(read: "eks:DescribeCluster", why: "identity.oidc.issuer is not in the answer"))
    }
    let host = issuer.map { $0.hasPrefix("https://") ? String($0.dropFirst(8)) : $0 } ?? ""
    var providers: Fact<[WebIdentityToken.Provider]>
    if let gap = listed.gap {
      providers = .unknown(gap)
    } else {
      let own = listed.items.compactMap { $0["Arn"].string }.first { ARN.parse($0)?.resourceID == host }
      let citation = Cite.aws(
        .listOpenIDConnectProviders, field: "Arn", value: own ?? "none for \(host)", at: listed.at)
      evidence.append(Exhibit(citation))
      providers = .known([], .read(citation))
      if let own {
        let whole = await world.aws(.getOpenIDConnectProvider, ["OpenIDConnectProviderArn": own])
        let ids = whole.first?["ClientIDList"].strings ?? []
        let citation = Cite.aws(
          .getOpenIDConnectProvider, own, field: "ClientIDList", value: ids.joined(separator: ", "), at: whole.at)
        providers = whole.gap.map { .unknown($0) } ?? .known([.init(arn: own, clientIDs: ids)], .read(citation))
        if whole.gap == nil { evidence.append(Exhibit(citation)) }
      }
    }
    let taken = WebIdentityToken.decide(
      .init(claims: claims, isVerified: .known(true), providers: providers, now: .known(world.now)))
    let (trust, document, found) = await world.trustPolicy(ofRole: role)
    var check = WebIdentityCheck(
      reading: reading, role: role, issuer: issuer ?? "", claims: claims.value.flatMap { $0 }, taken: taken,
      hasRole: trust.map { $0 != nil }, document: document, roleTags: found["Tags"], evidence: evidence)
    if let citation = trust.citation {
      check.evidence.append(
        Exhibit(
          Citation(
            source: citation.source, locator: citation.locator, field: citation.field,
            value: document.isNull ? "no such role" : document["Statement"].text(), at: citation.at)))
    }
    if let provider = taken.value, let policy = trust.value.flatMap({ $0 }), let claims = check.claims {
      var context = WebIdentityToken.context(claims)
      context.rest = Gap(read: "the condition keys of the call", why: "they aren't known from outside")
      check.trusted = TrustPolicy.decide(
        .init(
          trust: .known(policy), principal: .known(.webIdentity(provider: provider.arn)),
          action: .known("sts:AssumeRoleWithWebIdentity"), context: .known(context)))
    }
    return check
  }

  // MARK: - The root

  func root(_ world: Investigation) -> RootCause? {
    let verify = "ekswhy credentials/\(reading.entity.name) -n \(reading.namespace)"
    let options = world.target.awsOptions
    if taken.isNo, let reason = taken.reasons.last {
      switch reason.code {
      case "\(WebIdentityToken.name)/no-provider":
        return RootCause(
          "identity/no-oidc-provider", layer: .aws, entity: Entity("OpenIDConnectProvider", host),
          statement: "IAM has no OpenID Connect provider for the cluster's issuer \(issuer)", evidence: evidence,
          fixes: [
            Fix(
              "makes the provider; the next try of the SDK finds it",
              command:
                "aws iam create-open-id-connect-provider --url \(Shell.quote(issuer)) --client-id-list sts.amazonaws.com\(options)",
              owner: "hand", touches: ["oidc-provider/\(host)"], verify: verify, expectWithin: "1m")
          ])
      case "\(WebIdentityToken.name)/audience":
        let account = ARN.parse(role)?.account ?? ""
        let audience = claims?.audience?.first ?? ""
        return RootCause(
          "identity/provider-lacks-audience", layer: .aws, entity: Entity("OpenIDConnectProvider", host),
          statement: "the token is for \(audience), which is not among the provider's client ids", evidence: evidence,
          fixes: [
            Fix(
              "adds the audience to the provider",
              command:
                "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn arn:aws:iam::\(account):oidc-provider/\(host) --client-id \(Shell.quote(audience))\(options)",
              owner: "hand", touches: ["oidc-provider/\(host)"], verify: verify, expectWithin: "1m")
          ])
      default: return nil
      }
    }
    if case .known(false, _) = hasRole {
      return RootCause(
        "identity/role-does-not-exist", layer: .aws, entity: Entity("Role", ARN.parse(role)?.name ?? role),
        statement: "there is no role \(role), which \(reading.accountEntity.title) names", evidence: evidence,
        fixes: [
          Fix(
            "make the role, or correct the annotation \(PodIdentityReading.roleKey) of \(reading.accountEntity.title)",
            owner: "unknown", touches: ["serviceaccount/\(reading.accountName)"], verify: verify)
        ])
    }
    guard let trusted, trusted.isNo else { return nil }
    let name = ARN.parse(role)?.name ?? role
    let difference =
      trusted.reasons.first { if case .implicitDeny = $0 { false } else { true } } ?? trusted.reasons.last
    let mended = TrustPolicyFix.mended(
      document, host: host, account: ARN.parse(role)?.account ?? "", subject: reading.subject,
      audience: claims?.audience?.first ?? "sts.amazonaws.com")
    return RootCause(
      "identity/trust-policy-differs", layer: .aws, entity: Entity("Role", name),
      statement:
        "role \(name) does not trust this service account: \(difference?.because.text ?? "no statement is for it")",
      evidence: evidence,
      fixes: [
        TagOwner(tags: roleTags).fix(
          Fix(
            "lets \(reading.subject) of this cluster assume the role",
            command:
              "aws iam update-assume-role-policy --role-name \(Shell.quote(name)) --policy-document \(Shell.quote(mended.text()))\(options)",
            owner: "hand", touches: ["role/\(name)"],
            undo:
              "aws iam update-assume-role-policy --role-name \(Shell.quote(name)) --policy-document \(Shell.quote(document.text()))\(options)",
            verify: verify, expectWithin: "1m"), instead: "let \(reading.subject) of \(host) assume role \(name)")
      ])
  }
}

/// A trust policy that lets a service account in, with as little changed as it takes.
enum TrustPolicyFix {
  private static let action = "sts:AssumeRoleWithWebIdentity"

  static func mended(_ document: JSON, host: String, account: String, subject: String, audience: String) -> JSON {
    let provider = "arn:aws:iam::\(account):oidc-provider/\(host)"
    var document = document
    if document.object == nil { document = ["Version": "2012-10-17"] }
    var statements = document["Statement"].array ?? [document["Statement"]].filter { $0.object != nil }
    let wanted: JSON = [
      "Effect": "Allow", "Principal": ["Federated": .string(provider)], "Action": .string(action),
      "Condition": ["StringEquals": ["\(host):sub": .string(subject), "\(host):aud": .string(audience)]],
    ]
    // The statement that was meant for it: of this provider, or of a cluster that is gone.
    let own = statements.firstIndex { $0["Principal"]["Federated"].string == provider && names($0, action) }
    let stale = statements.firstIndex { statement in
      names(statement, action)
        && statement["Principal"]["Federated"].string?.contains("oidc-provider/oidc.eks.") == true
    }
    if let at = own ?? stale, statements[at]["Effect"].string == "Allow" {
      // Others that the statement lets in by name stay in.
      let before = statements[at]["Condition"]["StringEquals"]["\(host):sub"]
      var subjects = before.array ?? (before.isNull ? [] : [before])
      subjects = subjects.filter { $0.string?.contains("*") != true && $0.string != subject }
      statements[at] = wanted
      if own != nil, !subjects.isEmpty {
        statements[at]["Condition"]["StringEquals"]["\(host):sub"] = .array(subjects + [.string(subject)])
      }
    } else {
      statements.append(wanted)
    }
    document["Statement"] = .array(statements)
    return document
  }

  private static func names(_ statement: JSON, _ action: String) -> Bool {
    let actions = statement["Action"].string.map { [$0] } ?? statement["Action"].strings
    return actions.contains { $0.lowercased() == action.lowercased() || $0 == "sts:*" || $0 == "*" }
  }
}
