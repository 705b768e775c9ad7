import Wire
import World

/// What belongs to a cluster and is kept as it is told.
extension EKSService {
  enum RecordKind: String {
    case fargate, association, provider, capability, insights
    /// Of the account, under no cluster.
    case subscription, registered
  }

  func recordKey(_ cluster: String, _ kind: RecordKind, _ name: String) -> String {
    "\(cluster)|\(kind.rawValue)|\(name)"
  }

  func records(of cluster: String, _ kind: RecordKind) -> [JSON] {
    records.rows(prefix: "\(cluster)|\(kind.rawValue)|").map(\.row)
  }

  func record(
    _ request: AWSRequest, _ kind: RecordKind, _ name: String, _ missing: (String) -> String
  ) throws(AWSError) -> (key: String, value: JSON) {
    let cluster = try cluster(of: request)
    let key = recordKey(cluster.name, kind, name)
    guard let value = records[key] else {
      throw .eks("ResourceNotFound", missing(cluster.name), 404, ["clusterName": .string(cluster.name)])
    }
    return (key, value)
  }

  var timeNow: JSON { .double(Double(world.now.microseconds / 1000) / 1000) }

  func eksARN(_ rest: String) -> String { "arn:aws:eks:\(world.region):\(world.account):\(rest)" }

  /// An update that is done as soon as it is asked for, since nothing behaves.
  func doneUpdate(_ cluster: String, _ type: String, _ params: [JSON]) -> JSON {
    var update = newUpdate(cluster: cluster, type: type, params: params, change: .emptyObject)
    let key = Key.update(cluster, update["id"].string ?? "")
    updates.update(key) { $0.document["status"] = "Successful" }
    clusters.update(cluster) { if $0.currentUpdate == update["id"].string { $0.currentUpdate = nil } }
    update["status"] = "Successful"
    return update
  }
}
