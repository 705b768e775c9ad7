import Mechanisms
import Testing
import Wire

/// The cases of aws-iam-authenticator's own tests, and a token of the AWS CLI's form.
@Suite struct TokenVerificationTests {
  static let goldenURL =
    "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20240102%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20240102T030405Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=55fdfe8b19f778011139326ba8f76d37ab8902d262508e55b475fb094884caf5"
  static let goldenToken =
    "k8s-aws-v1.aHR0cHM6Ly9zdHMudXMtZWFzdC0xLmFtYXpvbmF3cy5jb20vP0FjdGlvbj1HZXRDYWxsZXJJZGVudGl0eSZWZXJzaW9uPTIwMTEtMDYtMTUmWC1BbXotQWxnb3JpdGhtPUFXUzQtSE1BQy1TSEEyNTYmWC1BbXotQ3JlZGVudGlhbD1BS0lERVhBTVBMRSUyRjIwMjQwMTAyJTJGdXMtZWFzdC0xJTJGc3RzJTJGYXdzNF9yZXF1ZXN0JlgtQW16LURhdGU9MjAyNDAxMDJUMDMwNDA1WiZYLUFtei1FeHBpcmVzPTYwJlgtQW16LVNpZ25lZEhlYWRlcnM9aG9zdCUzQngtazhzLWF3cy1pZCZYLUFtei1TaWduYXR1cmU9NTVmZGZlOGIxOWY3NzgwMTExMzkzMjZiYThmNzZkMzdhYjg5MDJkMjYyNTA4ZTU1YjQ3NWZiMDk0ODg0Y2FmNQ"

  static func token(_ url: String) -> String { "k8s-aws-v1." + GoBase64.rawURLEncode(Array(url.utf8)) }

  static func verdict(
    _ token: String, partition: String = "aws", region: String = "us-east-1", now: String = "20240102T030500Z",
    origins: [String] = []
  ) -> Verdict<PresignedRequest, Because> {
    TokenVerification.decide(
      .init(
        token: .known(token), now: .known(Timestamp(amzDate: now)!), partition: .known(partition),
        region: .known(region), localOrigins: .known(origins)))
  }

  @Test func acceptsTheGoldenToken() throws {
    #expect(Self.token(Self.goldenURL) == Self.goldenToken)
    let request = try #require(Self.verdict(Self.goldenToken).value)
    #expect(request.accessKeyID == "AKIDEXAMPLE")
    #expect(request.region == "us-east-1")
    #expect(request.url == Self.goldenURL)
    #expect(request.expires == 60)
    #expect(request.httpRequest(clusterID: "demo").headers["x-k8s-aws-id"] == "demo")
  }

