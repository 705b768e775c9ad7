import Wire

/// Who STS says the caller is.
package struct STSIdentity: Sendable, Equatable {
  /// As STS answers it: `arn:aws:sts::…:assumed-role/R/S`.
  package var arn: String
  package var canonicalARN: String
  package var account: String
  /// `AROA…`, `AIDA…`; the account's number for root.
  package var principalID: String
  /// Empty for a user, root and a federated user.
  package var sessionName: String
  package var accessKeyID: String

  package init(
    arn: String, canonicalARN: String, account: String, principalID: String, sessionName: String,
    accessKeyID: String = ""
  ) {
    self.arn = arn
    self.canonicalARN = canonicalARN
    self.account = account
    self.principalID = principalID
    self.sessionName = sessionName
    self.accessKeyID = accessKeyID
  }

  /// From the ARN and the user id of `GetCallerIdentity`; nil where either is none.
  package init?(arn: String, userID: String, account: String? = nil, accessKeyID: String = "") {
    guard let principal = try? CanonicalARN.of(arn), let parsed = ARN.parse(arn) else { return nil }
    var id = userID
    var session = ""
    if principal.kind == .assumedRole {
      let parts = userID.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2 else { return nil }
      (id, session) = (String(parts[0]), String(parts[1]))
    }
    self.init(
      arn: arn, canonicalARN: principal.arn, account: account ?? parsed.account, principalID: id, sessionName: session,
      accessKeyID: accessKeyID)
  }
}

/// What the verifier makes of STS's answer (kubernetes-sigs/aws-iam-authenticator, `pkg/token`).
package enum STSOutcome: Rule {
  package static let name = "identity/sts-answer"

  package struct Answer: Sendable, Equatable {
    package var status: Int
    package var body: String

    package init(status: Int, body: String) {
      self.status = status
      self.body = body
    }
  }

  package struct Facts: FactSet {
    /// Nil where no answer came, with ``failure`` saying why.
    package var answer: Fact<Answer?>
    /// The transport's error text.
    package var failure: Fact<String>
    package var request: Fact<PresignedRequest>

    package init(answer: Fact<Answer?>, failure: Fact<String> = .known(""), request: Fact<PresignedRequest>) {
      self.answer = answer
      self.failure = failure
      self.request = request
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.answer), hider(\.failure), hider(\.request),
    ]
  }

  /// The HTTP status of the authenticator's reply to a review that failed for this reason.
  package static func replyStatus(_ reason: Because) -> Int {
    reason.code == "identity/sts-answer/throttled" ? 429 : 403
  }

  package static func decide(_ facts: Facts) -> Verdict<STSIdentity, Because> {
    let evidence = facts.answer.citation
    let region = facts.request.value?.region ?? ""
    func refuse(_ code: String, _ text: String) -> Verdict<STSIdentity, Because> {
      .no([Because("identity/sts-answer/\(code)", text, evidence: [evidence])])
    }
    func failed(_ code: String, _ text: String) -> Verdict<STSIdentity, Because> {
      refuse(code, "sts getCallerIdentity failed: \(text)")
    }
    guard let known = facts.answer.value else { return .open([facts.answer.gap!]) }
    guard let answer = known else {
      return failed("unreachable", "error during GET: \(facts.failure.value ?? "") on \(region) endpoint")
    }
    guard answer.status == 200 else {
      if answer.body.contains("Throttling") {
        return refuse("throttled", "sts getCallerIdentity was throttled: \(answer.body)")
      }
      return failed(
        answer.body.contains("SignatureDoesNotMatch") ? "signature" : "refused",
        "error from AWS (expected 200, got \(answer.status)) on \(region) endpoint. Body: \(answer.body)")
    }
    guard let body = try? JSON.parse(Array(answer.body.utf8)) else {
      return failed("body", "invalid character in the body")
    }
    let result = body["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
    let arn = result["Arn"].string ?? ""
    let userID = result["UserId"].string ?? ""
    do { _ = try CanonicalARN.of(arn) } catch { return failed("arn", error.message) }
    guard
      let identity = STSIdentity(
        arn: arn, userID: userID, account: result["Account"].string ?? "",
        accessKeyID: facts.request.value?.accessKeyID ?? "")
    else { return failed("user-id", "malformed UserID \(GoText.quote(userID))") }
    guard let gap = facts.request.gap else {
      return .yes(identity, [Because("identity/sts-answer/caller", "STS answers \(arn)", evidence: [evidence])])
    }
    return .open([gap])
  }
}
