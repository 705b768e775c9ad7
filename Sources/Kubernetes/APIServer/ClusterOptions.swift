package import Wire
package import World

/// What an API server of a cluster is started with.
package struct ClusterOptions: Sendable, Codable, Equatable {
  /// The cluster's id in the world: ``KubeRequest/cluster``.
  package var id: String
  /// `1.33`.
  package var version: String
  /// `eks.12`.
  package var platformVersion: String
  package var serviceCIDR: String
  /// The family of its Services and pods.
  package var ipFamily: String { serviceCIDR.contains(":") ? "IPv6" : "IPv4" }
  /// Addresses of the control plane's interfaces: the endpoints of the `kubernetes` Service.
  package var endpoints: [String]
  /// PEM of the cluster's authority, for `kube-root-ca.crt`.
  package var certificateAuthority: String
  /// Issuer of its service-account tokens, which is also the API server's default audience.
  package var issuer: String
  /// Principals that may act as `system:masters` by certificate are none but the control plane's own.
  package var createdAt: Timestamp

  package init(
    id: String, version: String, platformVersion: String = "eks.1", serviceCIDR: String = "10.100.0.0/16",
    endpoints: [String] = [], certificateAuthority: String = "", issuer: String, createdAt: Timestamp
  ) {
    self.id = id
    self.version = version
    self.platformVersion = platformVersion
    self.serviceCIDR = serviceCIDR
    self.endpoints = endpoints
    self.certificateAuthority = certificateAuthority
    self.issuer = issuer
    self.createdAt = createdAt
  }
  /// As EKS made the cluster.
  package init(_ facts: ClusterFacts, createdAt: Timestamp) {
    self.init(
      id: facts.id, version: facts.version, platformVersion: facts.platformVersion, serviceCIDR: facts.serviceCIDR,
      endpoints: facts.serverAddresses,
      certificateAuthority: Base64.decode(facts.certificateAuthority).map { String(decoding: $0, as: UTF8.self) } ?? "",
      issuer: facts.issuer, createdAt: createdAt)
  }
}
