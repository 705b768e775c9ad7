import Evidence
import Foundation
import Mechanisms
import Why
import Wire

/// The throw-away local EKS of a tour, and the clients that drive it over the wire.
struct TourWorld {
  struct Fault: Error, CustomStringConvertible { var description: String }

  let folder: String
  let endpoint: String
  let region: String
  let environment: [String: String]
  let aws: AWSClient
  static let cluster = "demo"
  static var binary: String { CommandLine.arguments[0] }

  /// Starts it on a free port.
  static func start(folder: String) async throws -> TourWorld {
    let result = try Subprocess.run([
      executable, "up", "--detach", "--state", folder, "--port", "0", "--clock", "live",
    ])
    guard result.status == 0 else { throw Fault(description: "the local EKS didn't start: \(result.error)") }
    guard let bytes = FileManager.default.contents(atPath: "\(folder)/environment.json"),
      let facts = try? JSON.parse(Array(bytes)), let endpoint = facts["endpoint"].string
    else { throw Fault(description: "the local EKS in \(folder) tells no endpoint") }
    let region = facts["region"].string ?? "us-east-1"
    let environment = [
      "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": facts["accessKeyID"].string ?? "",
      "AWS_SECRET_ACCESS_KEY": facts["secretAccessKey"].string ?? "", "AWS_REGION": region,
      "HOME": ProcessInfo.processInfo.environment["HOME"] ?? "", "KUBECONFIG": "\(folder)/tour-kubeconfig",
    ]
    let client = AWSClient(
      region: region, chain: CredentialChain(profile: nil, environment: environment), roleARN: nil,
      endpoint: endpoint, timeoutSeconds: 20)
    return TourWorld(folder: folder, endpoint: endpoint, region: region, environment: environment, aws: client)
  }

  private static var executable: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? binary
  }

  func stop() {
    _ = try? Subprocess.run([TourWorld.executable, "down", "--state", folder])
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// Does what a line of the aws CLI does.
  @discardableResult
  func run(_ line: String) async throws -> JSON {
    let command = try AWSCommandLine(line)
    return try await aws.call(service: command.service, operation: command.operation, input: command.input)
  }

  /// Lets world time pass.
  func clock(_ words: String...) throws -> String {
    let result = try Subprocess.run([TourWorld.executable, "clock"] + words + ["--state", folder])
    guard result.status == 0 else { throw Fault(description: result.error) }
    return String(decoding: result.output, as: UTF8.self)
  }

  /// Asks until the answer pleases, while the world runs on.
  func poll<Value>(_ what: String, seconds: Double = 20, _ ask: () async throws -> Value?) async throws -> Value {
    let end = ContinuousClock.now + .milliseconds(Int64(seconds * 1000))
    var delay = 20
    while true {
      if let value = try await ask() { return value }
      guard ContinuousClock.now < end else { throw Fault(description: "waited \(Int(seconds))s for \(what) in vain") }
      try await Task.sleep(for: .milliseconds(delay))
      delay = min(delay * 2, 250)
    }
  }

  // MARK: - Kubernetes

  /// Writes the kubeconfig that `aws eks update-kubeconfig` writes.
  func writeKubeconfig() async throws -> String {
    let cluster = try await run("aws eks describe-cluster --name \(TourWorld.cluster)")["cluster"]
    let arn = cluster["arn"].string ?? ""
    let path = environment["KUBECONFIG"]!
    let config: JSON = [
      "apiVersion": "v1", "kind": "Config", "current-context": .string(arn),
      "clusters": [
        [
          "name": .string(arn),
          "cluster": [
            "server": cluster["endpoint"], "certificate-authority-data": cluster["certificateAuthority"]["data"],
          ],
        ]
      ],
      "contexts": [["name": .string(arn), "context": ["cluster": .string(arn), "user": .string(arn)]]],
      "users": [
        [
          "name": .string(arn),
          "user": [
            "exec": [
              "apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws",
              "args": [
                "--region", .string(region), "eks", "get-token", "--cluster-name", .string(TourWorld.cluster),
                "--output", "json",
              ],
            ]
          ],
        ]
      ],
    ]
    _ = FileManager.default.createFile(
      atPath: path, contents: Data(config.text(.pretty).utf8), attributes: [.posixPermissions: 0o600])
    return path
  }

  /// A request to the cluster's API server, as the caller.
  @discardableResult
  func kubernetes(_ method: String, _ path: String, _ body: JSON? = nil, type: String = "application/json")
    async throws -> JSON
  {
    let context = try Kubeconfig(path: environment["KUBECONFIG"]).context(nil)
    let client = try KubernetesWriter(
      context, token: try await aws.eksToken(cluster: TourWorld.cluster, region: region))
    return try await client.send(method, path, body, type: type)
  }

  /// An answer from live evidence, as the command line gives it; `without` withholds some of it.
  func ask(_ kind: String, _ name: String, namespace: String = "default", without: String? = nil) async throws
    -> Answer
  {
    var options = LiveSession.Options()
    options.kubeconfig = environment["KUBECONFIG"]
    options.environment = environment
    let live = try await LiveSession(options)
    var source: any EvidenceSource = live.source
    if let without { source = Withheld(source: source, operation: without) }
    let identity = live.identity
    let target = Target(
      cluster: identity.cluster, account: identity.account, region: identity.region, context: identity.context,
      caller: identity.caller)
    let reader = EvidenceReader(source)
    let investigation = Investigation(reader, target: target, now: await reader.now())
    return try await Why(investigation).ask(Subject(kind: kind, name: name, namespace: namespace))
  }
}

/// Evidence with one operation refused, as a reader without that permission has it.
private struct Withheld: EvidenceSource {
  var source: any EvidenceSource
  var operation: String

  func read(_ read: Read) async -> Reading {
    if case .aws(let aws) = read, aws.operation.name == operation {
      return Reading(state: .denied("AccessDenied (withheld by the tour)"), at: WallClock.now)
    }
    return await source.read(read)
  }

  func now() async -> (time: Timestamp, basis: String) { await source.now() }
  func remedy(for read: Read, _ state: Reading.State) -> String { source.remedy(for: read, state) }
}
