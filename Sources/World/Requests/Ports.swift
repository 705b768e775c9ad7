package import Mechanisms
package import Wire

/// The doors between storeys that are no requests, and those to what is kept outside the world. Each is
/// registered by the storey named with it, or by Local; who asks needs to know neither.
package final class Ports {
  // MARK: Kept outside the world; registered by Local

  /// Listeners, certificates and keys of the API servers.
  package var clusters: (any ClusterHost)?
  /// Whether one of the keys of a JWK set (RFC 7517) made a token's signature.
  package var verifyWebToken: (_ token: JSONWebToken, _ keys: JSON) -> Bool = { _, _ in false }

  // MARK: EC2 and EKS tell, resolvers ask

  package let names = NamePorts()

  // MARK: EC2 tells, who sends packets asks

  package let packets = PacketPorts()

  // MARK: EC2 tells, a node's component listens

  /// An instance has booted. Registered by Local, which spawns the node.
  package var instanceRunning: (_ instanceID: String) -> Void = { _ in }
  /// The system of an instance is to shut down.
  package var instanceShutsDown: (_ instanceID: String) -> Void = { _ in }
  /// An instance is gone, and its disk with it.
  package var instanceDiscarded: (_ instanceID: String) -> Void = { _ in }
  /// How long an instance's system may take to shut down beyond what every system takes. Registered by Local.
  package var shutdownGrace: (_ instanceID: String) -> Duration = { _ in .zero }
  /// The system of an instance has shut down. Registered by EC2.
  package var instanceOff: (_ instanceID: String) -> Void = { _ in }
  /// What IMDS gives an instance for its role, or nil without a profile. A component keeps at most the
  /// access key's id in its state, never the secret. Registered by EC2.
  package var instanceCredentials: (_ instanceID: String) -> AWSCredentials? = { _ in nil }
  /// `meta-data` and `user-data` of an instance as IMDS serves them (path → text). Registered by EC2.
  package var instanceMetadata: (_ instanceID: String, _ path: String) -> String? = { _, _ in nil }
  /// How that service answers; nil where there is no such instance. Registered by EC2.
  package var instanceMetadataOptions: (_ instanceID: String) -> InstanceMetadata.Options? = { _ in nil }
  /// Why credentials that somebody typed are none that were given out; nil where they are. Registered by STS.
  package var credentialsFault: (_ credentials: AWSCredentials, _ service: String) -> AWSError? = { _, _ in nil }

  // MARK: STS and EKS ask

  /// What stands in a service account's token, and whether its cluster signed it. Inside the world tokens are not
  /// signed, and nobody forges them. Registered by Local.
  package var webIdentity: (_ token: String, _ isInside: Bool) -> WebIdentityToken.Reading = { _, _ in
    WebIdentityToken.Reading(claims: nil, cluster: nil, json: .null)
  }

  // MARK: Auto Scaling tells, who put the hook listens

  /// An instance waits in a lifecycle hook. Registered by EKS, for its node groups.
  package var lifecycleAction: (_ notice: JSON) -> Void = { _ in }

  // MARK: A service delivers logs, CloudWatch Logs takes them

  /// One event for a log group and stream, which are made when absent. Registered by Logs.
  package var deliverLog: (_ group: String, _ stream: String, _ message: String) -> Void = { _, _, _ in }

  // MARK: EKS asks, what is in the cluster answers

  /// The objects of an add-on as they are to be, in the order in which they are applied; of the order without a
  /// name those that every cluster has. Registered by InCluster.
  package var addonObjects: (_ order: AddonOrder) -> [JSON] = { _ in [] }
  /// Makes or removes the cluster's API server state and its controllers. Registered by Local.
  package var clusterCreated: (_ cluster: ClusterFacts) -> Void = { _ in }
  package var clusterDeleted: (_ clusterID: String) -> Void = { _ in }

  /// Id of the cluster of that name, and what there is of clusters for a status. Registered by EKS.
  package var clusterID: (_ name: String) -> String? = { _ in nil }
  package var clusterStatus: () -> [JSON] = { [] }

  // MARK: An API server asks EKS

  /// Whether a cluster's endpoint takes connections from an address outside of its VPC. Registered by EKS.
  package var admitsOutside: (_ cluster: String, _ address: String) -> Bool = { _, _ in true }
  /// EKS access policies as a further authoriser; nil for no opinion, else the reason it allows.
  package var accessPolicyAllows: (_ cluster: String, _ user: KubeUser, _ request: AccessRequest) -> String? = {
    _, _, _ in nil
  }
  /// The OpenID Connect provider whose users the cluster's API server lets in; nil where none is associated.
  /// Registered by EKS.
  package var identityProvider: (_ cluster: String) -> OIDCProvider? = { _ in nil }
  /// What a webhook that EKS runs beside the API server answers to a review; nil where none listens at that URL.
  /// Registered by EKS.
  package var controlPlaneWebhook: (_ cluster: String, _ url: String, _ review: JSON) -> JSON? = { _, _, _ in nil }
  /// One audit event; made and kept when the cluster's audit log is on.
  package var audit: (_ cluster: String, _ event: () -> JSON) -> Void = { _, _ in }

  package init() {}
}

