import Evidence
import Mechanisms
import Wire

/// Texts about a cluster as a whole.
extension SymptomQuestion {
  func interrupted(_ at: String, _ world: Investigation) -> Inquiry {
    let entity = Entity("Cluster", world.target.cluster ?? "")
    return Inquiry(
      entity, effects: [.init(Effect(.controlPlaneReplaced, entity, detail: at))], isTrouble: true,
      summary: "a connection to the API server of cluster \(entity.name) was cut",
      lastResort: Gap(
        read: "what ended the connection",
        why:
          "EKS replaced no API server then, as far as shows; a NAT gateway, a firewall or a load balancer on the way drops idle connections too, and EKS also restarts API servers by itself",
        how: "the api log of the cluster, where that log type is on; and whether others were cut at the same time"))
  }

  /// The endpoint, or the address of the Service `kubernetes` in the usual ranges.
  static func isAPIServer(_ host: String) -> Bool {
    host.hasSuffix(".eks.amazonaws.com") || ["10.100.0.1", "172.20.0.1"].contains(host)
      || host.hasPrefix("kubernetes.default")
  }

  func notMade(_ message: String, _ world: Investigation) -> Inquiry {
    let entity = Entity("Cluster", RefusedCluster.name(in: message) ?? "")
    return Inquiry(
      entity, effects: [.init(Effect(.clusterNotMade, entity, detail: message))], isTrouble: true,
      summary: "EKS did not make the cluster: \(Ages.shortened(message, 200))",
      lastResort: Gap(
        read: "what EKS objects to", why: "by all that can be read now it would be made; this was different then",
        how: "try it again; CloudTrail has the call with all its parameters"))
  }
}
