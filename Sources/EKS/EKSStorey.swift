package import World

/// Amazon EKS: clusters, node groups, access, and the authenticator of every cluster's API server.
///
/// Made once per process, after the AWS storey and before ``World/restore()``.
package final class EKSStorey {
  /// Where this local EKS answers, `http://localhost:4566`: tokens may be signed for these origins too.
  package var origins: [String] = []

  package init(world: World) {}
}
