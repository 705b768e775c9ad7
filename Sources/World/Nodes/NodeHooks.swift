package import Wire

/// What nodes and the components on them ask across the storeys, beside ``Ports``.
package final class NodeHooks {
  /// A container that a kubelet starts and whose program lives in the world as a component.
  package struct Launch: Sendable, Codable {
    package var cluster: String
    package var instanceID: String
    package var nodeName: String
    package var region: String
    package var container: String
    /// Id of the container, without `containerd://`.
    package var containerID: String
    package var pod: JSON
    /// The component that runs the container, to which the program tells how it fares.
    package var kubelet: ComponentID

    package init(
      cluster: String, instanceID: String, nodeName: String, region: String, container: String, containerID: String,
      pod: JSON, kubelet: ComponentID
    ) {
      self.cluster = cluster
      self.instanceID = instanceID
      self.nodeName = nodeName
      self.region = region
      self.container = container
      self.containerID = containerID
      self.pod = pod
      self.kubelet = kubelet
    }
  }

  /// A machine that Fargate gives one pod.
  package struct FargateMachine: Sendable, Codable {
    /// As long as it is there: ten and thirty hexadecimal digits.
    package var id: String
    package var cluster: ClusterFacts
    package var nodeName: String
    package var region: String
    package var zone: String
    package var address: String
    package var milliCPU: Int
    package var memoryMiB: Int
    package var diskGiB: Int

    package init(
      id: String, cluster: ClusterFacts, nodeName: String, region: String, zone: String, address: String,
      milliCPU: Int, memoryMiB: Int, diskGiB: Int
    ) {
      self.id = id
      self.cluster = cluster
      self.nodeName = nodeName
      self.region = region
      self.zone = zone
      self.address = address
      self.milliCPU = milliCPU
      self.memoryMiB = memoryMiB
      self.diskGiB = diskGiB
    }
  }

  /// A machine of Fargate has come up, or is gone. Registered by Local.
  package var startFargate: (_ machine: FargateMachine) -> Void = { _ in }
  package var stopFargate: (_ id: String) -> Void = { _ in }
  /// The cluster whose API server answers at an endpoint; nil when the name leads nowhere. Registered by Local.
  package var cluster: (_ endpoint: String) -> ClusterFacts? = { _ in nil }
  /// Starts the program of a container as a component, or says nil for images whose behaviour is data.
  /// Registered by InCluster.
  package var startProgram: (_ launch: Launch, _ context: Context) -> ComponentID? = { _, _ in nil }

  /// What the network agent of an instance answers on one of its ports; nil where nobody listens. Registered by
  /// InCluster.
  package var askAgent: (_ instance: String, _ port: Int, _ path: String) -> (contentType: String, body: String)? = {
    _, _, _ in nil
  }

  init() {}
}
