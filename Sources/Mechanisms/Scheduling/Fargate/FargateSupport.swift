package import Wire

/// Whether Fargate can run a pod at all (EKS user guide, Fargate considerations; texts as fargate-scheduler's events
/// tell them).
package enum FargateSupport: Rule {
  package static let name = "scheduling/fargate-support"

  /// A claim that a pod names.
  package struct Claim: Sendable, Equatable {
    package var isBound: Bool
    /// Driver of the bound volume, `efs.csi.aws.com`; empty for another kind of volume.
    package var driver: String

    package init(isBound: Bool, driver: String = "") {
      self.isBound = isBound
      self.driver = driver
    }
  }

  package struct Facts: FactSet {
    package var pod: Fact<JSON>
    /// The claims of its namespace by name; one that isn't here doesn't exist.
    package var claims: Fact<[String: Claim]>

    package init(pod: Fact<JSON>, claims: Fact<[String: Claim]>) {
      self.pod = pod
      self.claims = claims
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.pod), hider(\.claims)]
  }

  /// What `FailedScheduling` says before the list.
  package static let head = "Pod not supported on Fargate: "

  private static let volumes = ["configMap", "secret", "emptyDir", "projected", "downwardAPI", "nfs"]

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let pod = facts.pod.value else { return .open([facts.pod.gap!]) }
    let spec = pod["spec"]
    var found: [(code: String, text: String)] = []
    let fields = [("hostNetwork", "HostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")]
      .filter { spec[$0.0].bool == true }.map(\.1)
    if !fields.isEmpty { found.append(("host", "fields not supported: \(fields.joined(separator: ", "))")) }
    let containers = spec["initContainers"].items + spec["containers"].items
    if containers.contains(where: { $0["securityContext"]["privileged"].bool == true }) {
      found.append(("privileged", "invalid SecurityContext fields: Privileged"))
    }
    let ports = containers.flatMap { $0["ports"].items }
    if ports.contains(where: { ($0["hostPort"].int ?? 0) > 0 || !($0["hostIP"].string ?? "").isEmpty }) {
      found.append(("ports", "port contains HostIP or HostPort"))
    }
    let devices = Set(
      containers.flatMap { $0["resources"]["limits"].fields + $0["resources"]["requests"].fields }.map(\.key)
        .filter { $0.contains("/") })
    if !devices.isEmpty {
      found.append(("devices", "resources not supported: \(devices.sorted().joined(separator: ", "))"))
    }
    var gaps: [Gap] = []
    var refused: [String] = []
    for volume in spec["volumes"].items {
      switch fault(of: volume, facts.claims) {
      case .none: break
      case .refused(let text): refused.append(text)
      case .open(let gap): if !gaps.contains(gap) { gaps.append(gap) }
      }
    }
    if !refused.isEmpty { found.append(("volumes", "volumes not supported: \(refused.joined(separator: ", "))")) }
    if found.isEmpty { return gaps.isEmpty ? .yes() : .open(gaps) }
    return .no(
      found.map { Because("scheduling/fargate-support/\($0.code)", $0.text, evidence: [facts.pod.citation]) })
  }

  private enum VolumeFault {
    case none
    case refused(String)
    case open(Gap)
  }

  private static func fault(of volume: JSON, _ claims: Fact<[String: Claim]>) -> VolumeFault {
    let name = volume["name"].string ?? ""
    if volumes.contains(where: { volume.has($0) }) { return .none }
    guard let claim = volume["persistentVolumeClaim"]["claimName"].string else {
      // A volume of no kind at all is an emptyDir.
      return volume.fields.contains { $0.key != "name" }
        ? .refused("\(name) is of an unsupported volume Type") : .none
    }
    guard let known = claims.value else { return .open(claims.gap!) }
    guard let found = known[claim] else {
      return .refused("\(name) not supported because: persistentvolumeclaim \"\(claim)\" not found")
    }
    guard found.isBound else { return .refused("\(name) not supported because: PVC \(claim) not bound") }
    return found.driver == "efs.csi.aws.com" ? .none : .refused("\(name) is of an unsupported volume Type")
  }

  /// The event's text for a verdict of no.
  package static func message(_ reasons: [Because]) -> String {
    head + reasons.map(\.text).joined(separator: ", ")
  }
}

extension FargateSupport.Claim {
  /// From a PersistentVolumeClaim and the PersistentVolume it is bound to, if any.
  package init(claim: JSON, volume: JSON?) {
    self.init(
      isBound: claim["status"]["phase"].string == "Bound", driver: volume?["spec"]["csi"]["driver"].string ?? "")
  }
}
