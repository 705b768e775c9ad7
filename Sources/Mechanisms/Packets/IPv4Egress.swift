package import Wire

/// How pods of an IPv6 cluster reach IPv4: by a second interface with an address that only their node knows.
///
/// Source: aws/amazon-vpc-cni-k8s `cmd/egress-cni-plugin`.
package enum IPv4Egress {
  package static let interface = "v4if0"
  package static let block = CIDR(IPv4Address(bits: 0xa9fe_ac00), length: 22)
  package static let gateway = IPv4Address(bits: 0xa9fe_ac01)

  /// The one that goes with a pod's IPv6 address: host-local gives its addresses in the order of the pods, as ipamd does.
  package static func address(ofPod address: IPv6Address) -> IPv4Address {
    block.base + (2 + Int((address.low & 0xffff_ffff_ffff) % 1021))
  }

  /// The host's end of the pod's second pair.
  static func veth(_ pod: NodePlan.Pod) -> String {
    String(InterfaceNames.veth(prefix: "veth", namespace: pod.namespace, pod: pod.name).prefix(12))
  }

  static func chain(_ pod: NodePlan.Pod) -> String {
    "CNI-E4-" + InterfaceNames.veth(prefix: "", namespace: pod.namespace, pod: pod.name)
  }
}
