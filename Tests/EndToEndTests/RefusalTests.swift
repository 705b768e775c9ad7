import Evidence
import Foundation
import Testing
import Wire

/// What must not get in does not, says so in the protocol's own form, and leaves no secret behind.
@Suite(.serialized, .enabled(if: Clients.both))
struct RefusalTests {
  private func credentials(_ eks: LocalEKSProcess) -> AWSCredentials {
    AWSCredentials(
      accessKeyID: eks.environment["AWS_ACCESS_KEY_ID"] ?? "",
      secretAccessKey: eks.environment["AWS_SECRET_ACCESS_KEY"] ?? "")
  }

  private func now(_ offset: Double = 0) -> Timestamp {
    Timestamp(microseconds: Int64((Date().timeIntervalSince1970 + offset) * 1_000_000))
  }

  @Test func signatures() throws {
    let eks = try LocalEKSProcess()
    var wrong = eks.environment
    wrong["AWS_SECRET_ACCESS_KEY"] = String(repeating: "x", count: 40)
    let forged = try Shell.run("aws", ["iam", "list-roles"], environment: wrong)
    #expect(forged.status != 0 && forged.all.contains("SignatureDoesNotMatch"), "\(forged.all)")
    wrong = eks.environment
    wrong["AWS_ACCESS_KEY_ID"] = "AKIANOBODYATALL00000"
    let unknown = try Shell.run("aws", ["sts", "get-caller-identity"], environment: wrong)
    #expect(unknown.all.contains("InvalidClientTokenId"), "\(unknown.all)")
    let unsupported = try eks.awsOutcome("kms generate-random")
    #expect(unsupported.status != 0 && unsupported.all.contains("ekswhy does not simulate kms:GenerateRandom"))
    let malformed = try eks.awsOutcome("iam create-role --role-name r --assume-role-policy-document notjson")
    #expect(malformed.all.contains("MalformedPolicyDocument"), "\(malformed.all)")
    // And it goes on.
    #expect(try eks.aws("sts get-caller-identity")["Account"].string == "000000000000")
  }

  @Test(.enabled(if: Clients.curl)) func tokens() throws {
    let eks = try LocalEKSProcess()
    let trust = ThreadTests.trust.replacing("%", with: "eks.amazonaws.com")
    try eks.aws("iam create-role --role-name cluster --assume-role-policy-document \(trust)")
    let subnets = try ThreadTests.subnets(eks).joined(separator: ",")
    for name in ["demo", "other"] {
      try eks.aws(
        "eks create-cluster --name \(name) --role-arn arn:aws:iam::000000000000:role/cluster --resources-vpc-config subnetIds=\(subnets)"
      )
    }
    for name in ["demo", "other"] { try eks.aws("eks wait cluster-active --name \(name)") }
    let updated = try Shell.run("aws", ["eks", "update-kubeconfig", "--name", "demo"], environment: eks.environment)
    try #require(updated.status == 0, "\(updated.all)")
    #expect(try eks.kubectl("get ns").contains("kube-system"))

    // Tokens by themselves, without the kubeconfig's own user.
    let bare = "\(eks.state)/bare-kubeconfig"
    var config = try YAML.parse(String(contentsOfFile: eks.state + "/kubeconfig", encoding: .utf8))
    config["users"][0]["user"] = [:]
    try YAML.write(config).write(toFile: bare, atomically: true, encoding: .utf8)
    func get(_ token: String) throws -> Outcome {
      try eks.kubectlOutcome("--kubeconfig \(bare) --token=\(token) get ns")
    }
    let endpoint = eks.environment["AWS_ENDPOINT_URL"]
    func mint(
      cluster: String = "demo", credentials: AWSCredentials? = nil, endpoint: String?, at time: Timestamp
    ) -> String {
      EKSToken.mint(
        cluster: cluster, region: "us-east-1", credentials: credentials ?? self.credentials(eks), endpoint: endpoint,
        now: time)
    }
    let good = mint(endpoint: endpoint, at: now())
    #expect(try get(good).output.contains("kube-system"))
    var forger = credentials(eks)
    forger.secretAccessKey = String(repeating: "x", count: 40)
    for (what, token) in [
      ("for another cluster", mint(cluster: "other", endpoint: endpoint, at: now())),
      ("expired", mint(endpoint: endpoint, at: now(-16 * 60))),
      ("signed with another secret", mint(credentials: forger, endpoint: endpoint, at: now())),
      ("for another host", mint(endpoint: "https://sts.example.com", at: now())),
      ("cut short", String(good.dropLast(7))), ("garbage", "k8s-aws-v1.!!!"), ("no token at all", "abc"),
      ("oversized", "k8s-aws-v1." + String(repeating: "A", count: 5000)),
      ("of tomorrow", mint(endpoint: endpoint, at: now(86_400))),
    ] {
      let refused = try get(token)
      #expect(refused.status != 0 && refused.all.contains("Unauthorized"), "\(what): \(refused.all)")
    }

    // The same without kubectl's start: each field of both kinds of tokens changed once.
    let server = try #require(try eks.aws("eks describe-cluster --name demo")["cluster"]["endpoint"].string)
    let other = try #require(try eks.aws("eks describe-cluster --name other")["cluster"]["endpoint"].string)
    let account = try eks.kubectl("create token default --duration=10m").trimmingCharacters(in: .whitespacesAndNewlines)
    func status(_ token: String, at server: String) throws -> String {
      try Shell.run(
        "curl",
        [
          "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Authorization: Bearer \(token)",
          "\(server)/api/v1/namespaces/default/pods",
        ], environment: eks.environment
      ).output
    }
    #expect(try status(good, at: server) == "200")
    #expect(try status(account, at: server) == "403", "known, and allowed nothing")
    for (what, token) in try TokenAbuse.iam(good) + TokenAbuse.serviceAccount(account) {
      // Headers of that size end the connection before anybody reads the token.
      let expected = what == "oversized" ? ["401", "431", "000"] : ["401"]
      #expect(expected.contains(try status(token, at: server)), "\(what)")
    }
    #expect(try status(good, at: other) == "401", "replayed at another cluster")
    #expect(try status(account, at: other) == "401", "of another cluster")
    #expect(try eks.ekswhy("clock", "advance", "15m", "--state", eks.state).status == 0)
    #expect(try status(account, at: server) == "401", "replayed after its end")
    let anonymous = try eks.kubectlOutcome("--kubeconfig \(bare) --username=x --password=y get ns")
    #expect(anonymous.status != 0, "\(anonymous.all)")

    // Neither tokens nor secrets lie anywhere but where they are kept.
    let secret = credentials(eks).secretAccessKey
    let files = FileManager.default.enumerator(atPath: eks.state)?.allObjects as? [String] ?? []
    for file in files where file != "keys/secrets" && file != "environment.json" {
      guard let data = FileManager.default.contents(atPath: "\(eks.state)/\(file)") else { continue }
      #expect(data.range(of: Data(secret.utf8)) == nil, "a secret in \(file)")
      #expect(data.range(of: Data("X-Amz-Signature=".utf8)) == nil, "a presigned URL in \(file)")
      #expect(data.range(of: Data(good.dropFirst(11).prefix(60).utf8)) == nil, "a token in \(file)")
    }
  }

