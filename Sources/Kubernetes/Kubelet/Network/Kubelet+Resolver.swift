import Mechanisms
import Wire
import World

/// The resolv.conf of a node's pods.
extension Kubelet {
  func resolver(of pod: ObjectView, _ context: Context) -> PodResolver.Outcome? {
    let node = context.world.ports.resolver(ofInstance: identity.instanceID, region: identity.region)
    let servers = identity.clusterDNS.isEmpty ? [] : identity.clusterDNS.split(separator: ",").map(String.init)
    return PodResolver.decide(
      .read(pod: pod.json, source: .world, clusterDNS: .known(servers), node: .known(node))
    ).value
  }

  /// Tells what of a pod's resolv.conf had to be left out, once for each of its sandboxes.
  mutating func tellOfResolver(_ pod: ObjectView, _ context: Context) {
    guard let outcome = resolver(of: pod, context) else { return }
    for told in outcome.events {
      if let text = told.nodeMessage {
        event(identity.reference, context, type: "Warning", told.reason, text)
      }
      let title = "\(pod.name)_\(pod.namespace)(\(pod.uid))"
      event(
        pod.reference, context, type: "Warning", told.reason,
        told.message.replacing("{pod}", with: "\"\(title)\""))
    }
  }
}
