import Wire

/// Which cluster, account and region evidence speaks of.
package struct ClusterIdentity: Sendable, Equatable {
  package var cluster: String?
  package var account: String?
  package var region: String?
  package var context: String?
  package var caller: String?
  package var profile: String?

  package init(
    cluster: String? = nil, account: String? = nil, region: String? = nil, context: String? = nil,
    caller: String? = nil, profile: String? = nil
  ) {
    self.cluster = cluster
    self.account = account
    self.region = region
    self.context = context
    self.caller = caller
    self.profile = profile
  }
}

extension BundleSource {
  /// The cluster of the bundle: the one asked for, that of `bundle.json`, or the only one described.
  ///
  /// One world per answer: where the manifest names the Kubernetes side's endpoint and the described cluster has
  /// another, the second value says so and the AWS evidence must not be used.
  package func identity(cluster wanted: String?) async -> (identity: ClusterIdentity, mismatch: String?) {
    let target = manifest["target"]
    var identity = ClusterIdentity(
      cluster: wanted ?? target["cluster"].string, account: target["account"].string,
      region: target["region"].string, context: target["context"].string, caller: target["caller"].string)
    if identity.cluster == nil {
      let described = Set(values(of: "name", in: .describeCluster)).sorted()
      if described.count == 1 { identity.cluster = described[0] }
    }
    if identity.cluster == nil { identity.cluster = onlyCluster() }
    guard let name = identity.cluster else { return (identity, nil) }
    let described = await read(.aws(AWSRead(.describeCluster, ["name": name]))).items.first
    if let arn = described?["arn"].string {
      let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
      if parts.count > 5 {
        identity.region = identity.region ?? String(parts[3])
        identity.account = identity.account ?? String(parts[4])
      }
    }
    let ours = manifest["kubernetes"]
    if let described {
      let theirs = described["endpoint"].string
      if let endpoint = ours["endpoint"].string, let theirs, endpoint != theirs {
        return (
          identity,
          "the Kubernetes evidence is of \(endpoint), and cluster \(name) of the AWS evidence has endpoint \(theirs)"
        )
      }
      if let ca = ours["certificateAuthority"].string, let theirs = described["certificateAuthority"]["data"].string,
        ca != theirs
      {
        return (
          identity, "the Kubernetes evidence is of another cluster than \(name) of the AWS evidence: their CAs differ"
        )
      }
    }
    return (identity, nil)
  }

  /// The name in a lone `aws/eks/describe-cluster.json`.
  private func onlyCluster() -> String? { unkeyedCluster?["cluster"]["name"].string }
}
