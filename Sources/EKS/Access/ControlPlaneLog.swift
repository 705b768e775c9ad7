import Mechanisms
import Wire
import World

/// What a cluster's control plane writes to its log group, for the types that are switched on.
struct ControlPlaneLog {
  private let service: EKSService
  private let row: ClusterRow

  init(_ service: EKSService, _ row: ClusterRow) {
    self.service = service
    self.row = row
  }

  private var group: String { "/aws/eks/\(row.name)/cluster" }

  private func write(_ type: String, _ stream: String, _ message: @autoclosure () -> String) {
    guard row.logs(type) else { return }
    service.world.ports.deliverLog(group, "\(stream)-\(row.logSuffix)", message())
  }

  /// First lines of each process, which also make its stream.
  func started() {
    let now = service.world.now
    let c = now.civil
    let klog =
      "I\(c.month.padded(2))\(c.day.padded(2)) \(c.hour.padded(2)):\(c.minute.padded(2)):\(c.second.padded(2)).000000      10"
    write("api", "kube-apiserver", "\(klog) flags.go:64] FLAG: --authorization-mode=\"[Node,RBAC]\"")
    write(
      "api", "kube-apiserver", "\(klog) flags.go:64] FLAG: --authentication-token-webhook-cache-ttl=\"7m0s\"")
    write("controllerManager", "kube-controller-manager", "\(klog) controllermanager.go:207] \"Starting\"")
    write("scheduler", "kube-scheduler", "\(klog) server.go:154] \"Starting Kubernetes Scheduler\"")
    write("authenticator", "authenticator", line("info", "starting mapper \"MountedFile\"", []))
    write("authenticator", "authenticator", line("info", "starting mapper \"EKSConfigMap\"", []))
  }

  func audit(_ event: JSON) { write("audit", "kube-apiserver-audit", event.text(.go)) }

  // MARK: - The authenticator's lines, as logrus writes them

  func answered(_ caller: STSIdentity, host: String) {
    write(
      "authenticator", "authenticator",
      line(
        "info", "STS response",
        [
          ("accesskeyid", caller.accessKeyID), ("accountid", caller.account), ("arn", caller.arn), ("client", client),
          ("method", "POST"), ("path", "/authenticate"), ("session", caller.sessionName),
          ("stsendpoint", host), ("userid", caller.principalID),
        ]))
  }

  func granted(_ identity: MappedIdentity, _ caller: STSIdentity, host: String) {
    write(
      "authenticator", "authenticator",
      line(
        "info", "access granted",
        [
          ("arn", caller.canonicalARN), ("client", client), ("groups", "[\(identity.groups.joined(separator: " "))]"),
          ("method", "POST"), ("path", "/authenticate"),
          ("stsendpoint", host), ("uid", identity.uid),
          ("username", identity.username),
        ]))
  }

  func denied(_ error: String, arn: String?) {
    write(
      "authenticator", "authenticator",
      line(
        "warning", "access denied",
        (arn.map { [("arn", $0)] } ?? []) + [
          ("client", client), ("error", error), ("method", "POST"), ("path", "/authenticate"),
        ]))
  }

  private let client = "127.0.0.1:47586"

  private func line(_ level: String, _ message: String, _ fields: [(String, String)]) -> String {
    let pairs = [("time", service.world.now.rfc3339), ("level", level), ("msg", message)] + fields
    return pairs.map { "\($0.0)=\($0.0 == "time" ? "\"\($0.1)\"" : Self.quoted($0.1))" }.joined(separator: " ")
  }

  /// Quoted unless it is made of `A–Z a–z 0–9 - . _ / @ ^ +` only.
  private static func quoted(_ text: String) -> String {
    let plain = text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x2f, 0x40, 0x5e, 0x2b: true
      default: false
      }
    }
    return plain ? text : GoText.quote(text)
  }
}
