/// Why the byte counts of a node differ: who counts a byte how often.
///
/// Every device of a node's kernel counts what crosses it. What a pod sends out of the node crosses the node's end of
/// the pod's pair and an interface of the VPC; what it sends to another pod of the node crosses two pairs and no such
/// interface. EC2 counts at the interfaces of the VPC alone, for each five minutes once they are over.
///
/// Source: cadvisor `container/libcontainer/handler.go` for the devices that aren't counted, kernel `net/core/net-procfs.c`.
package enum ByteCounts {
  package static let name = "packets/byte-counts"

  package struct Counter: Sendable, Equatable {
    package var name: String
    package var received: Int
    package var sent: Int

    package init(_ name: String, received: Int, sent: Int) {
      self.name = name
      self.received = received
      self.sent = sent
    }

    package var sum: Int { received + sent }
  }

  package struct Facts: FactSet {
    /// Devices of the node as its kubelet tells them.
    package var devices: Fact<[Counter]>
    /// Of pods with a network of their own, as these see it, named `namespace/name`.
    package var pods: Fact<[Counter]>
    /// EC2's sums, of all whole intervals since the instance's launch.
    package var ec2: Fact<Counter>

    package init(devices: Fact<[Counter]>, pods: Fact<[Counter]>, ec2: Fact<Counter>) {
      self.devices = devices
      self.pods = pods
      self.ec2 = ec2
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.devices), hider(\.pods), hider(\.ec2)]
  }

  package struct Sums: Sendable, Equatable {
    /// Of every device that cAdvisor counts: Container Insights' `node_network_total_bytes` is its growth per second.
    package var all: Int
    /// Of the interfaces of the VPC.
    package var ports: Int
    /// Of the node's ends of its pods' pairs.
    package var pairs: Int
    package var pods: Int
    package var ec2: Int

    /// Bytes that went between pods of the node, at least: these are on two pairs, and others on one and a port.
    package var within: Int { max(0, pairs - ports) / 2 }
    /// What counts a byte again: the whole of the difference to the ports.
    package var again: Int { all - ports }
    /// Counted by the kernel, and not by EC2 (yet).
    package var untold: Int { ports - ec2 }
  }

  /// cAdvisor leaves devices with these names out.
  package static let uncounted = ["lo", "veth", "docker", "nerdctl"]

  /// `ens5`, `eth0`: an interface of the VPC. Others are of the node's own making.
  package static func isPort(_ name: String) -> Bool { name.hasPrefix("ens") || name.hasPrefix("eth") }

  package static func decide(_ facts: Facts) -> Verdict<Sums, Because> {
    let gaps = [facts.devices.gap, facts.pods.gap, facts.ec2.gap].compactMap { $0 }
    guard let devices = facts.devices.value, let pods = facts.pods.value, let ec2 = facts.ec2.value else {
      return .open(gaps)
    }
    let counted = devices.filter { device in !uncounted.contains { device.name.hasPrefix($0) } }
    let ports = counted.filter { isPort($0.name) }.reduce(0) { $0 + $1.sum }
    let all = counted.reduce(0) { $0 + $1.sum }
    let sums = Sums(all: all, ports: ports, pairs: all - ports, pods: pods.reduce(0) { $0 + $1.sum }, ec2: ec2.sum)
    return .yes(
      sums,
      [
        Because(
          "\(name)/sums", "devices count what crosses each of them, EC2 what crosses the interfaces of the VPC",
          evidence: [facts.devices.citation, facts.ec2.citation])
      ])
  }
}