/// Which add-on is to be in a cluster, and how.
package struct AddonOrder: Sendable {
  package var cluster: ClusterFacts
  package var name: String
  /// `v1.20.4-eksbuild.1`.
  package var version: String
  /// Configuration values, valid by the add-on's schema.
  package var configuration: JSON
  /// Role that its service account is to name; empty for none.
  package var roleARN: String

  package init(
    cluster: ClusterFacts, name: String = "", version: String = "", configuration: JSON = .null, roleARN: String = ""
  ) {
    self.cluster = cluster
    self.name = name
    self.version = version
    self.configuration = configuration
    self.roleARN = roleARN
  }
}

/// What a cluster's insides need to know of it.
package struct ClusterFacts: Sendable, Codable, Equatable {
  /// Id in the world, also the issuer's: 32 upper-case hexadecimal digits.
  package var id: String
  package var name: String
  package var account: String
  package var region: String
  /// `1.33`.
  package var version: String
  package var platformVersion: String
  package var serviceCIDR: String
  package var vpcID: String
  /// `https://localhost:PORT`, once it is known.
  package var endpoint: String
  /// PEM in base64.
  package var certificateAuthority: String
  package var issuer: String
  /// Addresses of the control plane's interfaces.
  package var controlPlaneAddresses: [String]
  /// Their IPv6 addresses, in a cluster of that family.
  package var controlPlaneIPv6: [String]?

  /// Whether its Services and pods have IPv6 addresses.
  package var isIPv6: Bool { serviceCIDR.contains(":") }
  /// Where the `kubernetes` Service leads.
  package var serverAddresses: [String] { isIPv6 ? controlPlaneIPv6 ?? [] : controlPlaneAddresses }

  package init(
    id: String, name: String, account: String, region: String, version: String, platformVersion: String,
    serviceCIDR: String, vpcID: String, endpoint: String = "", certificateAuthority: String = "", issuer: String = "",
    controlPlaneAddresses: [String] = [], controlPlaneIPv6: [String]? = nil
  ) {
    self.id = id
    self.name = name
    self.account = account
    self.region = region
    self.version = version
    self.platformVersion = platformVersion
    self.serviceCIDR = serviceCIDR
    self.vpcID = vpcID
    self.endpoint = endpoint
    self.certificateAuthority = certificateAuthority
    self.issuer = issuer
    self.controlPlaneAddresses = controlPlaneAddresses
    self.controlPlaneIPv6 = controlPlaneIPv6
  }
}

package struct KubeFailure: Error, Sendable {
  package var status: Int
  package var reason: String
  package var message: String

  package init(status: Int, reason: String, message: String) {
    self.status = status
    self.reason = reason
    self.message = message
  }
}

/// The outside of the clusters: their listeners, certificate authorities and token keys.
package protocol ClusterHost: AnyObject {
  /// Makes the cluster's keys and opens its port (the one it had before, when it had one). Returns the
  /// endpoint, the CA (PEM in base64) and the issuer of its service-account tokens.
  func open(_ clusterID: String, name: String) throws -> (
    endpoint: String, certificateAuthority: String, issuer: String
  )
  /// Closes the port and destroys the keys, after the commit that lets the cluster go.
  func close(_ clusterID: String)
  /// Signs a service-account token's claims: RS256, with the cluster's key.
  func signToken(_ clusterID: String, claims: JSON) -> String?
  /// The claims of a token that this cluster signed, whatever its times; nil for any other.
  func verifyToken(_ clusterID: String, token: String) -> JSON?
  /// JWKS of the cluster's token keys.
  func keySet(_ clusterID: String) -> JSON
  /// A certificate in PEM for a request in PEM, signed by the cluster's CA.
  func signCertificate(
    _ clusterID: String, request: String, usages: [String], notBefore: Timestamp, notAfter: Timestamp
  ) throws -> String
  /// What a certificate request (PEM) asks for; nil when it can't be read.
  func describeCertificateRequest(_ pem: String) -> CertificateRequestFacts?
  /// A new P-256 key and a request for it: the request in PEM and the id under which the key is kept.
  func makeCertificateRequest(_ subject: CertificateSubject, dnsNames: [String], addresses: [String]) throws -> String
}

package struct CertificateRequestFacts: Sendable, Equatable {
  package var subject: CertificateSubject
  package var dnsNames: [String]
  package var addresses: [String]
  package var emails: [String]
  package var uris: [String]

  package init(
    subject: CertificateSubject, dnsNames: [String] = [], addresses: [String] = [], emails: [String] = [],
    uris: [String] = []
  ) {
    self.subject = subject
    self.dnsNames = dnsNames
    self.addresses = addresses
    self.emails = emails
    self.uris = uris
  }
}
