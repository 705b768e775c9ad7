import Mechanisms
import Wire
import World

extension APIServer {
  /// The user of an ID token of the cluster's OpenID Connect provider; nil where the token is of nobody it knows.
  ///
  /// The provider is discovered and its keys are fetched when they are first wanted, and the keys again when none of
  /// them made a signature; the request waits for that.
  func user(ofIDToken text: String, _ exchange: Exchange) throws(KubeStatus) -> TokenJudgement {
    guard let provider = world.ports.identityProvider(id), let token = JSONWebToken(text),
      token.claims["iss"].string == provider.issuerURL
    else { return .unknown }
    let known = providerKeys
    known.turn(to: provider)
    var facts = OIDCToken.Facts(
      provider: .known(provider), token: .known(token),
      signature: .unknown(Gap(read: "jwks", why: "not asked yet")), now: .known(now))
    guard let address = try keyAddress(known, exchange) else { return .refused("oidc: authenticator not initialized") }
    // What is refused without its signature causes no call.
    let first = OIDCToken.decide(facts)
    if first.isNo { return .refused(first.reasons.last?.text ?? "") }
    if known.keys["keys"].items.isEmpty || !world.ports.verifyWebToken(token, known.keys) {
      switch try fetch(address, exchange) {
      case .failure(let fault): facts.signature = .known(.noKeys("oidc: get keys failed\(fault.text)"))
      case .success(let keys):
        if keys.object == nil {
          facts.signature = .known(.noKeys("oidc: failed to decode keys: \(keys.text())"))
        } else {
          known.keys = keys
          facts.signature = .known(world.ports.verifyWebToken(token, keys) ? .holds : .fails)
        }
      }
    } else {
      facts.signature = .known(.holds)
    }
    let verdict = OIDCToken.decide(facts)
    guard let user = verdict.value else { return .refused(verdict.reasons.last?.text ?? "") }
    return .user(KubeUser(name: user.name, groups: user.groups))
  }

  /// Where the provider's keys are, by its discovery document; nil while that can't be had.
  private func keyAddress(_ known: ProviderKeys, _ exchange: Exchange) throws(KubeStatus) -> String? {
    if let address = known.address { return address }
    guard let issuer = known.provider?.issuerURL, now >= known.retryAt else { return nil }
    let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
    if case .success(let document) = try fetch("\(base)/.well-known/openid-configuration", exchange),
      document["issuer"].string == issuer, let address = document["jwks_uri"].string, !address.isEmpty
    {
      known.address = address
      return address
    }
    known.retryAt = now + ProviderKeys.retryInterval
    return nil
  }

  private struct Fault: Error {
    var text: String
  }

  /// A document from outside as JSON; not again within one request.
  private func fetch(_ url: String, _ exchange: Exchange) throws(KubeStatus) -> Result<JSON, Fault> {
    let address = WebhookAddress(outside: url)
    guard case .call(_, let serverName) = address else {
      guard case .unreachable(_, let why) = address else { return .failure(Fault(text: "")) }
      return .failure(Fault(text: " Get \(GoText.quote(url)): \(why)"))
    }
    let question: JSON = ["get": .string(url)]
    guard let call = exchange.calls.first(where: { $0.question == question }) else {
      exchange.calls.append(
        PendingCall(
          question: question, uid: "",
          call: OutboundCall(
            method: "GET", url: url, headers: ["User-Agent": "Go-http-client/1.1"], serverName: serverName,
            timeout: .seconds(30))))
      throw .suspended
    }
    switch call.reply {
    case nil: throw .suspended
    case .failed(let why): return .failure(Fault(text: " Get \(GoText.quote(url)): \(why)"))
    case .answer(let status, let body):
      guard status == 200 else {
        return .failure(Fault(text: ": \(status) \(String(decoding: body.prefix(1024), as: UTF8.self))"))
      }
      return .success((try? JSON.parse(body)) ?? .null)
    }
  }
}
