package import Wire
package import World

/// The output of containers, as the API server reads it from kubelets.
package final class ContainerLogs: ContainerRuntime {
  private unowned let world: World

  package init(world: World) { self.world = world }

  /// Where a container's output lies; each restart has its own.
  static func stream(cluster: String, pod: ObjectView, container: String, attempt: Int) -> String {
    "pod/\(cluster)/\(pod.namespace)/\(pod.name)/\(pod.uid)/\(container)/\(attempt)"
  }

  /// Lets those who follow the output read on.
  static func told(_ world: World, _ cluster: String, _ pod: ObjectView, _ container: String) {
    (world.kube.host as? KubernetesStorey)?.containerOutputChanged(
      cluster: cluster, namespace: pod.namespace, pod: pod.name, container: container)
  }

  package func logs(
    cluster: String, pod: JSON, container: String, previous: Bool
  ) -> Result<ContainerOutput, KubeStatus> {
    let pod = ObjectView(pod)
    let address = pod.status["hostIP"].string ?? ""
    let instance = world.kube.host?.get(
      ObjectReference(cluster: cluster, resource: "nodes", namespace: "", name: pod.nodeName)
    )?["spec"]["providerID"].string?.split(separator: "/").last.map(String.init)
    let url = "https://\(address):10250/containerLogs/\(pod.namespace)/\(pod.name)/\(container)"
    guard let instance, let kubelet = world.state(of: Kubelet.id(instance), as: Kubelet.self) else {
      return .failure(
        KubeStatus(
          code: 500, reason: "InternalError", message: "Get \"\(url)\": dial tcp \(address):10250: i/o timeout"))
    }
    guard kubelet.hasCertificate || world.ports.clusters == nil else {
      return .failure(
        KubeStatus(code: 500, reason: "InternalError", message: "Get \"\(url)\": remote error: tls: internal error"))
    }
    guard let record = kubelet.pods[pod.uid]?.containers.first(where: { $0.name == container }) else {
      return .success(ContainerOutput(lines: [], isRunning: false))
    }
    if previous, record.restarts == 0, record.last == nil {
      return .failure(
        KubeStatus(
          code: 400, reason: "BadRequest",
          message: "previous terminated container \"\(container)\" in pod \"\(pod.name)\" not found"))
    }
    let attempt = previous && !(record.exit == nil && !record.isRunning) ? record.restarts - 1 : record.restarts
    let stream = Self.stream(cluster: cluster, pod: pod, container: container, attempt: max(0, attempt))
    let lines = world.logs.read(stream).map { record in
      // Records begin with the stream they came by.
      ContainerOutput.Line(at: record.at, text: String(record.text.drop { $0 != " " }.dropFirst()))
    }
    return .success(ContainerOutput(lines: lines, isRunning: record.isRunning && !previous))
  }
}
