/// How many pods a node takes, and what the kubelet keeps for itself because of it
/// (amazon-eks-ami, `max-pods-calculator.sh` and nodeadm).
package enum MaxPods {
  /// Taken for an instance type that is not known.
  package static let fallback = 110

  /// ENIs × (addresses − 1, or 16 times that with prefixes) + 2; uncapped.
  package static func formula(
    _ limits: InstanceLimits, prefixDelegation: Bool = false, customNetworking: Bool = false
  ) -> Int {
    let enis = limits.maxENIs - (customNetworking ? 1 : 0)
    let per = limits.ipv4PerENI - 1
    return enis * (prefixDelegation ? per * 16 : per) + 2
  }

  /// 110 up to 30 cores, 250 above: applied by managed node groups without a custom AMI.
  package static func cap(vCPUs: Int) -> Int { vCPUs <= 30 ? 110 : 250 }

  package static func recommended(
    _ limits: InstanceLimits, prefixDelegation: Bool = false, customNetworking: Bool = false
  ) -> Int {
    min(
      formula(limits, prefixDelegation: prefixDelegation, customNetworking: customNetworking),
      cap(vCPUs: limits.vCPUs))
  }

  /// What nodeadm of AL2023 sets: the formula without a cap.
  package static func nodeadm(_ type: String) -> Int {
    InstanceLimits.named(type).map { formula($0) } ?? fallback
  }

  /// MiB.
  package static func kubeReservedMemory(maxPods: Int) -> Int { 11 * maxPods + 255 }

  /// Millicores: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest.
  package static func kubeReservedCPU(vCPUs: Int) -> Int {
    let total = vCPUs * 1000
    var reserved = 0
    // Ten-thousandths of a core per band.
    for (start, end, share) in [(0, 1000, 600), (1000, 2000, 100), (2000, 4000, 50), (4000, Int.max, 25)] {
      guard total > start else { break }
      reserved += (min(total, end) - start) * share / 10_000
    }
    return reserved
  }
}
