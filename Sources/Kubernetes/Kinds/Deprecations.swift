import Wire

/// Built-in kinds that are still served and warn whoever asks for them.
enum Deprecations {
  /// The warning's text; nil for a kind in good standing in that version.
  ///
  /// Source: `APILifecycleDeprecated` of the kinds, `k8s.io/apiserver/pkg/endpoints/deprecation`.
  static func warning(_ row: KubeResource, _ version: KubernetesVersion) -> String? {
    switch row.qualifiedName {
    case "componentstatuses": "v1 ComponentStatus is deprecated in v1.19+"
    case "endpoints" where version >= KubernetesVersion(minor: 33):
      "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    default: nil
    }
  }
}
