package import Wire

/// Whether a bearer token is a presigned request that may be sent to STS
/// (kubernetes-sigs/aws-iam-authenticator, `pkg/token`, everything before the GET).
///
/// The tests run in upstream's order and the first that fails wins; the reason's text is the whole error.
package enum TokenVerification: Rule {
  package static let name = "identity/token"

  package struct Facts: FactSet {
    package var token: Fact<String>
    package var now: Fact<Timestamp>
    package var partition: Fact<String>
    /// The region the verifier runs in; empty for none.
    package var region: Fact<String>
    /// Origins that `ekswhy env` prints, `http://localhost:4566`: they pass the scheme and host tests.
    package var localOrigins: Fact<[String]>

    package init(
      token: Fact<String>, now: Fact<Timestamp>, partition: Fact<String> = .known("aws"), region: Fact<String>,
      localOrigins: Fact<[String]> = .known([])
    ) {
      self.token = token
      self.now = now
      self.partition = partition
      self.region = region
      self.localOrigins = localOrigins
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.token), hider(\.now), hider(\.partition), hider(\.region), hider(\.localOrigins),
    ]
  }

  package static let prefix = "k8s-aws-v1."
  package static let maximumLength = 4096
  /// How long after `X-Amz-Date` a token is good.
  package static let lifetime = Duration.seconds(900)

  private static let allowed = [
    "action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token",
    "x-amz-signature", "x-amz-signedheaders",
  ]

  package static func decide(_ facts: Facts) -> Verdict<PresignedRequest, Because> {
    let token: String
    switch facts.token {
    case .unknown(let gap): return .open([gap])
    case .known(let text, _): token = text
    }
    let evidence = facts.token.citation
    func refuse(_ code: String, _ text: String) -> Verdict<PresignedRequest, Because> {
      .no([Because("identity/token/\(code)", "input token was not properly formatted: \(text)", evidence: [evidence])])
    }

    guard token.utf8.count <= maximumLength else { return refuse("too-large", "token is too large") }
    guard token.hasPrefix(prefix) else {
      return refuse("prefix", "token is missing expected \(GoText.quote(prefix)) prefix")
    }
    let text: String
    let url: GoURL
    do {
      text = String(decoding: try GoBase64.rawURLDecode(token.dropFirst(prefix.count)), as: UTF8.self)
    } catch { return refuse("base64", error.message) }
    do { url = try GoURL(text) } catch { return refuse("url", error.message) }

    var open: [Gap] = []
    var region: String?
    switch STSHost.endpoint(url, facts.partition, facts.region) {
    case .success(let name): region = name
    case .failure(.open(let gaps)): open += gaps
    case .failure(.refused(let code, let message)):
      switch STSHost.isLocal(url, facts.localOrigins) {
      case .yes: break
      case .no: return refuse(code, message)
      case .open(let gaps): open += gaps
      }
    }
    switch request(text, url, facts.now, refuse) {
    case .failure(let refusal): return refusal.verdict
    case .success(var request):
      open += request.gaps
      guard open.isEmpty else { return .open(open) }
      request.value.region = region ?? request.value.scopeRegion
      return .yes(
        request.value,
        [
          Because(
            "identity/token/well-formed", "the token is a presigned GetCallerIdentity for \(url.host)",
            evidence: [evidence])
        ])
    }
  }

  private struct Refusal: Error { var verdict: Verdict<PresignedRequest, Because> }

  /// The tests after the host's.
  private static func request(
    _ text: String, _ url: GoURL, _ now: Fact<Timestamp>,
    _ refuse: (String, String) -> Verdict<PresignedRequest, Because>
  ) -> Result<(value: PresignedRequest, gaps: [Gap]), Refusal> {
    func no(_ code: String, _ text: String) -> Result<(value: PresignedRequest, gaps: [Gap]), Refusal> {
      .failure(Refusal(verdict: refuse(code, text)))
    }
    guard url.path == "/" else { return no("path", "unexpected path in pre-signed URL") }
    guard let pairs = url.query else { return no("query", "malformed query parameter") }
    var names: [String] = []
    for pair in pairs where !names.contains(pair.name) { names.append(pair.name) }
    var lowered: [String] = []
    for name in names {
      guard !lowered.contains(name.lowercased()) else {
        return no("duplicate", "duplicate query parameter found: \(GoText.quote(name))")
      }
      lowered.append(name.lowercased())
    }
    var query: [String: String] = [:]
    for name in names {
      guard allowed.contains(name.lowercased()) else {
        return no("parameter", "non-whitelisted query parameter \(GoText.quote(name))")
      }
      let values = pairs.filter { $0.name == name }
      guard values.count == 1 else { return no("multiple", "query parameter with multiple values not supported") }
      query[name.lowercased()] = values[0].value
    }
    guard query["action"] == "GetCallerIdentity" else {
      return no("action", "unexpected action parameter in pre-signed URL")
    }
    let signedHeaders = (query["x-amz-signedheaders"] ?? "").split(separator: ";").map(String.init)
    guard signedHeaders.contains(where: { $0.lowercased() == "x-k8s-aws-id" }) else {
      return no("cluster-header", "client did not sign the x-k8s-aws-id header in the pre-signed URL")
    }
    let expires = query["x-amz-expires"].map(goInteger) ?? (value: 0, valid: false)
    guard expires.valid, (0...900).contains(expires.value) else {
      return no("expires", "invalid X-Amz-Expires parameter in pre-signed URL: \(expires.value)")
    }
    let dateText = query["x-amz-date"] ?? ""
    guard !dateText.isEmpty else { return no("date", "X-Amz-Date parameter must be present in pre-signed URL") }
    let date: Timestamp
    do { date = try GoTime.parseAmz(dateText) } catch {
      return no(
        "date", "error parsing X-Amz-Date parameter \(dateText) into format \(GoTime.amzLayout): \(error.message)")
    }
    let request = PresignedRequest(
      url: text, scheme: url.scheme, host: url.host, rawQuery: url.rawQuery, query: query,
      accessKeyID: String((query["x-amz-credential"] ?? "").prefix { $0 != "/" }), date: date, expires: expires.value,
      signedHeaders: signedHeaders, region: "")
    switch now {
    case .unknown(let gap): return .success((request, [gap]))
    case .known(let now, _):
      guard now <= date + lifetime else {
        return no(
          "expired", "X-Amz-Date parameter is expired (15 minute expiration) \(GoText.time(date))")
      }
      return .success((request, []))
    }
  }

  /// `strconv.Atoi`: the value it gives beside its error too.
  private static func goInteger(_ text: String) -> (value: Int, valid: Bool) {
    let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return (0, false) }
    if let value = Int(text) { return (value, true) }
    return (text.hasPrefix("-") ? Int.min : Int.max, false)
  }
}

extension PresignedRequest {
  /// The region in the credential's scope.
  fileprivate var scopeRegion: String {
    let parts = (query["x-amz-credential"] ?? "").split(separator: "/", omittingEmptySubsequences: false)
    return parts.count > 2 ? String(parts[2]) : ""
  }
}
