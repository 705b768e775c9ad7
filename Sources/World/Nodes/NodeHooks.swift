package import Wire

/// What nodes and the components on them ask across the storeys, beside ``Ports``. Registered by Local.
package final class NodeHooks {
  /// A container that a kubelet starts and whose program lives in the world as a component.
  package struct Launch: Sendable, Codable {
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

  /// Secret key and session token of an access key id that the metadata service told. Registered by STS.
  package var credentials: (_ accessKeyID: String) -> AWSCredentials? = { _ in nil }
  /// The cluster whose API server answers at an endpoint; nil when the name leads nowhere.
  package var cluster: (_ endpoint: String) -> ClusterFacts? = { _ in nil }
  /// PEM of a cluster's authority.
  package var authority: (_ clusterID: String) -> String = { _ in "" }
  /// Starts the program of a container as a component of that id, or says nil for images whose behaviour is
  /// data. Registered by InCluster.
  package var startProgram: (_ launch: Launch, _ context: Context) -> ComponentID? = { _, _ in nil }

  init() {}
}
