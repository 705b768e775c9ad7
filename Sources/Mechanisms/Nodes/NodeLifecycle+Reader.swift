package import Wire

extension NodeLifecycle.Facts {
  /// From a Node and its Lease; null stands for a Lease that does not exist.
  package init(node: Fact<JSON>, lease: Fact<JSON>, now: Fact<Timestamp>, grace: Fact<Int> = .known(50)) {
    func ready(_ node: JSON) -> JSON {
      node["status"]["conditions"].items.first { $0["type"].string == "Ready" } ?? .null
    }
    func time(_ json: JSON) -> Timestamp? { json.string.flatMap { Timestamp(rfc3339: $0) } }
    self.init(
      now: now, created: node.map { time($0["metadata"]["creationTimestamp"]) ?? Timestamp(seconds: 0) },
      lastStatus: node.map { time(ready($0)["lastHeartbeatTime"]) },
      lastRenewal: lease.map { time($0["spec"]["renewTime"]) },
      ready: node.map { ready($0)["status"].string ?? "Unknown" }, grace: grace)
  }
}
