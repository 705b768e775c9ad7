import Wire
import World

/// Holds pods to what the labels of their namespace say (`pod-security-admission/admission`).
enum PodSecurityAdmission {
  private static let prefix = "pod-security.kubernetes.io/"

  /// A level in the form of a version: `restricted:latest`.
  struct Policy: Equatable {
    var level = PodSecurityStandard.Level.privileged
    var version = "latest"

    var text: String { "\(level.rawValue):\(version)" }

    func violations(_ metadata: JSON, _ spec: JSON, newest: Int) -> [PodSecurityStandard.Violation] {
      let minor = version == "latest" ? newest : Int(version.dropFirst(3)) ?? newest
      return PodSecurityStandard.violations(level, minor: min(minor, newest), metadata: metadata, spec: spec)
    }
  }

  struct Policies {
    var enforce = Policy()
    var audit = Policy()
    var warn = Policy()
    var errors: [FieldError] = []

    init(_ labels: JSON) {
      let path: FieldPath = "metadata.labels"
      func read(_ mode: String, _ policy: inout Policy, refuses: Bool) {
        let key = prefix + mode
        if let text = labels[key].string {
          if let level = PodSecurityStandard.Level(rawValue: text) {
            policy.level = level
          } else {
            errors.append(
              .invalid(path.key(key), .string(text), "must be one of privileged, baseline, restricted"))
            // What can't be read is held to the strictest where pods are refused by it, and open else.
            policy.level = refuses ? .restricted : .privileged
          }
        }
        guard let version = labels["\(key)-version"].string else { return }
        if version == "latest" || version.hasPrefix("v1.") && Int(version.dropFirst(3)) != nil {
          policy.version = version
        } else {
          errors.append(
            .invalid(path.key("\(key)-version"), .string(version), "must be \"latest\" or \"v1.x\""))
        }
      }
      read("enforce", &enforce, refuses: true)
      read("audit", &audit, refuses: false)
      read("warn", &warn, refuses: false)
      // Who is refused by a level is warned of it where nothing else is said.
      if labels["\(prefix)warn"].isNull, enforce.level.rank > warn.level.rank { warn = enforce }
    }

    var isOpen: Bool { [enforce, audit, warn].allSatisfy { $0.level == .privileged } && errors.isEmpty }
  }

  private static let quietSubresources: Set<String> = [
    "exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status",
  ]

  static func validate(_ object: JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    guard request.operation == .create || request.operation == .update else { return }
    let row = request.row
    switch (row.group, row.plural) {
    case ("", "namespaces"): try validateNamespace(object, request, server)
    case ("", "pods"):
      if quietSubresources.contains(request.subresource) { return }
      if request.operation == .update, !isSignificant(object, request.old ?? .null) { return }
      try evaluate(object["metadata"], object["spec"], request, server, enforces: true)
    case ("", "replicationcontrollers"), ("apps", "replicasets"), ("apps", "deployments"), ("apps", "statefulsets"),
      ("apps", "daemonsets"), ("batch", "jobs"):
      guard request.subresource.isEmpty, !object["spec"]["template"].isNull else { return }
      let template = object["spec"]["template"]
      try evaluate(template["metadata"], template["spec"], request, server, enforces: false)
    case ("batch", "cronjobs"):
      guard request.subresource.isEmpty else { return }
      let template = object["spec"]["jobTemplate"]["spec"]["template"]
      try evaluate(template["metadata"], template["spec"], request, server, enforces: false)
    default: return
    }
  }

  /// Of a pod that is there, nothing matters but images and what a check looks at.
  private static func isSignificant(_ new: JSON, _ old: JSON) -> Bool {
    if new["metadata"]["annotations"] != old["metadata"]["annotations"] {
      func armor(_ pod: JSON) -> [String] {
        pod["metadata"]["annotations"].fields.filter { $0.key.hasPrefix("container.apparmor.security") }.map {
          "\($0.key)=\($0.value.string ?? "")"
        }
      }
      if armor(new) != armor(old) { return true }
    }
    func compared(_ spec: JSON) -> JSON {
      var spec = spec
      for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] { spec[field] = .null }
      return spec
    }
    return compared(new["spec"]) != compared(old["spec"])
  }

  private static func evaluate(
    _ metadata: JSON, _ spec: JSON, _ request: AdmissionRequest, _ server: APIServer, enforces: Bool
  ) throws(KubeStatus) {
    let labels = server.read("namespaces", "", request.namespace)?["metadata"]["labels"] ?? .null
    let policies = Policies(labels)
    let exchange = request.exchange
    if enforces { exchange.annotations.append(("\(prefix)enforce-policy", policies.enforce.text)) }
    if policies.isOpen { return }
    let newest = server.version.minor
    func told(_ policy: Policy) -> String? {
      let found = policy.violations(metadata, spec, newest: newest)
      return found.isEmpty ? nil : found.map(\.text).joined(separator: ", ")
    }
    if enforces, let why = told(policies.enforce) {
      throw request.refused("violates PodSecurity \(GoText.quote(policies.enforce.text)): \(why)")
    }
    if let why = told(policies.audit) {
      exchange.annotations.append(
        ("\(prefix)audit-violations", "would violate PodSecurity \(GoText.quote(policies.audit.text)): \(why)"))
    }
    if let why = told(policies.warn) {
      exchange.warnings.append("would violate PodSecurity \(GoText.quote(policies.warn.text)): \(why)")
    }
  }

  // MARK: - Namespaces

  private static func validateNamespace(_ object: JSON, _ request: AdmissionRequest, _ server: APIServer)
    throws(KubeStatus)
  {
    guard request.subresource.isEmpty else { return }
    let new = Policies(object["metadata"]["labels"])
    let old = request.old.map { Policies($0["metadata"]["labels"]) }
    if !new.errors.isEmpty, old?.errors != new.errors {
      throw .invalid(request.row.groupKind, request.name, new.errors)
    }
    guard let old, new.enforce != old.enforce, new.enforce.level != .privileged,
      new.enforce.version != old.enforce.version || new.enforce.level.rank > old.enforce.level.rank
    else { return }
    // Pods that are there stay; whoever sets the label is told of them.
    var found: [(text: String, pods: [String])] = []
    for pod in server.read("pods", namespace: request.name) {
      let violations = new.enforce.violations(pod["metadata"], pod["spec"], newest: server.version.minor)
      guard !violations.isEmpty else { continue }
      let text = violations.map(\.reason).joined(separator: ", ")
      let name = pod["metadata"]["name"].string ?? ""
      if let at = found.firstIndex(where: { $0.text == text }) {
        found[at].pods.append(name)
      } else {
        found.append((text, [name]))
      }
    }
    guard !found.isEmpty else { return }
    request.exchange.warnings.append(
      "existing pods in namespace \(GoText.quote(request.name)) violate the new PodSecurity enforce level "
        + GoText.quote(new.enforce.text))
    for (text, pods) in found {
      let others = pods.count - 1
      let more = others == 0 ? "" : " (and \(others) other pod\(others == 1 ? "" : "s"))"
      request.exchange.warnings.append("\(pods[0])\(more): \(text)")
    }
  }
}
