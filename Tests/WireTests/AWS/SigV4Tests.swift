import Testing
import Wire

@Suite struct SigV4Tests {
  /// The access key of AWS's own examples.
  static let example = AWSCredentials(
    accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
  static let now = Timestamp(rfc3339: "2024-01-02T03:04:05Z")!

  /// The case `get-vanilla` of AWS's signature test suite, and `get-vanilla-query-order-key-case`.
  @Test(arguments: [
    (nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
  ])
  func testSuite(query: String?, signature: String) throws {
    let request = HTTPRequest(
      method: "GET", path: "/", query: query, headers: HTTPHeaders([("Host", "example.amazonaws.com")]))
    let signed = SigV4.sign(
      request, credentials: SigV4Tests.example, region: "us-east-1", service: "service",
      now: Timestamp(rfc3339: "2015-08-30T12:36:00Z")!)
    #expect(
      signed.headers["Authorization"]
        == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        + "SignedHeaders=host;x-amz-date, Signature=\(signature)")
  }

  @Test func tokenWithoutSession() {
    let token = EKSToken.mint(
      cluster: "demo", region: "us-east-1", credentials: SigV4Tests.example, now: SigV4Tests.now)
    #expect(
      token
        == "k8s-aws-v1.aHR0cHM6Ly9zdHMudXMtZWFzdC0xLmFtYXpvbmF3cy5jb20vP0FjdGlvbj1HZXRDYWxsZXJJZGVudGl0eSZWZXJzaW9uPTIw"
        + "MTEtMDYtMTUmWC1BbXotQWxnb3JpdGhtPUFXUzQtSE1BQy1TSEEyNTYmWC1BbXotQ3JlZGVudGlhbD1BS0lERVhBTVBMRSUyRjIwMjQwMTAy"
        + "JTJGdXMtZWFzdC0xJTJGc3RzJTJGYXdzNF9yZXF1ZXN0JlgtQW16LURhdGU9MjAyNDAxMDJUMDMwNDA1WiZYLUFtei1FeHBpcmVzPTYwJlgt"
        + "QW16LVNpZ25lZEhlYWRlcnM9aG9zdCUzQngtazhzLWF3cy1pZCZYLUFtei1TaWduYXR1cmU9NTVmZGZlOGIxOWY3NzgwMTExMzkzMjZiYThm"
        + "NzZkMzdhYjg5MDJkMjYyNTA4ZTU1YjQ3NWZiMDk0ODg0Y2FmNQ")
  }

