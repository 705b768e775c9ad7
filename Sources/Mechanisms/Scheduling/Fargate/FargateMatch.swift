package import Wire

/// Which Fargate profile takes a pod when it is created (EKS user guide, Fargate profiles). What is decided then is
/// never looked at again: a pod that is there stays what it is.
package enum FargateMatch: Rule {
  package static let name = "scheduling/fargate-match"

  /// What of a pod decides.
  package struct Pod: Sendable, Equatable {
    package var namespace: String
    package var labels: [String: String]
    /// The annotation `eks.amazonaws.com/compute-type`.
    package var computeType: String?
    /// A DaemonSet made it: it is for a node that is there.
    package var isDaemon: Bool
    package var createdAt: Timestamp?

    package init(
      namespace: String, labels: [String: String] = [:], computeType: String? = nil, isDaemon: Bool = false,
      createdAt: Timestamp? = nil
    ) {
      self.namespace = namespace
      self.labels = labels
      self.computeType = computeType
      self.isDaemon = isDaemon
      self.createdAt = createdAt
    }
  }

  package struct Facts: FactSet {
    package var pod: Fact<Pod>
    /// All profiles of the cluster.
    package var profiles: Fact<[FargateProfile]>

    package init(pod: Fact<Pod>, profiles: Fact<[FargateProfile]>) {
      self.pod = pod
      self.profiles = profiles
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.pod), hider(\.profiles)]
  }

  package static let label = "eks.amazonaws.com/fargate-profile"
  package static let computeType = "eks.amazonaws.com/compute-type"
  package static let scheduler = "fargate-scheduler"

  /// The name of the profile.
  package static func decide(_ facts: Facts) -> Verdict<String, Because> {
    guard let pod = facts.pod.value else { return .open([facts.pod.gap!]) }
    if pod.computeType == "ec2" {
      return .no([
        Because(
          "scheduling/fargate-match/compute-type", "its annotation \(computeType) is ec2, which keeps it off Fargate",
          evidence: [facts.pod.citation])
      ])
    }
    if pod.isDaemon {
      return .no([
        Because(
          "scheduling/fargate-match/daemonset", "a DaemonSet made it, and Fargate takes no DaemonSets",
          evidence: [facts.pod.citation])
      ])
    }
    guard let profiles = facts.profiles.value else { return .open([facts.profiles.gap!]) }
    let evidence = [facts.profiles.citation]
    guard !profiles.isEmpty else {
      return .no([
        Because("scheduling/fargate-match/no-profile", "the cluster has no Fargate profile", evidence: evidence)
      ])
    }
    let judged = profiles.sorted { $0.name < $1.name }.map { (profile: $0, reason: refusal($0, pod)) }
    if let forced = pod.labels[label] {
      guard let named = judged.first(where: { $0.profile.name == forced }) else {
        return .no([
          Because(
            "scheduling/fargate-match/unknown", "its label \(label) names \(forced), and there is no such profile",
            evidence: evidence, details: ["profile": .string(forced)])
        ])
      }
      if let reason = named.reason { return .no([because(named.profile, reason, evidence)]) }
      return .yes(forced, [matched(named.profile, pod, evidence)])
    }
    guard let first = judged.first(where: { $0.reason == nil }) else {
      return .no(nearestLast(judged).map { because($0.profile, $0.reason!, evidence) })
    }
    return .yes(first.profile.name, [matched(first.profile, pod, evidence)])
  }

  /// Why a profile doesn't take a pod.
  private enum Refusal {
    case namespace
    case labels(FargateProfile.Selector, [(key: String, value: String)])
    case younger
    case notActive

    /// How near it came.
    var rank: Int {
      switch self {
      case .namespace: 0
      case .labels: 1
      case .notActive: 2
      case .younger: 3
      }
    }
  }

  private static func refusal(_ profile: FargateProfile, _ pod: Pod) -> Refusal? {
    let near = profile.selectors.filter { $0.matches(namespace: pod.namespace) }
    guard !near.isEmpty else { return .namespace }
    var nearest: (selector: FargateProfile.Selector, missing: [(key: String, value: String)])?
    for selector in near {
      let missing = selector.missing(in: pod.labels)
      if missing.isEmpty {
        // Objects of Kubernetes tell their time in whole seconds.
        if let made = pod.createdAt, let began = profile.createdAt, made.seconds < began.seconds { return .younger }
        return profile.status == "ACTIVE" ? nil : .notActive
      }
      if nearest.map({ missing.count < $0.missing.count }) ?? true { nearest = (selector, missing) }
    }
    return nearest.map { .labels($0.selector, $0.missing) }
  }

  private static func nearestLast(
    _ judged: [(profile: FargateProfile, reason: Refusal?)]
  ) -> [(profile: FargateProfile, reason: Refusal?)] {
    judged.sorted { ($0.reason?.rank ?? 0, $0.profile.name) < ($1.reason?.rank ?? 0, $1.profile.name) }
  }

  private static func because(_ profile: FargateProfile, _ reason: Refusal, _ evidence: [Citation?]) -> Because {
    let name = profile.name
    var details: JSON = ["profile": .string(name)]
    switch reason {
    case .namespace:
      let names = profile.selectors.map(\.namespace).joined(separator: ", ")
      return Because(
        "scheduling/fargate-match/namespace", "profile \(name) selects the namespace \(names) only", evidence: evidence,
        details: details)
    case .labels(let selector, let missing):
      let wanted = missing.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
      details["missing"] = .object(JSONObject(missing.map { ($0.key, .string($0.value)) }))
      return Because(
        "scheduling/fargate-match/labels",
        "profile \(name) selects \(selector.text); the pod has no label \(wanted)", evidence: evidence, details: details
      )
    case .younger:
      return Because(
        "scheduling/fargate-match/younger",
        "profile \(name) selects it, but is younger than the pod: profiles act on pods when they are created",
        evidence: evidence, details: details)
    case .notActive:
      return Because(
        "scheduling/fargate-match/not-active", "profile \(name) selects it, but is \(profile.status)",
        evidence: evidence, details: details)
    }
  }

  private static func matched(_ profile: FargateProfile, _ pod: Pod, _ evidence: [Citation?]) -> Because {
    let selector = profile.selectors.first {
      $0.matches(namespace: pod.namespace) && $0.missing(in: pod.labels).isEmpty
    }
    return Because(
      "scheduling/fargate-match/matched",
      "profile \(profile.name) selects it by \(selector?.text ?? "a selector")", evidence: evidence,
      details: ["profile": .string(profile.name)])
  }
}

extension FargateMatch.Pod {
  /// From a Pod, or the template of one.
  package init(pod: JSON, namespace: String? = nil) {
    let metadata = pod["metadata"]
    self.init(
      namespace: namespace ?? metadata["namespace"].string ?? "default", labels: metadata["labels"].stringMap,
      computeType: metadata["annotations"][FargateMatch.computeType].string,
      isDaemon: metadata["ownerReferences"].items.contains { $0["kind"].string == "DaemonSet" },
      createdAt: metadata["creationTimestamp"].string.flatMap { Timestamp(rfc3339: $0) })
  }
}
