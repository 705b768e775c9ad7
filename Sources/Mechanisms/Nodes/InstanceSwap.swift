package import Wire

/// Instance types that come with swap, which a kubelet doesn't start on unless it is told to.
///
/// Source: EC2 user guide, instance store swap volumes; kubelet `failSwapOn`.
package enum InstanceSwap {
  /// Of little memory: AWS formats part of their instance store as swap.
  package static let types: Set<String> = ["c1.medium", "m1.small"]

  /// What a kubelet on such a machine ends with; nil where it starts.
  package static func kubeletError(type: String, flags: [String], config: JSON) -> String? {
    let refuses = Bootstrap.flag("fail-swap-on", flags).map { $0 != "false" } ?? config["failSwapOn"].bool ?? true
    guard types.contains(type), refuses else { return nil }
    return
      "failed to run Kubelet: running with swap on is not supported, please disable swap! or set --fail-swap-on flag to false"
  }
}
