import Wire

/// Which cluster, account and region evidence speaks of.
package struct ClusterIdentity: Sendable, Equatable {
  package var cluster: String?
  package var account: String?
  package var region: String?
  package var context: String?
  package var caller: String?
  package var profile: String?
  /// How the kubeconfig signs in, where there is one.
  package var client: SignInClient?

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

extension ClusterIdentity {
  /// How a described cluster is another than the one that Kubernetes evidence is of.
  enum Mismatch: Equatable {
    /// The described cluster's.
    case endpoint(String)
    case authority
  }

  /// One world per answer: a cluster of DescribeCluster counts only with the endpoint and CA of the Kubernetes side,
  /// as far as both are known.
  static func mismatch(endpoint: String?, certificateAuthority: String?, described: JSON) -> Mismatch? {
    if let endpoint, let theirs = described["endpoint"].string, endpoint != theirs { return .endpoint(theirs) }
    if let certificateAuthority, let theirs = described["certificateAuthority"]["data"].string,
      certificateAuthority != theirs
    {
      return .authority
    }
    return nil
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
    identity.client = SignInClient(target["client"])
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
    let mismatch = ClusterIdentity.mismatch(
      endpoint: ours["endpoint"].string, certificateAuthority: ours["certificateAuthority"].string,
      described: described ?? .null)
    switch mismatch {
    case nil: return (identity, nil)
    case .endpoint(let theirs):
      return (
        identity,
        "the Kubernetes evidence is of \(ours["endpoint"].string ?? ""), and cluster \(name) of the AWS evidence has endpoint \(theirs)"
      )
    case .authority:
      return (
        identity, "the Kubernetes evidence is of another cluster than \(name) of the AWS evidence: their CAs differ"
      )
    }
  }

  /// The name in a lone `aws/eks/describe-cluster.json`.
  private func onlyCluster() -> String? { unkeyedCluster?["cluster"]["name"].string }
}
