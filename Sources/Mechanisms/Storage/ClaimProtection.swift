package import Wire

/// Who keeps a claim that is being deleted (kubernetes `pkg/controller/volume/pvcprotection`).
package enum ClaimProtection {
  package static let finalizer = "kubernetes.io/pvc-protection"

  /// The pods on nodes that use the claim; it goes when there is none left.
  package static func holders(of claim: String, among pods: some Sequence<JSON>) -> [JSON] {
    pods.filter { pod in
      !(pod["spec"]["nodeName"].string ?? "").isEmpty && PodVolumes.claims(of: pod).contains { $0.claim == claim }
    }
  }
}
