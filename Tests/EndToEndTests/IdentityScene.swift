import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// A cluster in which cases from the field are made by public calls, asked about and cured by the printed command.
struct IdentityScene {
  let cluster: QuickCluster
  let client: AWSClient
  static let account = "000000000000"

  var eks: LocalEKSProcess { cluster.eks }

  init(nodes: Int = 0, mode: String? = nil, version: String? = nil, ipv6: Bool = false) async throws {
    cluster = try await QuickCluster(nodes: nodes, mode: mode, version: version, ipv6: ipv6)
    client = IdentityScene.client(cluster.eks.environment)
  }

  static func client(_ environment: [String: String]) -> AWSClient {
    AWSClient(
      region: "us-east-1", chain: CredentialChain(profile: nil, environment: environment), roleARN: nil,
      endpoint: environment["AWS_ENDPOINT_URL"], timeoutSeconds: 30)
  }

  func end() async { await client.close() }

  var environment: [String: String] {
    eks.environment.merging(["KUBECONFIG": "\(eks.state)/kubeconfig"]) { $1 }
  }

  @discardableResult
  func call(_ service: String, _ operation: String, _ input: JSON) async throws -> JSON {
    try await client.call(service: service, operation: operation, input: input)
  }

  @discardableResult
  func kubectl(_ line: String, input: String? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws -> String
  {
    let outcome = try eks.kubectlOutcome(line, input: input, environment: environment)
    try #require(outcome.status == 0, "kubectl \(line): \(outcome.all)", sourceLocation: sourceLocation)
    return outcome.output
  }

  /// A role that its whole account may assume, with policies of its own.
  func role(_ name: String, path: String? = nil, trust: JSON? = nil) async throws {
    let trust =
      trust
      ?? [
        "Version": "2012-10-17",
        "Statement": [
          [
            "Effect": "Allow", "Principal": ["AWS": .string("arn:aws:iam::\(Self.account):root")],
            "Action": "sts:AssumeRole",
          ]
        ],
      ]
    var input: JSON = ["RoleName": .string(name), "AssumeRolePolicyDocument": .string(trust.text())]
    if let path { input["Path"] = .string(path) }
    try await call("iam", "CreateRole", input)
  }

  /// The ConfigMap aws-auth with this `mapRoles`, in place of what stood there.
  func awsAuth(_ mapRoles: String) throws {
    let object: JSON = [
      "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "aws-auth", "namespace": "kube-system"],
      "data": ["mapRoles": .string(mapRoles)],
    ]
    try kubectl("apply -f -", input: object.text())
  }

  /// Asks of the live cluster, and puts the answer on trial.
  func ask(
    as credentials: [String: String] = [:], cluster: String? = "demo", kubeconfig: String? = nil,
    timeoutSeconds: Int = 10, nodeLogs: NodeLogs? = nil, sourceLocation: SourceLocation = #_sourceLocation,
    _ asking: Trial.Asking
  ) async throws -> Answer {
    var options = LiveSession.Options()
    options.timeoutSeconds = timeoutSeconds
    options.cluster = cluster
    options.kubeconfig = kubeconfig
    options.region = "us-east-1"
    options.environment = environment.merging(credentials) { $1 }
    let session = try await LiveSession(options)
    let trial = try await Trial(
      session.source, known: session.known, target: session.identity, nodeLogs: nodeLogs,
      states: [.missing("left out")], asking)
    #expect(trial.faults == [], sourceLocation: sourceLocation)
    return trial.answer
  }

  func can(
    _ principal: String, _ words: String, namespace: String = "default", as credentials: [String: String] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    let deed = try #require(Deed(words.split(separator: " ").map(String.init), namespace: namespace))
    let question = AccessQuestion(try #require(Principal(principal, namespace: namespace)), deed)
    return try await ask(as: credentials, sourceLocation: sourceLocation) { why in
      try await why.ask(question, about: question.subject)
    }
  }

  func symptom(
    _ text: String, namespace: String? = nil, as credentials: [String: String] = [:], cluster: String? = "demo",
    kubeconfig: String? = nil, timeoutSeconds: Int = 10, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    let question = try #require(SymptomQuestion(text), "\(text) is no symptom", sourceLocation: sourceLocation)
    return try await ask(
      as: credentials, cluster: cluster, kubeconfig: kubeconfig, timeoutSeconds: timeoutSeconds,
      sourceLocation: sourceLocation
    ) { why in
      try await why.ask(question, about: question.subject(namespace: namespace))
    }
  }

  func subject(
    _ kind: String, _ name: String, namespace: String = "default", nodeLogs: NodeLogs? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await ask(nodeLogs: nodeLogs, sourceLocation: sourceLocation) { why in
      try await why.ask(Subject(kind: kind, name: name, namespace: namespace))
    }
  }

  /// Asks what a name is to a pod.
  func name(
    _ name: String, from asker: String, nodeLogs: NodeLogs? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await ask(nodeLogs: nodeLogs, sourceLocation: sourceLocation) { why in
      try await why.ask(Subject(kind: "name", name: name, namespace: "default", asker: asker))
    }
  }

  /// What commands on a node print, in files as a log collector lays them out.
  func nodeLogs(_ node: String, _ commands: [String: String]) throws -> NodeLogs {
    let folder = "\(eks.state)/node-logs"
    try? FileManager.default.removeItem(atPath: folder)
    try FileManager.default.createDirectory(atPath: "\(folder)/\(node)", withIntermediateDirectories: true)
    for (file, command) in commands {
      let words = command.split(separator: " ").map(String.init)
      let outcome = try Shell.run(
        LocalEKSProcess.binary, ["shell", "node/\(node)", "--"] + words, environment: environment)
      try #require(outcome.status == 0, "\(command): \(outcome.all)")
      try outcome.output.write(toFile: "\(folder)/\(node)/\(file)", atomically: true, encoding: .utf8)
    }
    return try NodeLogs(folder: folder)
  }

  /// Carries the first printed command of the first root out, as an operator would.
  func cure(
    _ answer: Answer, environment more: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let command = try #require(
      answer.roots.first?.cause.fixes.first?.command, "no command: \(answer.summary)", sourceLocation: sourceLocation)
    let outcome = try Shell.run("/bin/bash", ["-c", command], environment: environment.merging(more) { $1 })
    try #require(outcome.status == 0, "\(command): \(outcome.all)", sourceLocation: sourceLocation)
  }

  func roots(_ answer: Answer) -> [String] { answer.roots.map(\.cause.code) }

  /// What kubectl says to a caller with these AWS credentials.
  func whoami(as credentials: [String: String]) async throws -> Outcome {
    let client = Self.client(environment.merging(credentials) { $1 })
    let token = try await client.eksToken(cluster: "demo", region: "us-east-1")
    await client.close()
    return try kubectlOutcome(token: token, "auth whoami")
  }

  func kubectlOutcome(token: String, _ line: String, input: String? = nil) throws -> Outcome {
    try eks.kubectlOutcome(
      "--server \(cluster.endpoint) --insecure-skip-tls-verify --token \(token) \(line)", input: input,
      environment: ["KUBECONFIG": "/dev/null"])
  }

  /// Credentials of a session of a role.
  func session(_ role: String, _ name: String = "me") async throws -> [String: String] {
    let answer = try await call(
      "sts", "AssumeRole",
      ["RoleArn": .string("arn:aws:iam::\(Self.account):role/\(role)"), "RoleSessionName": .string(name)])
    let found = answer["Credentials"]
    return [
      "AWS_ACCESS_KEY_ID": found["AccessKeyId"].string ?? "",
      "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"].string ?? "",
      "AWS_SESSION_TOKEN": found["SessionToken"].string ?? "",
    ]
  }

  /// Moves the cluster's time on; kubelets and EKS try again by themselves, in their own time.
  func advance(_ duration: String) throws {
    let outcome = try eks.ekswhy("clock", "advance", duration, "--state", eks.state)
    try #require(outcome.status == 0, "clock advance: \(outcome.all)")
  }

  /// Asks until it is so; the local EKS decides how soon.
  func until(_ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ isSo: () async throws -> Bool)
    async throws
  {
    for _ in 0..<400 {
      if try await isSo() { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    try #require(try await isSo(), "\(what) never came", sourceLocation: sourceLocation)
  }

  /// Changes the cluster's configuration, and waits until it is so.
  func update(_ change: JSON) async throws {
    var input = change
    input["name"] = "demo"
    try await call("eks", "UpdateClusterConfig", input)
    try await until("an ACTIVE cluster") {
      try await call("eks", "DescribeCluster", ["name": "demo"])["cluster"]["status"].string == "ACTIVE"
    }
  }
}