  /// What the connection itself turns away is told in the form of the door it came to.
  @Test(.enabled(if: Clients.curl))
  func sizes() throws {
    let eks = try LocalEKSProcess()
    let base = try #require(eks.environment["AWS_ENDPOINT_URL"])
    func send(_ headers: [String], _ path: String = "/", _ url: String? = nil) throws -> (status: Int, body: String) {
      let words =
        ["-sk", "--http1.1", "-o", "-", "-w", "\n%{http_code}", "-X", "POST", "--max-time", "20", "-H", "Expect:"]
        + headers.flatMap { ["-H", $0] }
      let answer = try Shell.run("curl", words + ["\(url ?? base)\(path)"], environment: eks.environment)
      let lines = answer.output.split(separator: "\n", omittingEmptySubsequences: false)
      return (Int(lines.last ?? "") ?? 0, lines.dropLast().joined(separator: "\n"))
    }
    let signed = { (service: String) in
      "Authorization: AWS4-HMAC-SHA256 Credential=A/20261122/us-east-1/\(service)/aws4_request, SignedHeaders=host, Signature=0"
    }
    let length = "Content-Length: 999999999"
    let query = try send([length, signed("iam"), "Content-Type: application/x-www-form-urlencoded"])
    #expect(query.status == 413 && query.body.contains("<Code>RequestEntityTooLarge</Code>"), "\(query)")
    let rest = try send([length, signed("eks")], "/clusters")
    #expect(rest.status == 413, "\(rest)")
    #expect(try JSON.parse(Array(rest.body.utf8))["message"].string?.contains("too large") == true, "\(rest)")
    let target = try send([length, signed("logs"), "X-Amz-Target: Logs_20140328.DescribeLogGroups"])
    #expect(try JSON.parse(Array(target.body.utf8))["__type"].string?.contains("RequestEntityTooLarge") == true)
    let headers = try send(["X: \(String(repeating: "x", count: 110_000))"])
    #expect(headers.status == 431 && headers.body.contains("RequestHeaderSectionTooLarge"), "\(headers)")

    let trust = ThreadTests.trust.replacing("%", with: "eks.amazonaws.com")
    try eks.aws("iam create-role --role-name cluster --assume-role-policy-document \(trust)")
    let subnets = try ThreadTests.subnets(eks).joined(separator: ",")
    try eks.aws(
      "eks create-cluster --name demo --role-arn arn:aws:iam::000000000000:role/cluster --resources-vpc-config subnetIds=\(subnets)"
    )
    try eks.aws("eks wait cluster-active --name demo")
    let server = try #require(try eks.aws("eks describe-cluster --name demo")["cluster"]["endpoint"].string)
    let kube = try send([length], "/api/v1/namespaces", server)
    let status = try JSON.parse(Array(kube.body.utf8))
    #expect(kube.status == 413 && status["kind"].string == "Status", "\(kube)")
    #expect(status["reason"].string == "RequestEntityTooLarge")
    #expect(status["message"].string?.hasPrefix("Request entity too large: limit is ") == true, "\(kube)")
    #expect(try send([], "/api/%zz", server).body.contains("\"reason\":\"BadRequest\""))
  }
}
