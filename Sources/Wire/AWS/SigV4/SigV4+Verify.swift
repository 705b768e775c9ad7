extension SigV4 {
  /// What a request says about its signature; nil when it carries none.
  package static func claim(in request: HTTPRequest) -> Result<SigV4Claim, SigV4Failure>? {
    if let header = request.headers["authorization"] { return claim(header: header, request) }
    let pairs = request.query.flatMap { PercentEncoding.pairs($0) } ?? []
    guard pairs.contains(where: { $0.name == "X-Amz-Signature" || $0.name == "X-Amz-Credential" }) else { return nil }
    return claim(query: pairs)
  }

  /// Checks date, scope and signature, in the services' order. `service` is the signing name that the request must
  /// be for; nil takes any. `secret` gives what belongs to an access key, or nil for an unknown key.
  package static func verify(
    _ request: HTTPRequest, service: String?, now: Timestamp, secret: (String) -> AWSCredentials?
  ) -> Result<SigV4Claim, SigV4Failure> {
    let claim: SigV4Claim
    switch self.claim(in: request) {
    case nil: return .failure(.missing)
    case .failure(let failure): return .failure(failure)
    case .success(let found): claim = found
    }
    let day = String(claim.amzDate.prefix(8))
    guard claim.day == day else {
      return .failure(
        .invalid(
          "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            + "'\(claim.day.bounded)' != '\(day)', from '\(claim.amzDate)'."))
    }
    if let service, claim.service != service {
      return .failure(.invalid("Credential should be scoped to correct service: '\(service)'. "))
    }
    guard let credentials = secret(claim.accessKeyID) else { return .failure(.unknownKey) }
    if let wanted = credentials.sessionToken {
      guard let token = claim.sessionToken, constantTimeEqual(token, wanted) else { return .failure(.badToken) }
    } else if claim.sessionToken != nil {
      return .failure(.badToken)
    }
    if claim.date < now - past {
      return .failure(
        .expired(
          "Signature expired: \(claim.amzDate) is now earlier than \((now - past).amzDate) (\(now.amzDate) - 15 min.)"))
    }
    if claim.date > now + future {
      return .failure(
        .expired(
          "Signature not yet current: \(claim.amzDate) is still later than \((now + future).amzDate) "
            + "(\(now.amzDate) + 5 min.)"))
    }
    let canonical = canonicalRequest(request, signedHeaders: claim.signedHeaders)
    let scope = Scope(day: claim.day, region: claim.region, service: claim.service)
    let expected = sign(canonical, claim.amzDate, scope, credentials.secretAccessKey)
    guard constantTimeEqual(expected, claim.signature) else { return .failure(.mismatch) }
    return .success(claim)
  }

  private static func constantTimeEqual(_ a: String, _ b: String) -> Bool {
    let a = Array(a.utf8)
    let b = Array(b.utf8)
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for index in a.indices { difference |= a[index] ^ b[index] }
    return difference == 0
  }

  // MARK: Reading the claim

  private static func claim(header: String, _ request: HTTPRequest) -> Result<SigV4Claim, SigV4Failure> {
    guard header.utf8.count <= 8192 else { return .failure(.incomplete("The Authorization header is too long.")) }
    let space = header.firstIndex(of: " ") ?? header.endIndex
    guard header[..<space] == algorithm else {
      // Anything else is no signature of this kind: a bearer token, or an older version.
      return .failure(.missing)
    }
    var values: [String: String] = [:]
    for part in header[space...].split(separator: ",") {
      let pair = part.drop { $0 == " " }
      guard let equals = pair.firstIndex(of: "=") else {
        return .failure(
          .incomplete(
            "'\(String(pair).bounded)' not a valid key=value pair (missing equal-sign) in Authorization header."))
      }
      values[String(pair[..<equals])] = String(pair[pair.index(after: equals)...]).trimmingSpace
    }
    let date = request.headers["x-amz-date"] ?? request.headers["date"]
    var missing: [String] = []
    for name in ["Credential", "Signature", "SignedHeaders"] where values[name] == nil {
      missing.append("Authorization header requires '\(name)' parameter.")
    }
    if date == nil {
      missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    }
    guard missing.isEmpty, let credential = values["Credential"], let signature = values["Signature"],
      let signed = values["SignedHeaders"], let date
    else {
      return .failure(.incomplete("\(missing.joined(separator: " ")) Authorization=\(algorithm)"))
    }
    return claim(
      credential: credential, signature: signature, signed: signed, date: date,
      token: request.headers["x-amz-security-token"], isPresigned: false
    ).flatMap { claim in
      guard claim.signedHeaders.contains("host") else {
        return .failure(.invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."))
      }
      return .success(claim)
    }
  }

  private static func claim(query pairs: [(name: String, value: String)]) -> Result<SigV4Claim, SigV4Failure> {
    func value(_ name: String) -> String? { pairs.first { $0.name == name }?.value }
    var missing: [String] = []
    for name in ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"]
    where value(name)?.isEmpty ?? true {
      missing.append("AWS query-string parameters must include '\(name)'.")
    }
    guard missing.isEmpty, let credential = value("X-Amz-Credential"), let signature = value("X-Amz-Signature"),
      let signed = value("X-Amz-SignedHeaders"), let date = value("X-Amz-Date")
    else {
      return .failure(.incomplete("\(missing.joined(separator: " ")) Re-examine the query-string parameters."))
    }
    guard value("X-Amz-Algorithm") == algorithm else {
      return .failure(.incomplete("Unsupported AWS 'algorithm': '\((value("X-Amz-Algorithm") ?? "").bounded)'."))
    }
    return claim(
      credential: credential, signature: signature, signed: signed, date: date, token: value("X-Amz-Security-Token"),
      isPresigned: true)
  }

  private static func claim(
    credential: String, signature: String, signed: String, date: String, token: String?, isPresigned: Bool
  ) -> Result<SigV4Claim, SigV4Failure> {
    let scope = credential.split(separator: "/", omittingEmptySubsequences: false)
    guard scope.count == 5 else {
      return .failure(
        .incomplete(
          "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            + "got '\(credential.bounded)'"))
    }
    guard scope[4] == "aws4_request" else {
      return .failure(
        .invalid(
          "Credential should be scoped with a valid terminator: 'aws4_request', not '\(String(scope[4]).bounded)'."))
    }
    guard let time = Timestamp(amzDate: date) ?? Timestamp(httpDate: date) else {
      return .failure(
        .incomplete(
          "Date must be in ISO-8601 'basic format'. Got '\(date.bounded)'. See http://en.wikipedia.org/wiki/ISO_8601"))
    }
    let headers = signed.split(separator: ";").map { String($0).lowercasedASCII }
    guard headers.count <= 200 else { return .failure(.incomplete("Too many signed headers.")) }
    return .success(
      SigV4Claim(
        accessKeyID: String(scope[0]), region: String(scope[2]), service: String(scope[3]), date: time,
        signedHeaders: headers, sessionToken: token, isPresigned: isPresigned, day: String(scope[1]),
        amzDate: time.amzDate, signature: signature))
  }
}

extension String {
  fileprivate var trimmingSpace: String {
    var text = Substring(self)
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}

/// What a signed request says of itself.
package struct SigV4Claim: Sendable, Equatable {
  package var accessKeyID: String
  package var region: String
  /// The signing name, such as `elasticloadbalancing`.
  package var service: String
  package var date: Timestamp
  package var signedHeaders: [String]
  package var sessionToken: String?
  package var isPresigned: Bool
  var day: String
  var amzDate: String
  var signature: String
}

extension SigV4Claim: CustomStringConvertible {
  /// Neither signature nor token.
  package var description: String { "claim of \(accessKeyID) for \(service) in \(region) at \(amzDate)" }
}

/// Why a signature was refused. Sources: the texts that STS, EC2 and the JSON services answer.
package enum SigV4Failure: Error, Sendable, Equatable, Codable {
  /// No signature at all.
  case missing
  /// A signature that lacks a part, which the text names.
  case incomplete(String)
  /// Nobody has that access key.
  case unknownKey
  /// The session token doesn't belong to the access key.
  case badToken
  /// The date is too old or too new.
  case expired(String)
  /// The scope is wrong.
  case invalid(String)
  /// The signature is another than the one that the secret makes.
  case mismatch

  private static let mismatchText =
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    + "and signing method. Consult the service documentation for details."

  /// The error as a service of that format writes it.
  package func error(in format: AWSFormat) -> AWSError {
    switch format {
    case .query, .restXML:
      switch self {
      case .missing: AWSError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
      case .incomplete(let text): AWSError("IncompleteSignature", text, 400)
      case .unknownKey, .badToken:
        AWSError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
      case .expired(let text), .invalid(let text): AWSError("SignatureDoesNotMatch", text, 403)
      case .mismatch: AWSError("SignatureDoesNotMatch", SigV4Failure.mismatchText, 403)
      }
    case .ec2:
      switch self {
      case .missing:
        AWSError("MissingParameter", "The request must contain the parameter AWSAccessKeyId", 400)
      case .incomplete(let text): AWSError("IncompleteSignature", text, 400)
      case .unknownKey, .badToken:
        AWSError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
      case .expired: AWSError("RequestExpired", "Request has expired.", 400)
      case .invalid, .mismatch:
        AWSError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
      }
    case .json, .restJSON, .cbor:
      switch self {
      // EKS stands behind a gateway, which answers 403 where the others answer 400.
      case .missing: AWSError("MissingAuthenticationTokenException", "Missing Authentication Token", status(format))
      case .incomplete(let text): AWSError("IncompleteSignatureException", text, status(format))
      case .unknownKey, .badToken:
        AWSError(
          "UnrecognizedClientException", "The security token included in the request is invalid.", status(format))
      case .expired(let text), .invalid(let text): AWSError("InvalidSignatureException", text, status(format))
      case .mismatch: AWSError("InvalidSignatureException", SigV4Failure.mismatchText, status(format))
      }
    }
  }

  /// The answer to temporary credentials whose time is over.
  package static func expiredToken(in format: AWSFormat) -> AWSError {
    let text = "The security token included in the request is expired"
    return switch format {
    case .query, .restXML: AWSError("ExpiredToken", text, 403)
    case .ec2: AWSError("RequestExpired", "Request has expired.", 400)
    case .json, .cbor: AWSError("ExpiredTokenException", text, 400)
    case .restJSON: AWSError("ExpiredTokenException", text, 403)
    }
  }

  private func status(_ format: AWSFormat) -> Int { format == .restJSON ? 403 : 400 }
}

extension AWSError {
  fileprivate init(_ code: String, _ message: String, _ status: Int) {
    self.init(code: code, message: message, status: status)
  }
}
