import CGenerated

/// What an instance type offers for pods: cores, memory, network interfaces.
package struct InstanceLimits: Sendable, Equatable {
  package var type: String
  package var vCPUs: Int
  package var memoryMiB: Int
  package var maxENIs: Int
  /// Addresses of one interface, its primary one included.
  package var ipv4PerENI: Int
  /// `nitro`, `xen`, `metal`.
  package var hypervisor: String
  package var supportsTrunk: Bool
  package var maxBranchENIs: Int
  /// The row of `eni-max-pods.txt`.
  package var maxPodsFile: Int
  /// Devices that a plugin can offer to pods, by the resource's name.
  package var devices: [String: Int] = [:]

  package var supportsPrefixes: Bool { hypervisor != "xen" }

  /// As the table was written, by family.
  package static let all: [InstanceLimits] = Embedded.lines(ekswhy_instance_limits()).map { line in
    func number(_ index: Int) -> Int { Int(line[index]) ?? 0 }
    return InstanceLimits(
      type: line[0], vCPUs: number(1), memoryMiB: number(2), maxENIs: number(3), ipv4PerENI: number(4),
      hypervisor: line[5], supportsTrunk: line[6] == "yes", maxBranchENIs: number(7), maxPodsFile: number(8),
      devices: devices(line[9]))
  }

  /// `nvidia.com/gpu:8`, `-` for none.
  private static func devices(_ text: String) -> [String: Int] {
    let parts = text.split(separator: ":")
    guard parts.count == 2, let count = Int(parts[1]) else { return [:] }
    return [String(parts[0]): count]
  }

  /// Nil for a type outside the table.
  package static func named(_ type: String) -> InstanceLimits? { all.first { $0.type == type } }
}
