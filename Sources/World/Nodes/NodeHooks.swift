package import Wire

/// What nodes and the components on them ask across the storeys: credentials of their machine, keys and
/// certificates, and what runs in a container. Registered by the composition.
package final class NodeHooks {
  /// A cluster as a client finds it behind an endpoint.
  package struct Door: Sendable {
    /// The cluster's id in the world.
    package var cluster: String
    /// Its name, as tokens carry it.
    package var name: String
    /// Its CA, base64 of PEM, as DescribeCluster tells it.
    package var certificateAuthority: String

    package init(cluster: String, name: String, certificateAuthority: String) {
      self.cluster = cluster
      self.name = name
      self.certificateAuthority = certificateAuthority
    }
  }

  /// A certificate signing request that a component makes; the key never enters the world.
  package struct SigningRequest: Sendable {
    package var commonName: String
    package var organizations: [String]
    package var dnsNames: [String]
    package var addresses: [String]

    package init(commonName: String, organizations: [String], dnsNames: [String], addresses: [String]) {
      self.commonName = commonName
      self.organizations = organizations
      self.dnsNames = dnsNames
      self.addresses = addresses
    }
  }

  /// A container that a kubelet starts and whose program lives in the world as a component.
  package struct Launch: Sendable {
    package var cluster: String
    package var instanceID: String
    package var nodeName: String
    package var region: String
    package var container: String
    package var pod: JSON

    package init(
      cluster: String, instanceID: String, nodeName: String, region: String, container: String, pod: JSON
    ) {
      self.cluster = cluster
      self.instanceID = instanceID
      self.nodeName = nodeName
      self.region = region
      self.container = container
      self.pod = pod
    }
  }

  /// The credentials that the metadata service of an instance hands out now; nil without a profile.
  package var instanceCredentials: (_ instanceID: String) -> AWSCredentials? = { _ in nil }
  /// The cluster whose API server answers at an endpoint; nil when the name leads nowhere.
  package var door: (_ endpoint: String) -> Door? = { _ in nil }
  /// Makes a key pair outside the world and the request for it, as PEM.
  package var makeSigningRequest: (SigningRequest) -> String = { _ in "" }
  /// Reads a PEM request; nil when it is none.
  package var readSigningRequest: (_ pem: String) -> SigningRequest? = { _ in nil }
  /// Signs a request by the cluster's CA: the certificate as PEM, nil when that cannot be.
  package var signCertificate: (_ cluster: String, _ pem: String, _ usages: [String], _ seconds: Int) -> String? = {
    _, _, _, _ in nil
  }
  /// Starts the program of a container as a component; nil for images whose behaviour is data.
  package var startProgram: (Launch, Context) -> ComponentID? = { _, _ in nil }

  init() {}
}