  @Test func expiresAfterFifteenMinutes() {
    #expect(Self.verdict(Self.goldenToken, now: "20240102T031905Z").isYes)
    #expect(
      Self.verdict(Self.goldenToken, now: "20240102T031906Z").reasons.last?.text
        == "input token was not properly formatted: X-Amz-Date parameter is expired (15 minute expiration) 2024-01-02 03:04:05 +0000 UTC"
    )
    #expect(Self.verdict(Self.goldenToken, now: "20230102T031906Z").isYes, "a date ahead passes here")
  }

  @Test(arguments: [
    ("aws", "sts.amazonaws.com", "", true), ("aws-cn", "sts.amazonaws.com", "", false),
    ("aws", "sts-fips.us-east-1.amazonaws.com", "", true), ("aws-cn", "sts-fips.us-east-1.amazonaws.com", "", false),
    ("aws", "sts.us-west-2.api.aws", "", true), ("aws-cn", "sts.cn-north-1.api.amazonwebservices.com.cn", "", true),
    ("aws", "sts.cn-north-1.api.amazonwebservices.com.cn", "", false), ("aws", "sts.amazonaws.com.cn", "", false),
    ("aws", "website.amazonaws.com", "", false), ("aws", "sts.not-a-region.amazonaws.com", "", true),
    ("aws-cn", "sts.not-a-region2.amazonaws.com.cn", "not-a-region2", true),
    ("aws-cn", "sts.not-a-region1.amazonaws.com.cn", "", false),
    ("aws-iso-b", "sts.us-isob-east-1.amazonaws.com.cn", "us-isob-east-1", false),
  ])
  func hosts(partition: String, host: String, region: String, accepted: Bool) {
    let url = Self.goldenURL.replacing("sts.us-east-1.amazonaws.com", with: host)
    #expect(Self.verdict(Self.token(url), partition: partition, region: region).isYes == accepted)
  }

  @Test(arguments: [
    ("http://", "unexpected scheme \"http\" in pre-signed URL"),
    (
      "https://google.com",
      "could not parse region for pre-signed URL google.com, invalid host format: google.com"
    ),
    ("https://sts.amazonaws.com/abc", "unexpected path in pre-signed URL"),
    ("https://sts.amazonaws.com/?NoInWhiteList=abc", "non-whitelisted query parameter \"NoInWhiteList\""),
    (
      "https://sts.amazonaws.com/?action=get&action=post", "query parameter with multiple values not supported"
    ),
    ("https://sts.amazonaws.com/?action=NotGetCallerIdenity", "unexpected action parameter in pre-signed URL"),
    (
      "https://sts.amazonaws.com/?action=GetCallerIdentity&x-amz-signedheaders=abc%3bx-k8s-aws-i%3bdef",
      "client did not sign the x-k8s-aws-id header in the pre-signed URL"
    ),
    (
      "https://sts.amazonaws.com/?action=GetCallerIdentity&x-amz-signedheaders=x-k8s-aws-id&x-amz-expires=9999999",
      "invalid X-Amz-Expires parameter in pre-signed URL: 9999999"
    ),
    (
      "https://sts.amazonaws.com/?action=GetCallerIdentity&x-amz-signedheaders=x-k8s-aws-id",
      "invalid X-Amz-Expires parameter in pre-signed URL: 0"
    ),
    (
      "https://sts.amazonaws.com/?action=GetCallerIdentity&x-amz-signedheaders=x-k8s-aws-id&x-amz-expires=60",
      "X-Amz-Date parameter must be present in pre-signed URL"
    ),
    (
      "https://sts.amazonaws.com/?action=GetCallerIdentity&x-amz-signedheaders=x-k8s-aws-id&x-amz-date=xxxxxxx&x-amz-expires=60",
      "error parsing X-Amz-Date parameter xxxxxxx into format 20060102T150405Z: parsing time \"xxxxxxx\" as \"20060102T150405Z\": cannot parse \"xxxxxxx\" as \"2006\""
    ),
    (
      "https://sts.amazonaws.com/?action=GetCallerIdentity&x-amz-signedheaders=x-k8s-aws-id&x-amz-date=19900422T010203Z&x-amz-expires=60",
      "X-Amz-Date parameter is expired (15 minute expiration) 1990-04-22 01:02:03 +0000 UTC"
    ),
    (
      "https://sts.amazonaws.com/?action=GetCallerIdentity&x-amz-signedheaders=x-k8s-aws-id&x-amz-date=19900422T010203Z&x-amz-expires=60%gh",
      "malformed query parameter"
    ),
    (
      "https://sts.amazonaws.com/?X-Amz-Credential=a&x-amz-credential=b",
      "duplicate query parameter found: \"x-amz-credential\""
    ),
    (":ab:cd.af:/asda", "parse \":ab:cd.af:/asda\": missing protocol scheme"),
    ("https://sts.us_east.amazonaws.com/", "invalid region identifier format provided: us_east"),
  ])
  func refusals(url: String, message: String) {
    #expect(
      Self.verdict(Self.token(url)).reasons.last?.text == "input token was not properly formatted: \(message)")
  }

  @Test func refusesWhatIsNoToken() {
    func text(_ token: String) -> String? { Self.verdict(token).reasons.last?.text }
    #expect(
      text("abc") == "input token was not properly formatted: token is missing expected \"k8s-aws-v1.\" prefix")
    #expect(
      text("k8s-aws-v1.aHR0cHM6Ly9z!") == "input token was not properly formatted: illegal base64 data at input byte 12"
    )
    #expect(
      text(String(repeating: "a", count: 4097)) == "input token was not properly formatted: token is too large")
  }

  @Test func aLocalOriginPassesOnlyWhenPrinted() throws {
    let url = Self.goldenURL.replacing("https://sts.us-east-1.amazonaws.com", with: "http://localhost:4566")
    #expect(Self.verdict(Self.token(url)).isNo)
    let request = try #require(Self.verdict(Self.token(url), origins: ["http://localhost:4566"]).value)
    #expect(request.region == "us-east-1")
    #expect(Self.verdict(Self.token(url), origins: ["http://localhost:4567"]).isNo)
  }

  @Test(arguments: [
    (
      "20241302T030405Z",
      "parsing time \"20241302T030405Z\": month out of range"
    ),
    ("20240230T030405Z", "parsing time \"20240230T030405Z\": day out of range"),
    (
      "20240102030405Z", "parsing time \"20240102030405Z\" as \"20060102T150405Z\": cannot parse \"030405Z\" as \"T\""
    ),
    (
      "20240102T030405Zx", "parsing time \"20240102T030405Zx\": extra text: \"x\""
    ),
  ])
  func goTimeTexts(text: String, message: String) {
    #expect(throws: GoError(message)) { try GoTime.parseAmz(text) }
  }
}
