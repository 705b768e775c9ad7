/// The patch release of each Kubernetes version that EKS runs, on the control plane and on its images' kubelets.
package enum KubernetesRelease {
  private static let patches = [
    "1.30": "1.30.14", "1.31": "1.31.13", "1.32": "1.32.9", "1.33": "1.33.5", "1.34": "1.34.2", "1.35": "1.35.1",
    "1.36": "1.36.0",
  ]

  /// Versions of which there are releases, oldest first.
  package static var versions: [String] { patches.keys.sorted() }

  /// `1.34.2` of `1.34`.
  package static func patch(of version: String) -> String { patches[version] ?? "\(version).0" }

  /// `v1.34.2-eks-113cf36`, as `/version` and nodes tell it.
  package static func build(patch: String) -> String { "v\(patch)-eks-113cf36" }
  package static func build(of version: String) -> String { build(patch: patch(of: version)) }
}
