package import Wire

/// The claims that a pod uses.
package enum PodVolumes {
  package struct Use: Sendable, Equatable {
    /// Name of the volume in the pod.
    package var volume: String
    package var claim: String
    /// Made for the pod alone, from its own template.
    package var isEphemeral: Bool
    package var isReadOnly: Bool
  }

  /// In order of the pod's volumes; an ephemeral one has the claim `<pod>-<volume>`.
  package static func claims(of pod: JSON) -> [Use] {
    pod["spec"]["volumes"].items.compactMap { volume in
      let name = volume["name"].string ?? ""
      if let claim = volume["persistentVolumeClaim"]["claimName"].string {
        return Use(
          volume: name, claim: claim, isEphemeral: false,
          isReadOnly: volume["persistentVolumeClaim"]["readOnly"].bool == true)
      }
      guard volume["ephemeral"].object != nil else { return nil }
      return Use(
        volume: name, claim: "\(pod["metadata"]["name"].string ?? "")-\(name)", isEphemeral: true, isReadOnly: false)
    }
  }
}
