package import Mechanisms
package import Wire

/// What VPCs are to packets. Registered by EC2; without it no network is known, and everything reaches everything.
package final class PacketPorts {
  /// A VPC with those that it peers with: subnets, route tables, ACLs, groups and gateways. Of interfaces there are
  /// those of gateways; the others are added as packets come to them. nil for no VPC of that id.
  package var fabric: (_ vpc: String) -> Fabric? = { _ in nil }
  /// The interfaces of an instance, as DescribeNetworkInterfaces shows them.
  package var interfaces: (_ instance: String) -> [JSON] = { _ in [] }
  /// The interface that has a private address in a VPC.
  package var interface: (_ vpc: String, _ address: IPv4Address) -> JSON? = { _, _ in nil }
  /// Other than before when ``fabric`` or the endpoint of a cluster is.
  package var generation: () -> UInt64 = { 0 }
  /// Other than before when an instance's interfaces are, but for their secondary addresses.
  package var shape: (_ instance: String) -> String = { _ in "" }

  /// Why a program in a node's own network gets no connection to an address, in the words of Go's dialer; nil where
  /// it gets one. Registered by Kubernetes.
  package var dial: (_ cluster: String, _ node: String, _ address: String, _ port: Int) -> String? = {
    _, _, _, _ in nil
  }

  init() {}
}
