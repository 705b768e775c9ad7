import Foundation
import Testing
import Wire

/// The pod identity webhook of a cluster against amazon-eks-pod-identity-webhook, which
/// `EKSWHY_POD_IDENTITY_WEBHOOK` names: what a pod looks like after either.
@Suite(.serialized, .enabled(if: Judge.hasTools))
struct WebhookJudgeTests {
  static let role = "arn:aws:iam::000000000000:role/cluster"

  @Test func theJudgeFindsALie() async throws {
    let judge = try await WebhookJudge(
      accounts: ["plain": [:], "irsa": ["eks.amazonaws.com/role-arn": .string(Self.role)]], associated: [])
    let program = try Judge.standIn("webhook", in: judge.folder)
    let container: JSON = ["name": "c", "image": "i"]
    let pods = ["plain", "irsa"].map { account -> JSON in
      ["spec": ["serviceAccountName": .string(account), "containers": [container]]]
    }
    #expect(try judge.differences(judge.bench(program), pods) == [])
    let found = try judge.differences(judge.bench(program, lies: true), pods)
    #expect(found.count == 1)
    #expect(found.first?.contains("\(Self.role)x") == true, "\(found)")
  }

  @Test func everyPatchAgrees() async throws {
    guard let program = Judge.program("EKSWHY_POD_IDENTITY_WEBHOOK") else { return }
    let prefix = "eks.amazonaws.com"
    let irsa: JSON = ["\(prefix)/role-arn": .string(Self.role)]
    func with(_ more: JSON) -> JSON {
      var all = irsa
      for field in more.fields { all["\(prefix)/\(field.key)"] = field.value }
      return all
    }
    let judge = try await WebhookJudge(
      accounts: [
        "plain": [:], "irsa": irsa, "short": with(["token-expiration": "3600"]),
        "tiny": with(["token-expiration": "5"]),
        "odd": with(["token-expiration": "soon", "sts-regional-endpoints": "maybe"]),
        "legacy": with(["sts-regional-endpoints": "f", "audience": "me"]),
        "regional": with(["sts-regional-endpoints": "T"]), "pi": [:], "both": with(["token-expiration": "7200"]),
        "pi-legacy": ["\(prefix)/sts-regional-endpoints": "0"],
      ], associated: ["pi", "both", "pi-legacy"])
    let bench = try judge.bench(program)
    var dice = Dice(state: 20_261_123)
    let pods = (0..<150).map { _ in Self.pod(&dice, judge.accounts) }
    let found = try judge.differences(bench, pods)
    #expect(found == [])
  }

  private static func pod(_ dice: inout Dice, _ accounts: [String]) -> JSON {
    var pod: JSON = ["spec": ["serviceAccountName": .string(dice.pick(accounts))]]
    if dice.once(in: 3) { pod["metadata"]["labels"] = ["app": "x"] }
    if dice.once(in: 4) {
      pod["metadata"]["annotations"]["eks.amazonaws.com/token-expiration"] = .string(
        dice.pick(["3600", "60", "86400", "x", "+900", "-1", ""]))
    }
    if dice.once(in: 3) {
      pod["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"] = .string(
        dice.pick(["c0", "c1", "c0,c1", "c0, c1", "\"c0\",i0", "i0", "", "c\"0", "\nc0", "c1\nc0"]))
    }
    if dice.once(in: 5) {
      pod["spec"]["nodeSelector"] = [dice.pick(["kubernetes.io/os", "beta.kubernetes.io/os"]): "windows"]
    }
    var volumes: [JSON] = []
    for name in dice.some(["v", "aws-iam-token", "eks-pod-identity-token"]) {
      volumes.append(["name": .string(name), "emptyDir": [:]])
    }
    if !volumes.isEmpty { pod["spec"]["volumes"] = .array(volumes) }
    let count = 1 + dice.below(3)
    pod["spec"]["containers"] = .array((0..<count).map { container("c\($0)", &dice, volumes) })
    let inits = dice.below(3)
    if inits > 0 { pod["spec"]["initContainers"] = .array((0..<inits).map { container("i\($0)", &dice, volumes) }) }
    return pod
  }

  private static func container(_ name: String, _ dice: inout Dice, _ volumes: [JSON]) -> JSON {
    var container: JSON = ["name": .string(name), "image": "i"]
    let names = dice.some([
      "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
      "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "OTHER",
    ])
    if !names.isEmpty { container["env"] = .array(names.map { ["name": .string($0), "value": "x"] }) }
    if dice.once(in: 3), let volume = volumes.first {
      container["volumeMounts"] = [["name": volume["name"], "mountPath": "/mine"]]
    }
    return container
  }
}

/// A cluster with service accounts and associations, and what becomes of pods by it and by the upstream program.
final class WebhookJudge {
  let cluster: QuickCluster
  let folder: String
  let accounts: [String]
  private let certificate: String

