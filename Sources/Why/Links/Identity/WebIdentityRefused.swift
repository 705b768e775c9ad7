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
  /// The role that has the name in the annotation, but another ARN.
  var namesake: String?
  /// The ARNs of all providers of the account, where they could be read.
  var providers: [String]?
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
    if let gap = listed.gap ?? world.foreign(role) {
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
    let namesake = document.isNull ? found["Arn"].string : nil
    var check = WebIdentityCheck(
      reading: reading, role: role, issuer: issuer ?? "", claims: claims.value.flatMap { $0 }, taken: taken,
      hasRole: trust.map { $0 != nil }, document: document, roleTags: found["Tags"], namesake: namesake,
      providers: listed.gap == nil ? listed.items.compactMap { $0["Arn"].string } : nil, evidence: evidence)
    if let citation = trust.citation { check.evidence.append(Exhibit(citation)) }
    if let provider = taken.value, let policy = trust.value.flatMap({ $0 }), let claims = check.claims {
      check.trusted = trusts(policy, provider.arn, claims, world)
    }
    return check
  }

  private static func trusts(
    _ policy: NamedPolicy, _ provider: String, _ claims: WebIdentityToken.Claims, _ world: Investigation
  ) -> Verdict<TrustPolicy.Grant, PolicyReason> {
    let rest = Gap(
      read: "the condition keys of the call", why: "the trust policy asks for them, and they aren't known from outside",
      how:
        "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=AssumeRoleWithWebIdentity\(world.target.awsOptions)"
    )
    var context = WebIdentityToken.context(claims, rest: rest)
    context.setTime(world.now)
    return TrustPolicy.decide(
      .init(
        trust: .known(policy), principal: .known(.webIdentity(provider: provider)),
        action: .known("sts:AssumeRoleWithWebIdentity"), context: .known(context)))
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
      if let namesake { return anotherARN(namesake, verify, world) }
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
    let provider = taken.value?.arn ?? ""
    let mended = TrustPolicyFix(document: document) { changed in
      guard let policy = try? PolicyDocument(changed), let claims else { return false }
      return !Self.trusts(NamedPolicy("its trust policy", policy), provider, claims, world).isNo
    }.webIdentity(
      provider: provider, host: host, subject: reading.subject,
      audience: claims?.audience?.first ?? "sts.amazonaws.com",
      isGone: { arn in providers.map { !$0.contains(arn) } ?? false })
    let instead = "let \(reading.subject) of \(host) assume role \(name)"
    return RootCause(
      "identity/trust-policy-differs", layer: .aws, entity: Entity("Role", name),
      statement:
        "role \(name) does not trust this service account: \(difference?.because.text ?? "no statement is for it")",
      evidence: evidence,
      fixes: [
        TagOwner(tags: roleTags).fix(
          Fix(
            "lets \(reading.subject) of this cluster assume the role",
            command: mended.map {
              "aws iam update-assume-role-policy --role-name \(Shell.quote(name)) --policy-document \(Shell.quote($0.text()))\(options)"
            }, owner: "hand", touches: ["role/\(name)"],
            undo:
              "aws iam update-assume-role-policy --role-name \(Shell.quote(name)) --policy-document \(Shell.quote(document.text()))\(options)",
            verify: verify, expectWithin: "1m"), instead: instead)
      ])
  }

  /// The annotation spells the ARN of the role otherwise than IAM does.
  private func anotherARN(_ namesake: String, _ verify: String, _ world: Investigation) -> RootCause {
    let account = reading.accountEntity
    let owner = FieldOwner.shown(by: reading.account.value.flatMap { $0 } ?? .null, .serviceAccounts, at: world.now)
    let annotate =
      "\(world.target.kubectl) -n \(Shell.quote(reading.namespace)) annotate serviceaccount \(Shell.quote(account.name)) --overwrite \(PodIdentityReading.roleKey)="
    let what = "names the role as IAM does in the annotation of \(account.title), and makes the pod anew"
    let fix: Fix
    if case .hand = owner.owner {
      let isAlone = reading.pod["metadata"]["ownerReferences"].items.isEmpty
      fix = Fix(
        isAlone ? "names the role as IAM does; then make the pod anew from its own manifest" : what,
        command: "\(annotate)\(namesake)" + (isAlone ? "" : " && \(world.recreate(reading.pod))"), owner: "hand",
        touches: ["serviceaccount/\(account.name)", "pod/\(reading.entity.name)"], restarts: !isAlone,
        undo: "\(annotate)\(role)", verify: verify, expectWithin: "1m")
    } else {
      fix = Fix(
        "\(what); the annotation is written where \(account.title) is made", owner: "unknown",
        touches: ["serviceaccount/\(account.name)"], restarts: true, verify: verify)
    }
    return RootCause(
      "identity/role-arn-differs", layer: .eks, entity: account,
      statement: "there is no role \(role), which \(account.title) names: the role of that name is \(namesake)",
      evidence: evidence + owner.evidence, fixes: [fix])
  }
}
