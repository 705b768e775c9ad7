import Foundation
import Testing
import Wire

/// A world is its input log: played again in fresh processes (in which the order of Swift's dictionaries differs)
/// it gives the same rows, logs and answers, and those of the world that was recorded.
@Suite(.serialized) struct DeterminismTests {
  private func replay(_ path: String) throws -> (status: Int32, report: JSON, all: String) {
    let outcome = try Shell.run(
      LocalEKSProcess.binary, ["replay", path, "-o", "json"], environment: ProcessInfo.processInfo.environment)
    return (outcome.status, (try? JSON.parse(outcome.output)) ?? .null, outcome.all)
  }

  @Test(.enabled(if: Clients.both)) func aRecordedWorldIsPlayedAgain() throws {
    let eks = try LocalEKSProcess(["--record"])
    try ThreadTests.cluster(eks)
    try eks.kubectl("create deployment web --image=nginx --replicas=3")
    try eks.kubectl("rollout status deploy/web --timeout=60s")
    try eks.kubectl("create secret generic s --from-literal=password=hunter2-is-secret")
    let secret =
      #"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"t"},"stringData":{"key":"hunter3-is-secret"}}"#
    try eks.kubectl("apply -f -", input: secret)
    try eks.kubectl("patch deploy web -p '{\"spec\":{\"replicas\":2}}'")
    let denied = try eks.kubectlOutcome("--as bob get pods")
    #expect(denied.status != 0)
    var forged = eks.environment
    forged["AWS_SECRET_ACCESS_KEY"] = "wrong"
    #expect(try Shell.run("aws", ["iam", "list-roles"], environment: forged).status != 0)
    #expect(try Shell.run("kubectl", ["get", "ns"], environment: forged).status != 0)
    try eks.ekswhy("clock", "advance", "10m", "--state", eks.state)
    let token = try eks.kubectl("create token default").trimmingCharacters(in: .whitespacesAndNewlines)
    // A restart, a kill, and the world goes on; so does its log.
    try eks.ekswhy("down", "--state", eks.state)
    try eks.up()
    try eks.kubectl("scale deploy web --replicas=1")
    try eks.kill()
    try eks.up()
    try eks.kubectl("create configmap after --from-literal=a=b")
    try eks.aws("iam create-user --user-name eve")
    try eks.ekswhy("clock", "advance", "1m", "--state", eks.state)
    try eks.ekswhy("down", "--state", eks.state)

    // Nothing in the log lets anybody in, or tells a secret.
    let log = try Data(contentsOf: URL(fileURLWithPath: "\(eks.state)/logs/inputs.log"))
    for text in ["X-Amz-Signature", "hunter2", "hunter3", eks.environment["AWS_SECRET_ACCESS_KEY"] ?? "", token] {
      #expect(log.range(of: Data(text.utf8)) == nil, "\(text) is in the log")
      #expect(log.range(of: Data(Base64.encode(text.utf8).prefix { $0 != "=" }.utf8)) == nil, "\(text) is in the log")
    }

    let first = try replay(eks.state)
    #expect(first.status == 0, "\(first.all.prefix(3000))")
    #expect(first.report["differences"].array?.isEmpty == true, "\(first.report["differences"])")
    #expect((first.report["rows"]["count"].int ?? 0) > 200)
    for kind in ["cloudtrail", "authenticator", "kube-apiserver-audit", "kubelet", "nginx"] {
      #expect(first.report["logs"].fields.contains { $0.key.contains(kind) }, "no log \(kind)")
    }
    for _ in 0..<2 { #expect(try replay(eks.state).report == first.report) }

    // The log alone: the same every time, with digests for the secrets.
    let alone = "\(eks.state)/alone.log"
    try log.write(to: URL(fileURLWithPath: alone))
    let other = try replay(alone)
    #expect(other.status == 0 && other.report["divergences"].isNull, "\(other.all.prefix(3000))")
    #expect((other.report["sealedValuesMissing"].int ?? 0) > 0)
    #expect(other.report["rows"]["count"] == first.report["rows"]["count"])
    #expect(try replay(alone).report == other.report)
  }

  @Test func whatWasNotRecordedIsNotPlayed() throws {
    let eks = try LocalEKSProcess()
    try eks.ekswhy("down", "--state", eks.state)
    let refused = try replay(eks.state)
    #expect(refused.status != 0 && refused.all.contains("was not recorded"), "\(refused.all)")
    let late = try eks.ekswhy("up", "--detach", "--state", eks.state, "--port", "0", "--record")
    #expect(late.status != 0 && late.all.contains("begun without a record"), "\(late.all)")
  }

  @Test func coverageIsTold() throws {
    let outcome = try Shell.run(
      LocalEKSProcess.binary, ["coverage", "-o", "json"], environment: ProcessInfo.processInfo.environment)
    let rows = try JSON.parse(outcome.output).items
    func status(_ service: String, _ operation: String) -> String? {
      rows.first { $0["service"].string == service && $0["operation"].string == operation }?["status"].string
    }
    #expect(status("eks", "CreateCluster") == "modelled")
    #expect(status("eks", "RegisterCluster") == "recorded")
    #expect(status("ec2", "RunScheduledInstances") == "unsupported")
  }
}
