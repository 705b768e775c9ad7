/// An EKS optimized machine image: what a managed node boots when its launch template names no image of its own.
///
/// Which releases there are is made up: each patch release of the kubelet has two builds.
package struct OptimizedImage: Sendable, Equatable {
  /// As the EKS API names it, `AL2023_x86_64_STANDARD`.
  package var type: String
  /// `1.34`.
  package var version: String
  /// Of the kubelet inside, `1.34.2`.
  package var patch: String
  /// Day of the build, `20261101`.
  package var built: String

  /// `1.34.2-20261101`, as the EKS API names it.
  package var release: String { "\(patch)-\(built)" }
  package var kubelet: String { KubernetesRelease.build(patch: patch) }
  package var isARM: Bool { type.contains("ARM_64") }
  package var system: NodeSystem { OptimizedImage.system(of: type) }
  package var name: String {
    let architecture = isARM ? (system == .bottlerocket ? "aarch64" : "arm64") : "x86_64"
    return switch system {
    case .al2023: "amazon-eks-node-al2023-\(architecture)-standard-\(version)-v\(built)"
    case .al2: "amazon-eks\(isARM ? "-arm64" : "")-node-\(version)-v\(built)"
    case .bottlerocket: "bottlerocket-aws-k8s-\(version)-\(architecture)-v1.50.0-\(built)"
    }
  }

  /// The types whose bootstrap is simulated; those that are taken when none is asked for come first.
  package static let types = [
    "AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "AL2_x86_64", "AL2_ARM_64", "BOTTLEROCKET_x86_64",
    "BOTTLEROCKET_ARM_64",
  ]

  /// Of an AMI type, as the EKS API names it.
  package static func system(of type: String) -> NodeSystem {
    type.hasPrefix("AL2_") ? .al2 : type.hasPrefix("BOTTLEROCKET_") ? .bottlerocket : .al2023
  }
  /// Oldest first.
  package static let builds = ["20261006", "20261101"]

  /// The images of a type for a version of Kubernetes, oldest first.
  package static func releases(_ version: String, type: String) -> [OptimizedImage] {
    guard KubernetesRelease.versions.contains(version), types.contains(type) else { return [] }
    let patch = KubernetesRelease.patch(of: version)
    if system(of: type) == .al2, version > lastOfAL2 { return [] }
    return builds.map { OptimizedImage(type: type, version: version, patch: patch, built: $0) }
  }

  /// An id that stays the same for an image in a region.
  package func id(region: String) -> String {
    var state: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(name)/\(region)".utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
    state = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
    state = (state ^ (state >> 27)) &* 0x94d0_49bb_1331_11eb
    let digits = String(state ^ (state >> 31), radix: 16)
    return "ami-0" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The image of that id; nil for an image of somebody else's.
  package static func named(_ id: String, region: String) -> OptimizedImage? {
    for version in KubernetesRelease.versions {
      for type in types {
        for image in releases(version, type: type) where image.id(region: region) == id { return image }
      }
    }
    return nil
  }

  /// Whether instances of a type have an ARM processor: Graviton families carry a g after their generation.
  package static func needsARM(_ instanceType: String) -> Bool {
    let family = instanceType.prefix { $0 != "." }
    return family.drop { !$0.isNumber }.contains("g")
  }

  /// The last version of Kubernetes that Amazon Linux 2 types are offered for.
  package static let lastOfAL2 = "1.32"
}