  @Test func tokenWithSession() {
    var credentials = SigV4Tests.example
    credentials.sessionToken = "IQoJb3JpZ2luX2VjE+/=="
    let url = EKSToken.presignedURL(
      cluster: "demo", region: "us-east-1", credentials: credentials, endpoint: nil, now: SigV4Tests.now)
    #expect(
      url
        == "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
        + "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20240102%2Fus-east-1%2Fsts%2Faws4_request"
        + "&X-Amz-Date=20240102T030405Z&X-Amz-Expires=60&X-Amz-Security-Token=IQoJb3JpZ2luX2VjE%2B%2F%3D%3D"
        + "&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"
        + "&X-Amz-Signature=61f7b4963daf958e28613e03153153dc765c91d710c52780433dc6ddce11f266")
  }

  @Test func canonicalRequestOfAToken() {
    let request = HTTPRequest(
      method: "GET", path: "/", query: "Action=GetCallerIdentity&X-Amz-Signature=00&X-Amz-Expires=60",
      headers: HTTPHeaders([("Host", "sts.us-west-2.amazonaws.com"), ("X-K8s-Aws-Id", "test-cluster")]))
    #expect(
      SigV4.canonicalRequest(request, signedHeaders: ["host", "x-k8s-aws-id"])
        == "GET\n/\nAction=GetCallerIdentity&X-Amz-Expires=60\nhost:sts.us-west-2.amazonaws.com\n"
        + "x-k8s-aws-id:test-cluster\n\nhost;x-k8s-aws-id\n"
        + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test func encodedPathsAreEncodedOnceMore() {
    let request = HTTPRequest(
      method: "GET", path: "/clusters/demo/access-entries/arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fx")
    #expect(
      SigV4.canonicalRequest(request, signedHeaders: []).split(separator: "\n")[1]
        == "/clusters/demo/access-entries/arn%253Aaws%253Aiam%253A%253A111122223333%253Arole%252Fx")
  }

  // MARK: Verification

  private func request() -> HTTPRequest {
    HTTPRequest(
      method: "POST", path: "/", headers: HTTPHeaders([("Host", "localhost:4566"), ("Content-Type", "text/plain")]),
      body: Array("Action=GetCallerIdentity&Version=2011-06-15".utf8))
  }

  private func signed(_ credentials: AWSCredentials = SigV4Tests.example, at now: Timestamp = now) -> HTTPRequest {
    SigV4.sign(request(), credentials: credentials, region: "us-east-1", service: "sts", now: now)
  }

  private func verify(
    _ request: HTTPRequest, service: String? = "sts", now: Timestamp = now, token: String? = nil
  ) -> Result<SigV4Claim, SigV4Failure> {
    SigV4.verify(request, service: service, now: now) { key in
      guard key == "AKIDEXAMPLE" else { return nil }
      var found = SigV4Tests.example
      found.sessionToken = token
      return found
    }
  }

  private func failure(_ result: Result<SigV4Claim, SigV4Failure>) -> SigV4Failure? {
    if case .failure(let failure) = result { failure } else { nil }
  }

  @Test func whatWasSignedVerifies() throws {
    let claim = try verify(signed()).get()
    #expect(claim.accessKeyID == "AKIDEXAMPLE")
    #expect(claim.region == "us-east-1")
    #expect(claim.signedHeaders == ["content-type", "host", "x-amz-date"])
    #expect(!claim.isPresigned)
    // Headers that were not signed may come on the way.
    var passed = signed()
    passed.headers.add("Via", "proxy")
    #expect(failure(verify(passed)) == nil)
  }

  @Test func aPresignedRequestVerifiesWithItsHeaderOnly() throws {
    let fresh = HTTPRequest(
      method: "GET", path: "/", query: "Action=GetCallerIdentity&Version=2011-06-15",
      headers: HTTPHeaders([("Host", "localhost:4566"), ("x-k8s-aws-id", "demo")]))
    var presigned = SigV4.presign(
      fresh, credentials: SigV4Tests.example, region: "us-east-1", service: "sts", expires: 60, now: SigV4Tests.now)
    #expect(try verify(presigned).get().isPresigned)
    // STS lets a presigned request live for fifteen minutes, whatever it says itself.
    #expect(failure(verify(presigned, now: SigV4Tests.now + .seconds(899))) == nil)
    presigned.headers["x-k8s-aws-id"] = "other"
    #expect(failure(verify(presigned)) == .mismatch)
  }

  @Test func everyChangeBreaksTheSignature() {
    var changed = signed()
    changed.body.append(0x20)
    #expect(failure(verify(changed)) == .mismatch)
    changed = signed()
    changed.path = "/x"
    #expect(failure(verify(changed)) == .mismatch)
    changed = signed()
    changed.query = "a=b"
    #expect(failure(verify(changed)) == .mismatch)
    changed = signed()
    changed.method = "PUT"
    #expect(failure(verify(changed)) == .mismatch)
    changed = signed()
    changed.headers["Host"] = "localhost:4567"
    #expect(failure(verify(changed)) == .mismatch)
    var other = SigV4Tests.example
    other.secretAccessKey += "x"
    #expect(failure(verify(signed(other))) == .mismatch)
  }

  @Test func theClockIsChecked() {
    let old = verify(signed(), now: Timestamp(rfc3339: "2024-01-02T03:34:05Z")!)
    #expect(
      failure(old)
        == .expired(
          "Signature expired: 20240102T030405Z is now earlier than 20240102T031905Z (20240102T033405Z - 15 min.)"))
    let early = verify(signed(), now: Timestamp(rfc3339: "2024-01-02T02:50:00Z")!)
    #expect(
      failure(early)
        == .expired(
          "Signature not yet current: 20240102T030405Z is still later than 20240102T025500Z (20240102T025000Z + 5 min.)"
        ))
    #expect(failure(verify(signed(), now: SigV4Tests.now + .seconds(900))) == nil)
    #expect(failure(verify(signed(), now: SigV4Tests.now - .seconds(300))) == nil)
  }

  @Test func keysTokensAndScopes() {
    var foreign = SigV4Tests.example
    foreign.accessKeyID = "AKIAOTHER"
    #expect(failure(verify(signed(foreign))) == .unknownKey)
    var session = SigV4Tests.example
    session.sessionToken = "token"
    #expect(failure(verify(signed(session), token: "token")) == nil)
    #expect(failure(verify(signed(session), token: "other")) == .badToken)
    #expect(failure(verify(signed(session))) == .badToken)
    #expect(failure(verify(signed(), token: "token")) == .badToken)
    #expect(
      failure(verify(signed(), service: "iam"))
        == .invalid("Credential should be scoped to correct service: 'iam'. "))
  }

  @Test func whatLacksPartsIsIncomplete() {
    #expect(failure(verify(request())) == .missing)
    var bearer = request()
    bearer.headers["Authorization"] = "Bearer x"
    #expect(failure(verify(bearer)) == .missing)
    var part = request()
    part.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240102/us-east-1/sts/aws4_request"
    #expect(
      failure(verify(part))
        == .incomplete(
          "Authorization header requires 'Signature' parameter. "
            + "Authorization header requires 'SignedHeaders' parameter. "
            + "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
            + "Authorization=AWS4-HMAC-SHA256"))
    var short = signed()
    short.headers["Authorization"] = short.headers["Authorization"]?.replacing("us-east-1/", with: "")
    #expect(
      failure(verify(short))
        == .incomplete(
          "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            + "got 'AKIDEXAMPLE/20240102/sts/aws4_request'"))
  }

  @Test func eachProtocolHasItsOwnCode() {
    #expect(SigV4Failure.unknownKey.error(in: .query).code == "InvalidClientTokenId")
    #expect(SigV4Failure.unknownKey.error(in: .query).status == 403)
    #expect(SigV4Failure.unknownKey.error(in: .ec2).code == "AuthFailure")
    #expect(SigV4Failure.unknownKey.error(in: .ec2).status == 401)
    #expect(SigV4Failure.unknownKey.error(in: .json).code == "UnrecognizedClientException")
    #expect(SigV4Failure.unknownKey.error(in: .json).status == 400)
    #expect(SigV4Failure.mismatch.error(in: .restJSON).code == "InvalidSignatureException")
    #expect(SigV4Failure.mismatch.error(in: .restJSON).status == 403)
  }
}
