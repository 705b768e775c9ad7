import Mechanisms
import Wire

/// What AWS answered to a call of a CSI driver, out of the text of an event or of a status.
struct AWSRefusal: Sendable {
  var text: String
  /// `AttachVolume`; empty where the text names none.
  var operation = ""
  /// `UnauthorizedOperation`; empty for what AWS was never asked.
  var code = ""
  var message = ""

  init(_ text: String) {
    self.text = text
    if let rest = AWSRefusal.after(text, "operation error EC2: ") {
      operation = String(rest.prefix { $0.isLetter || $0.isNumber })
    }
    if let rest = AWSRefusal.after(text, "api error ") {
      code = String(rest.prefix { $0 != ":" })
      message = String(rest.dropFirst(code.count + 2))
    }
  }

  private static func after(_ text: String, _ mark: String) -> Substring? {
    text.firstRange(of: mark).map { text[$0.upperBound...] }
  }

  /// The driver has no credentials to call AWS with.
  var lacksCredentials: Bool {
    text.contains("get credentials") || text.contains("failed to refresh cached credentials")
  }
  var isDenied: Bool { ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"].contains(code) }

  /// The explanation that this refusal gives: the credentials or policies of the driver, or what AWS says of the
  /// request itself.
  func finding(
    _ statement: String, _ driver: StorageDriver, _ entity: Entity, _ evidence: [Exhibit], _ at: Timestamp?,
    _ world: Investigation
  ) async -> Finding {
    func holds(_ words: String, _ causes: [Explanation.Cause], _ root: RootCause? = nil) -> Finding {
      .holds(
        Explanation(
          "\(statement): \(words)", entity: entity, evidence: evidence, causes: causes, root: root, lastSymptomAt: at))
    }
    if isDenied || lacksCredentials {
      let pods = await driver.pods(world)
      if let gap = pods.gap { return .open([gap]) }
      guard let pod = pods.items.map(PodState.init).min(by: { $0.name < $1.name }) else {
        return holds(
          "its driver's controller is gone", [.init(Effect(.driverSilent, Entity("CSIDriver", driver.name)))])
      }
      if lacksCredentials {
        return holds(
          "the driver has no AWS credentials", [.init(Effect(.podCredentials, pod.entity))])
      }
      let asked = AccessAsked(
        .pod(namespace: pod.namespace ?? "kube-system", name: pod.name),
        .aws(action: "ec2:\(operation)", resource: "*"))
      let cause = Effect(.awsAccess, pod.entity, detail: asked.detail)
      return holds("EC2 refuses ec2:\(operation) to the driver (\(code))", [.init(cause)])
    }
    guard !code.isEmpty else { return .open([gap(world)]) }
    return holds(
      "EC2 answers \(code)", [],
      RootCause(
        "storage/ec2-refuses", layer: .aws, entity: entity,
        statement: "EC2 takes \(operation) as it is asked for no request it can serve: \(code), \(message)",
        evidence: evidence,
        fixes: [Fix(advice, owner: "unknown", touches: [entity.title])]))
  }

  private func gap(_ world: Investigation) -> Gap {
    Gap(
      read: "logs of the driver's controller", why: "what is told says no more than: \(Ages.shortened(text, 160))",
      how: "\(world.target.kubectl) -n kube-system logs deploy/ebs-csi-controller -c ebs-plugin")
  }

  /// What an operator does about a request that EC2 can't serve.
  private var advice: String {
    switch code {
    case "InvalidVolume.NotFound": "the volume was deleted: restore a snapshot of it under a new PersistentVolume"
    case "InvalidVolume.ZoneMismatch": "put the pod on a node in the volume's zone"
    case "AttachmentLimitExceeded", "VolumeLimitExceeded", "MaxIOPSLimitExceeded":
      "add nodes, or ask for a higher quota"
    case "IncorrectState", "VolumeInUse": "detach the volume from where it is, or wait until it is let go"
    case "VolumeModificationRateExceeded", "IncorrectModificationState":
      "wait: a volume is modified once in 6 hours, and not while a modification is under way"
    case "InvalidParameterValue", "InvalidParameterCombination", "UnknownVolumeType", "MissingParameter":
      "correct the parameters of the StorageClass: parameters can't be changed, so make the class anew"
    case let code where code.contains("Key"):
      "name a KMS key that is enabled and that the driver's role may use, in a new StorageClass"
    default: "do what EC2's message says"
    }
  }
}
