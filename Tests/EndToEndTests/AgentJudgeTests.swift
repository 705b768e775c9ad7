import Foundation
import Mechanisms
import Testing
import Wire

/// The rules of the Pod Identity agent against eks-pod-identity-agent, which `EKSWHY_POD_IDENTITY_AGENT` names. Both
/// ask the local EKS Auth.
@Suite(.serialized, .enabled(if: Judge.hasTools))
struct AgentJudgeTests {
  @Test func theJudgeFindsALie() async throws {
    let judge = try await AgentJudge()
    let program = try Judge.standIn("agent", in: judge.folder)
    let cases = [
      AgentJudge.Request(host: "169.254.170.23", token: try judge.token()),
      .init(host: "169.254.170.23", token: try judge.token(account: "nobody")), .init(host: "10.0.0.1", token: "x"),
      .init(host: "169.254.170.23", token: ""), .init(host: "[fd00:ec2::23]", token: "a.b"),
    ]
    #expect(try judge.differences(judge.bench(program), cases) == [])
    let found = try judge.differences(judge.bench(program, lies: true), cases)
    #expect(found.count == 1)
    #expect(found.first?.contains("not 10.0.0.1!") == true, "\(found)")
  }

  @Test func everyAnswerAgrees() async throws {
    guard let program = Judge.program("EKSWHY_POD_IDENTITY_AGENT") else { return }
    let judge = try await AgentJudge()
    let good = try judge.token()
    var cases = [
      AgentJudge.Request(host: "169.254.170.23", token: good),
      .init(host: "169.254.170.23", token: try judge.token(account: "nobody")),
      .init(host: "169.254.170.23", token: try judge.token(audience: "sts.amazonaws.com")),
    ]
    cases += ["169.254.170.2", "localhost", "[fd00:ec2::23]", "fd00:ec2::23", "[::1]", "169.254.170.23."].map {
      .init(host: $0, token: good)
    }
    cases += try TokenAbuse.serviceAccount(good).map { .init(host: "169.254.170.23", token: $0.token) }
    var dice = Dice(state: 20_261_123)
    let headers = [#"{"alg":"RS256"}"#, #"{"alg":"none"}"#, #"{"alg":"XX"}"#, "{}", "x", "", "[]"]
    let claims = [
      #"{"exp":1}"#, #"{"exp":4102444800}"#, #"{"nbf":4102444800}"#, #"{"exp":1,"nbf":4102444800}"#, "7", "{", "{}",
    ]
    for _ in 0..<60 {
      let parts = [dice.pick(headers), dice.pick(claims), "s"].map { GoBase64.rawURLEncode(Array($0.utf8)) }
      var token = parts.joined(separator: ".")
      if dice.once(in: 4) { token.insert(dice.pick(["!", "=", "."]), at: token.startIndex) }
      cases.append(.init(host: "169.254.170.23", token: token))
    }
    #expect(try judge.differences(judge.bench(program), cases) == [])
  }
}

/// A cluster with one association, and what is said to who asks for credentials.
final class AgentJudge {
  struct Request {
    var host: String
    var token: String
  }

  let cluster: QuickCluster
  let folder: String

  init() async throws {
    cluster = try await QuickCluster(nodes: 0)
    folder = try Judge.folder()
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#
    try cluster.eks.aws("iam create-role --role-name pods --assume-role-policy-document '\(trust)'")
    for name in ["app", "nobody"] { try cluster.eks.kubectl("create serviceaccount \(name)") }
    try cluster.eks.aws(
      "eks create-pod-identity-association --cluster-name demo --namespace default --service-account app --role-arn arn:aws:iam::000000000000:role/pods"
    )
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func token(account: String = "app", audience: String = "pods.eks.amazonaws.com") throws -> String {
    try cluster.eks.kubectl("create token \(account) --audience \(audience)").trimmingCharacters(in: .newlines)
  }

  final class Bench {
    fileprivate let process: JudgeProcess
    fileprivate let port: Int

    fileprivate init(_ process: JudgeProcess, port: Int) {
      self.process = process
      self.port = port
    }
  }

  func bench(_ program: String, lies: Bool = false) throws -> Bench {
    let ports = Judge.freePorts(3)
    var environment = cluster.eks.environment
    if lies { environment["EKSWHY_JUDGE_LIES"] = "1" }
    let process = try JudgeProcess(
      program,
      [
        "server", "--cluster-name", "demo", "--port", String(ports[0]), "--bind-hosts", "127.0.0.1", "--probe-port",
        String(ports[1]), "--metrics-address", "127.0.0.1", "--metrics-port", String(ports[2]), "--endpoint",
        environment["AWS_ENDPOINT_URL"] ?? "",
      ], environment: environment, log: "\(folder)/agent-\(ports[0]).log")
    try process.until("the agent") { try Judge.ask("http://127.0.0.1:\(ports[0])/v1/credentials").status != 0 }
    return Bench(process, port: ports[0])
  }

  func differences(_ bench: Bench, _ requests: [Request]) throws -> [String] {
    try requests.compactMap { request in
      let theirs = try ask(bench, request)
      let ours = try answer(request)
      return theirs == ours ? nil : "\(request): the judge says \(theirs), ekswhy \(ours)"
    }
  }

  /// Status and text; of credentials whose they are.
  private func ask(_ bench: Bench, _ request: Request) throws -> String {
    let got = try Judge.ask(
      "http://127.0.0.1:\(bench.port)/v1/credentials",
      headers: [
        "Host: \(request.host):80", request.token.isEmpty ? "Authorization;" : "Authorization: \(request.token)",
      ])
    guard got.status == 200 else {
      let text = got.body.trimmingCharacters(in: .newlines).replacing(#/^\[[^\]]*\]: /#, with: "")
      // The service's own status is its answer's; what counts is that it is handed on.
      return text.hasPrefix("(") ? text : "\(got.status) \(text)"
    }
    let found = try JSON.parse(got.body)
    return try whose(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])
  }

  private func answer(_ request: Request) throws -> String {
    let now = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
    let taken = AgentRequest.decide(
      .init(host: .known("\(request.host):80"), token: .known(request.token), now: .known(now)))
    if let reason = taken.reasons.last, taken.isNo { return "\(AgentRequest.status(reason)) \(reason.text)" }
    let asked = try cluster.eks.awsOutcome(
      "eks-auth assume-role-for-pod-identity --cluster-name demo --token \(request.token)")
    guard asked.status == 0 else {
      let code = asked.errors.drop { $0 != "(" }.dropFirst().prefix { $0 != ")" }
      let text = asked.errors.split(separator: "operation: ", maxSplits: 1).last ?? ""
      return "(\(code)): \(text.trimmingCharacters(in: .newlines)), fault: client"
    }
    let found = try JSON.parse(asked.output)["credentials"]
    return try whose(found["accessKeyId"], found["secretAccessKey"], found["sessionToken"])
  }

  private func whose(_ key: JSON, _ secret: JSON, _ token: JSON) throws -> String {
    var environment = cluster.eks.environment
    environment["AWS_ACCESS_KEY_ID"] = key.string
    environment["AWS_SECRET_ACCESS_KEY"] = secret.string
    environment["AWS_SESSION_TOKEN"] = token.string
    let me = try Shell.run(
      "aws", ["sts", "get-caller-identity", "--query", "Arn", "--output", "text"], environment: environment)
    return me.trimmed.split(separator: "/").dropLast().joined(separator: "/")
  }
}
