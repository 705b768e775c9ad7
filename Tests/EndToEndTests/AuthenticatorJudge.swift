import Evidence
import Foundation
import Testing
import Wire

/// aws-iam-authenticator's `server` beside the authenticator of a local cluster: both read the same aws-auth and ask
/// the same STS, by its true name, who made a token.
///
/// The program asks `https://sts.REGION.amazonaws.com`, whatever endpoints are configured; a proxy on loopback that it
/// is told of (`HTTPS_PROXY`), with a certificate that it is told to believe (`SSL_CERT_FILE`), leads to the local STS.
final class AuthenticatorJudge {
  struct Ruling: Equatable, CustomStringConvertible {
    /// The user, in one text; nil for who is not let in.
    var user: String?
    /// What the log says of a refusal.
    var text: String?

    var description: String { user ?? "denied: \(text ?? "without a word")" }
  }

  let cluster: QuickCluster
  private let folder: String
  private let proxy: JudgeProcess
  private var credentials: [(name: String, AWSCredentials)] = []
  private var minted = 0

  static let roles = ["Admin", "Ops"]

  init() async throws {
    cluster = try await QuickCluster(nodes: 0)
    folder = try Judge.folder()
    let eks = cluster.eks
    try eks.aws(
      #"eks update-cluster-config --name demo --logging {"clusterLogging":[{"types":["authenticator"],"enabled":true}]}"#
    )
    try eks.aws("eks wait cluster-active --name demo")
    let port = eks.environment["AWS_ENDPOINT_URL"]?.split(separator: ":").last.map(String.init) ?? ""
    proxy = try JudgeProcess(
      Shell.find("python3") ?? "", [Judge.script, "sts", folder, port], environment: eks.environment,
      log: "\(folder)/proxy.log")
    let file = "\(folder)/proxy"
    try proxy.until("the way to STS") { FileManager.default.fileExists(atPath: file) }
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#
    for role in Self.roles {
      let path = role == "Ops" ? "--path /team/ " : ""
      try eks.aws("iam create-role --role-name \(role) \(path)--assume-role-policy-document '\(trust)'")
    }
    for (role, session) in [
      ("Admin", "bob@corp.com"), ("Admin", "i-0123456789abcdef0"), ("team/Ops", "plain"), ("Ops", ""),
    ] where !session.isEmpty {
      let made = try eks.aws(
        "sts assume-role --role-arn arn:aws:iam::000000000000:role/\(role) --role-session-name \(session)")[
          "Credentials"]
      credentials.append((session, Self.read(made, "SessionToken")))
    }
    try eks.aws("iam create-user --user-name dev")
    credentials.append(("dev", Self.read(try eks.aws("iam create-access-key --user-name dev")["AccessKey"], "")))
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private static func read(_ json: JSON, _ token: String) -> AWSCredentials {
    AWSCredentials(
      accessKeyID: json["AccessKeyId"].string ?? "", secretAccessKey: json["SecretAccessKey"].string ?? "",
      sessionToken: json[token].string)
  }

  /// A fresh token of each principal.
  func tokens() -> [(what: String, token: String)] { credentials.map { ("of \($0.name)", mint($0.1)) } }

  /// One of the first principal.
  func good() -> String { mint(credentials[0].1) }

  private func mint(_ credentials: AWSCredentials) -> String {
    // Each of another second, so that no answer comes from a cache.
    minted += 1
    let now = Timestamp(microseconds: Int64((Date().timeIntervalSince1970 - Double(minted)) * 1_000_000))
    return EKSToken.mint(cluster: "demo", region: "us-east-1", credentials: credentials, now: now)
  }

  /// A program that judges, ready to be asked.
  final class Bench {
    fileprivate let process: JudgeProcess
    fileprivate let port: Int

    fileprivate init(_ process: JudgeProcess, port: Int) {
      self.process = process
      self.port = port
    }
  }

  func bench(_ program: String, lies: Bool = false) throws -> Bench {
    let port = Judge.freePorts(1)[0]
    let state = "\(folder)/state-\(port)"
    try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
    var environment = cluster.eks.environment
    environment["HTTPS_PROXY"] = "http://127.0.0.1:" + (try String(contentsOfFile: "\(folder)/proxy", encoding: .utf8))
    environment["SSL_CERT_FILE"] = "\(folder)/ca.pem"
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
    if lies { environment["EKSWHY_JUDGE_LIES"] = "1" }
    let process = try JudgeProcess(
      program,
      [
        "server", "--cluster-id", "demo", "--state-dir", state, "--generate-kubeconfig", "\(state)/webhook.yaml",
        "--kubeconfig", "\(cluster.eks.state)/kubeconfig", "--backend-mode", "EKSConfigMap", "--address", "127.0.0.1",
        "--port", String(port),
      ], environment: environment, log: "\(state)/log")
    try process.until("the authenticator") { try Judge.ask("https://127.0.0.1:\(port)/healthz").status != 0 }
    return Bench(process, port: port)
  }

  /// Writes aws-auth and waits until the judge has read it.
  func write(_ data: JSON, _ bench: Bench) throws {
    func seen() -> Int { bench.process.lines.count { $0.contains("Received aws-auth watch event") } }
    let before = seen()
    let stamp = UUID().uuidString
    let object: JSON = [
      "apiVersion": "v1", "kind": "ConfigMap",
      "metadata": ["name": "aws-auth", "namespace": "kube-system", "annotations": ["stamp": .string(stamp)]],
      "data": data,
    ]
    try cluster.eks.kubectl("apply --server-side --force-conflicts -f -", input: object.text())
    try bench.process.until("aws-auth") { seen() > before }
  }

  /// Where the two differ on tokens, and what each says.
  func differences(_ bench: Bench, _ cases: [(what: String, token: String)]) throws -> [String] {
    let before = bench.process.lines.count { Self.decision($0) != nil }
    let theirs = try cases.map { try ask(bench, $0.token) }
    let ours = try cases.map { try askOurs($0.token) }
    let texts = bench.process.lines.compactMap(Self.decision).dropFirst(before)
    let ourTexts = try ourLog().suffix(cases.count)
    try #require(texts.count == cases.count && ourTexts.count == cases.count, "a decision was not logged")
    var found: [String] = []
    for (index, item) in cases.enumerated() {
      let a = Ruling(user: theirs[index], text: theirs[index] == nil ? texts[texts.startIndex + index] : nil)
      let b = Ruling(user: ours[index], text: ours[index] == nil ? ourTexts[ourTexts.startIndex + index] : nil)
      if a != b { found.append("\(item.what): the judge says \(a), ekswhy says \(b)") }
    }
    return found
  }

  private func ask(_ bench: Bench, _ token: String) throws -> String? {
    let review: JSON = [
      "apiVersion": "authentication.k8s.io/v1beta1", "kind": "TokenReview", "spec": ["token": .string(token)],
    ]
    let answer = try Judge.ask("https://127.0.0.1:\(bench.port)/authenticate", review.text())
    return Self.user(try JSON.parse(answer.body)["status"])
  }

  private func askOurs(_ token: String) throws -> String? {
    let review: JSON = [
      "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": ["token": .string(token)],
    ]
    let answer = try Judge.ask(
      cluster.endpoint + "/apis/authentication.k8s.io/v1/tokenreviews", review.text(),
      headers: ["Authorization: Bearer \(cluster.token)"])
    return Self.user(try JSON.parse(answer.body)["status"])
  }

  /// The groups that the API server adds itself left out.
  private static func user(_ status: JSON) -> String? {
    guard status["authenticated"].bool == true else { return nil }
    let user = status["user"]
    let extra = user["extra"].fields.map { "\($0.key)=\($0.value.strings)" }.sorted()
    let groups = user["groups"].strings.filter { $0 != "system:authenticated" }
    return "\(user["username"].string ?? "") \(user["uid"].string ?? "") \(groups) \(extra)"
  }

  /// What a line of the log says of a decision, ids of requests left out; nil for other lines.
  private static func decision(_ line: String) -> String? {
    if line.contains("msg=\"access granted\"") { return "" }
    guard line.contains("msg=\"access denied\""), let start = line.range(of: " error=") else { return nil }
    let rest = line[start.upperBound...]
    guard rest.first == "\"" else { return String(rest.prefix { $0 != " " }) }
    var text = ""
    var isEscaped = false
    for character in rest.dropFirst() {
      if !isEscaped, character == "\"" { break }
      isEscaped = !isEscaped && character == "\\"
      text.append(character)
    }
    return text.replacing(#/RequestId\\":\\"[^"]*"/#, with: "RequestId").replacing(
      #/https response error StatusCode: \d+, RequestID: [^,]*, /#, with: "")
  }

  private func ourLog() throws -> [String] {
    let found = try cluster.eks.aws(
      "logs filter-log-events --log-group-name /aws/eks/demo/cluster --log-stream-name-prefix authenticator")
    return found["events"].items.compactMap { $0["message"].string.flatMap(Self.decision) }
  }
}
