import Foundation
import Testing
import Wire

/// Unmodified controllers of upstream in the place of the built-in ones: the programs that
/// `EKSWHY_KUBE_CONTROLLER_MANAGER` and `EKSWHY_KUBE_SCHEDULER` name.
@Suite(.serialized, .enabled(if: Clients.both))
struct UpstreamControllerTests {
  /// A program that runs beside the test, and what it says.
  private final class Program {
    private let process = Process()
    private let log: URL

    init(_ path: String, _ arguments: [String], environment: [String: String]) throws {
      log = FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-program-\(UUID().uuidString)")
      _ = FileManager.default.createFile(atPath: log.path, contents: nil)
      process.executableURL = URL(fileURLWithPath: path)
      process.arguments = arguments
      process.environment = environment
      process.standardOutput = try FileHandle(forWritingTo: log)
      process.standardError = process.standardOutput
      process.standardInput = FileHandle.nullDevice
      try process.run()
    }

    deinit {
      process.terminate()
      process.waitUntilExit()
      try? FileManager.default.removeItem(at: log)
    }

    var said: String { ((try? String(contentsOf: log, encoding: .utf8)) ?? "").suffix(4000).description }
    var isRunning: Bool { process.isRunning }
  }

  private static let manifests = """
    {"apiVersion": "v1", "kind": "List", "items": [
      {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 3,
        "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}},
      {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {"replicas": 2,
        "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": {"metadata":
        {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}},
      {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"completions": 2,
        "template": {"spec": {"restartPolicy": "Never",
        "containers": [{"name": "c", "image": "busybox", "command": ["true"]}]}}}}]}
    """

  private func program(_ variable: String) -> String? {
    let path = ProcessInfo.processInfo.environment[variable] ?? ""
    if !path.isEmpty { return path }
    print("SKIPPED: \(variable) names no program; upstream's own is not tried")
    return nil
  }

  /// Applies the workloads and waits for each.
  private func reconcile(_ cluster: QuickCluster, _ programs: [Program]) throws {
    try cluster.eks.kubectl("apply -f -", input: Self.manifests)
    func told(_ outcome: Outcome) -> Comment { "\(outcome.all)\n\(programs.map(\.said).joined(separator: "\n---\n"))" }
    for line in [
      "rollout status deployment/web --timeout=60s", "rollout status statefulset/db --timeout=60s",
      "wait job/once --for=condition=Complete --timeout=60s",
    ] {
      let outcome = try cluster.eks.kubectlOutcome(line)
      #expect(outcome.status == 0, told(outcome))
    }
    for program in programs { #expect(program.isRunning, "\(program.said)") }
    try cluster.eks.kubectl("delete deployment web --wait")
    let left = try cluster.eks.kubectlOutcome("wait pod -l app=web --for=delete --timeout=60s")
    #expect(left.status == 0, told(left))
  }

  @Test func controllersAndSchedulerReconcile() async throws {
    guard let manager = program("EKSWHY_KUBE_CONTROLLER_MANAGER"), let scheduler = program("EKSWHY_KUBE_SCHEDULER")
    else { return }
    let cluster = try await QuickCluster()
    // The node group came up with the built-in ones; from here on upstream's take their place.
    try cluster.eks.kill()
    try cluster.eks.up(["--controllers", "none", "--scheduler", "off"])
    #expect(try cluster.eks.awsOutcome("eks update-kubeconfig --name demo").status == 0)
    let config = cluster.eks.environment["KUBECONFIG"] ?? ""
    let common = [
      "--kubeconfig=\(config)", "--authentication-kubeconfig=\(config)", "--authorization-kubeconfig=\(config)",
      "--secure-port=0", "--leader-elect=true",
    ]
    let programs = [
      try Program(
        manager, common + ["--use-service-account-credentials=true"], environment: cluster.eks.environment),
      try Program(scheduler, common, environment: cluster.eks.environment),
    ]
    try reconcile(cluster, programs)
  }

  /// With both switched off nothing is reconciled and nothing is bound, and the leases are anybody's.
  @Test func builtInOnesCanBeSwitchedOff() async throws {
    let cluster = try await QuickCluster()
    let eks = cluster.eks
    try eks.kill()
    try eks.up(["--controllers", "none", "--scheduler", "off"])
    #expect(try eks.awsOutcome("eks update-kubeconfig --name demo").status == 0)
    try eks.kubectl("apply -f -", input: Self.manifests)
    try eks.kubectl("run alone --image=nginx")
    try eks.ekswhy("clock", "advance", "2m", "--state", eks.state)
    #expect(try eks.kubectl("get replicasets,pods -o name") == "pod/alone\n")
    #expect(try eks.kubectl("get pod alone -o jsonpath={.spec.nodeName}").isEmpty)
    // Whoever is switched on again finds it all to do.
    try eks.kill()
    try eks.up()
    #expect(try eks.awsOutcome("eks update-kubeconfig --name demo").status == 0)
    try eks.kubectl("rollout status deployment/web --timeout=60s")
    try eks.kubectl("wait job/once --for=condition=Complete --timeout=60s")
    try eks.kubectl("wait pod/alone --for=condition=Ready --timeout=60s")
  }
}
