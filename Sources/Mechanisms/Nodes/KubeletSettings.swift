import Wire

/// What the kubelet's own configuration says beside what every node has: static pods and the way to shut down.
package struct KubeletSettings: Codable, Sendable, Equatable {
  /// The directory with manifests of static pods; nil where there is none, as on EKS's images.
  package var staticPodPath: String?
  package var shutdown: NodeShutdown?
  /// Manifests that lie there from the beginning, by their files.
  package var manifests: [String: String]?

  package init(
    staticPodPath: String? = nil, shutdown: NodeShutdown? = nil, manifests: [String: String]? = nil
  ) {
    self.staticPodPath = staticPodPath
    self.shutdown = shutdown
    self.manifests = manifests
  }

  /// From what a node is told of its kubelet; nil where that says nothing of these.
  package init?(_ config: NodeConfig) {
    let kubelet = config.kubeletConfig
    staticPodPath = kubelet["staticPodPath"].string ?? Bootstrap.flag("pod-manifest-path", config.kubeletFlags)
    if staticPodPath?.isEmpty == true { staticPodPath = nil }
    while let path = staticPodPath, path.count > 1, path.hasSuffix("/") { staticPodPath = String(path.dropLast()) }
    let groups = kubelet["shutdownGracePeriodByPodPriority"].items.map {
      NodeShutdown.Group(
        priority: $0["priority"].int ?? 0, seconds: $0["shutdownGracePeriodSeconds"].int ?? 0)
    }
    shutdown =
      groups.isEmpty
      ? NodeShutdown(
        seconds: Self.seconds(kubelet["shutdownGracePeriod"]),
        critical: Self.seconds(kubelet["shutdownGracePeriodCriticalPods"]))
      : NodeShutdown(groups: groups)
    let given = kubelet["staticPods"].stringMap
    if !given.isEmpty { manifests = given }
    if self == KubeletSettings() { return nil }
  }

  /// Of a duration as Go writes it; zero for none.
  private static func seconds(_ value: JSON) -> Int {
    guard let text = value.string else { return value.int ?? 0 }
    var total = 0.0
    var number = ""
    var unit = ""
    func take() {
      let scale: Double = ["h": 3600, "m": 60, "s": 1, "ms": 0.001][unit] ?? 0
      total += (Double(number) ?? 0) * scale
      (number, unit) = ("", "")
    }
    for letter in text {
      if letter.isNumber || letter == "." {
        if !unit.isEmpty { take() }
        number.append(letter)
      } else {
        unit.append(letter)
      }
    }
    take()
    return Int(total)
  }
}
