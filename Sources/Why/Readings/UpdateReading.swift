import Evidence
import Mechanisms
import Wire

extension Investigation {
  /// Updates looked at for one answer.
  private static let updateLimit = 30

  /// The updates of a cluster, a node group or an add-on, newest first. EKS lists them in no order, so all are read.
  func updates(_ scope: [String: String]) async -> Fact<[JSON]> {
    let listed = await aws(.listUpdates, scope)
    if let gap = listed.gap { return .unknown(gap) }
    let ids = listed.items.compactMap(\.string)
    guard ids.count <= Investigation.updateLimit else {
      return .unknown(
        Gap(
          read: "eks:DescribeUpdate of \(ids.count) updates", why: "these are more than ekswhy reads for one answer",
          how: "aws eks list-updates, and describe-update of the last ones"))
    }
    var found: [JSON] = []
    for id in ids {
      let read = await aws(.describeUpdate, scope.merging(["updateId": id]) { $1 })
      if let gap = read.gap { return .unknown(gap) }
      if let update = read.first { found.append(update) }
    }
    let citation = Cite.aws(.listUpdates, scope["name"] ?? "", value: Count.of(ids.count, "update"), at: listed.at)
    return .known(
      found.sorted { $0["createdAt"].time ?? now > $1["createdAt"].time ?? now }, .read(citation))
  }
}