  init(accounts: [String: JSON], associated: [String]) async throws {
    cluster = try await QuickCluster(nodes: 0)
    folder = try Judge.folder()
    self.accounts = accounts.keys.sorted()
    certificate = try Shell.run(
      "python3", [Judge.script, "certificate", folder], environment: cluster.eks.environment
    ).trimmed
    let list: JSON = [
      "apiVersion": "v1", "kind": "List",
      "items": .array(
        self.accounts.map { name in
          [
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": ["name": .string(name), "namespace": "default", "annotations": accounts[name] ?? [:]],
          ]
        }),
    ]
    try cluster.eks.kubectl("apply -f -", input: list.text())
    for name in associated {
      try cluster.eks.aws(
        "eks create-pod-identity-association --cluster-name demo --namespace default --service-account \(name) --role-arn \(WebhookJudgeTests.role)"
      )
    }
    let identities: JSON = [
      "identities": .array(associated.map { ["namespace": "default", "serviceAccount": .string($0)] })
    ]
    try identities.text().write(toFile: "\(folder)/identities.json", atomically: true, encoding: .utf8)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  final class Bench {
    fileprivate let process: JudgeProcess
    fileprivate let url: String

    fileprivate init(_ process: JudgeProcess, url: String) {
      self.process = process
      self.url = url
    }
  }

  func bench(_ program: String, lies: Bool = false) throws -> Bench {
    let ports = Judge.freePorts(2)
    var environment = cluster.eks.environment
    if lies { environment["EKSWHY_JUDGE_LIES"] = "1" }
    let process = try JudgeProcess(
      program,
      [
        "--in-cluster=false", "--kubeconfig=\(cluster.eks.state)/kubeconfig", "--port=\(ports[0])",
        "--metrics-port=\(ports[1])", "--tls-cert=\(certificate)", "--tls-key=\(certificate)",
        "--aws-default-region=us-east-1", "--sts-regional-endpoint=true", "--enable-debugging-handlers=true",
        "--watch-container-credentials-config=\(folder)/identities.json",
      ], environment: environment, log: "\(folder)/webhook-\(ports[0]).log")
    try process.until("the webhook with all service accounts") {
      let known = try Judge.ask("http://127.0.0.1:\(ports[1])/debug/alpha/cache")
      let health = try Judge.ask("https://127.0.0.1:\(ports[0])/healthz")
      return health.status != 0 && accounts.allSatisfy { known.body.contains("\"default/\($0)\"") }
    }
    return Bench(process, url: "https://127.0.0.1:\(ports[0])/mutate")
  }

  func differences(_ bench: Bench, _ pods: [JSON]) throws -> [String] {
    var found: [String] = []
    for (index, bare) in pods.enumerated() {
      var pod = bare
      pod["apiVersion"] = "v1"
      pod["kind"] = "Pod"
      pod["metadata"]["name"] = .string("p\(index)")
      pod["metadata"]["namespace"] = "default"
      let theirs = Self.injected(try mutated(pod, bench))
      let answer = try Judge.ask(
        cluster.endpoint + "/api/v1/namespaces/default/pods?dryRun=All", pod.text(),
        headers: ["Authorization: Bearer \(cluster.token)"])
      try #require(answer.status == 201, "\(pod.text()): \(answer.body)")
      let ours = Self.injected(try JSON.parse(answer.body))
      if theirs != ours {
        found.append("\(bare.text()): the judge makes it \(theirs.text()), ekswhy \(ours.text())")
      }
    }
    return found
  }

  private func mutated(_ pod: JSON, _ bench: Bench) throws -> JSON {
    let review: JSON = [
      "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
      "request": ["uid": "u", "namespace": "default", "operation": "CREATE", "object": pod],
    ]
    let answer = try Judge.ask(bench.url, review.text())
    let response = try JSON.parse(answer.body)["response"]
    try #require(response["allowed"].bool == true, "\(answer.body)")
    guard let patch = response["patch"].string.flatMap({ Base64.decode($0) }) else { return pod }
    return try JSONPatch(try JSON.parse(patch)).apply(to: pod)
  }

  /// What the webhook may change, in one form; a life that is chosen by chance counts as any other.
  private static func injected(_ pod: JSON) -> JSON {
    let names = ["aws-iam-token", "eks-pod-identity-token"]
    func containers(_ member: String) -> JSON {
      .array(
        pod["spec"][member].items.map { container in
          let mounts = container["volumeMounts"].items.filter { names.contains($0["name"].string ?? "") }
          return [
            "env": .array(
              container["env"].items.map { .string("\($0["name"].string ?? "")=\($0["value"].string ?? "")") }),
            "mounts": .array(
              mounts.map {
                .string("\($0["name"].string ?? "") \($0["mountPath"].string ?? "") \($0["readOnly"].bool ?? false)")
              }),
          ]
        })
    }
    let volumes = pod["spec"]["volumes"].items.filter { names.contains($0["name"].string ?? "") }.map {
      volume -> JSON in
      let token = volume["projected"]["sources"][0]["serviceAccountToken"]
      let seconds = token["expirationSeconds"].int ?? 0
      let isSpread = volume["name"].string == names[1] && (79_200...86_400).contains(seconds)
      return .string(
        "\(volume["name"].string ?? "") \(token["audience"].string ?? "") \(token["path"].string ?? "") \(isSpread ? "spread" : String(seconds))"
      )
    }
    return [
      "label": pod["metadata"]["labels"]["eks.amazonaws.com/pod-identity"], "volumes": .array(volumes),
      "containers": containers("containers"), "initContainers": containers("initContainers"),
    ]
  }
}
