/// How many EBS volumes an instance can hold, the root volume among them.
///
/// On most types of the Nitro system volumes and network interfaces share their slots; newer families have slots
/// for volumes alone. Instance stores that take slots too are not counted.
/// Source: EC2 user guide, "Amazon EBS volume limits"; aws-ebs-csi-driver `pkg/cloud/volume_limits.go`.
package struct AttachmentSlots: Sendable, Equatable {
  package var count: Int
  /// Whether network interfaces take of them.
  package var areShared: Bool

  package static func of(_ type: String, hypervisor: String) -> AttachmentSlots {
    guard hypervisor != "xen" else { return AttachmentSlots(count: 39, areShared: false) }
    let parts = type.split(separator: ".", maxSplits: 1).map(String.init)
    guard let family = parts.first, parts.count == 2, hasOwn(family) else {
      return AttachmentSlots(count: 28, areShared: true)
    }
    return AttachmentSlots(count: own(of: parts[1]), areShared: false)
  }

  /// Whether a family has slots for volumes alone: all from the eighth generation on, of the seventh those with
  /// Intel's and AMD's processors.
  private static func hasOwn(_ family: String) -> Bool {
    let rest = family.drop { !$0.isNumber }
    let generation = Int(rest.prefix { $0.isNumber }) ?? 0
    let processor = rest.drop { $0.isNumber }.first
    return generation >= 8 || generation == 7 && (processor == "i" || processor == "a")
  }

  private static func own(of size: String) -> Int {
    guard let factor = Int(size.prefix { $0.isNumber }), size.hasSuffix("xlarge") else { return 32 }
    switch factor {
    case ..<16: return 32
    case ..<24: return 48
    case ..<48: return 64
    default: return 128
    }
  }

  /// Slots left beside the interfaces.
  package func volumes(interfaces: Int) -> Int { areShared ? max(0, count - interfaces) : count }

  /// What the CSI driver tells of a node as it starts: what is left beside interfaces and volumes that are there.
  package func allocatable(interfaces: Int, volumes: Int) -> Int {
    max(1, self.volumes(interfaces: interfaces) - volumes)
  }
}
