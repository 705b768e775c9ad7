import Wire
import World

/// The templates that a StatefulSet or DaemonSet has had, kept as ControllerRevisions.
///
/// Source: kubernetes `pkg/controller/history`.
struct RevisionHistory {
  private static let resource = "controllerrevisions.apps"

  let owner: ObjectView
  /// In order of their revision.
  private(set) var revisions: [ObjectView]
  /// The one of the present template; nil as long as it could not be made.
  private(set) var update: ObjectView?
  private(set) var collisions: Int

  /// Brings the history up to the present template.
  init(of owner: ObjectView, _ desk: inout Desk) {
    self.owner = owner
    collisions = owner.status["collisionCount"].int ?? 0
    revisions = []
    load(desk)
    let data = Self.data(owner)
    let next = (revisions.map(Self.number).max() ?? 0) + 1
    if let same = revisions.last(where: { $0["data"] == data }) {
      if same.uid != revisions.last?.uid {
        // A template that comes back is the newest again.
        var changed = same
        changed["revision"] = .int(Int64(next))
        desk.update(Self.resource, changed.json)
        load(desk)
      }
      update = revisions.last { $0["data"] == data }
      return
    }
    make(data, next, &desk)
    load(desk)
    update = revisions.last { $0["data"] == data }
  }

  private mutating func load(_ desk: Desk) {
    revisions = desk.list(Self.resource, owner.namespace).filter { $0.isControlled(by: owner) }
      .sorted { (Self.number($0), $0.name) < (Self.number($1), $1.name) }
  }

  static func number(_ revision: ObjectView) -> Int { revision["revision"].int ?? 0 }

  private static func data(_ owner: ObjectView) -> JSON {
    var template = owner.spec["template"].object ?? JSONObject()
    template.append("$patch", "replace")
    return ["spec": ["template": .object(template)]]
  }

  private mutating func make(_ data: JSON, _ number: Int, _ desk: inout Desk) {
    var hash = PodTemplate.hash(data, collisions: collisions)
    while let other = desk.get(Self.resource, owner.namespace, "\(owner.name)-\(hash)"), other["data"] != data {
      collisions += 1
      hash = PodTemplate.hash(data, collisions: collisions)
    }
    var labels = owner.spec["template"]["metadata"]["labels"]
    labels[owner.kind == "DaemonSet" ? "controller-revision-hash" : "controller.kubernetes.io/hash"] = .string(hash)
    desk.create(
      Self.resource, owner.namespace,
      [
        "apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": [
          "name": .string("\(owner.name)-\(hash)"), "namespace": .string(owner.namespace), "labels": labels,
          "annotations": owner.annotations.fields.isEmpty ? .null : owner.annotations,
          "ownerReferences": [owner.controllerReference],
        ], "data": data, "revision": .int(Int64(number)),
      ])
  }

  func named(_ name: String?) -> ObjectView? { revisions.first { $0.name == name } }

  /// The owner's template as it was at a revision.
  static func template(_ revision: ObjectView) -> JSON {
    var template = revision["data"]["spec"]["template"]
    template["$patch"] = .null
    return template
  }

  /// Deletes the oldest that nothing uses any more, past the limit.
  func truncate(keeping live: Set<String>, _ desk: inout Desk) {
    let limit = owner.spec["revisionHistoryLimit"].int ?? 10
    let idle = revisions.filter { !live.contains($0.name) && $0.uid != update?.uid }
    for revision in idle.prefix(max(0, idle.count - limit)) { desk.delete(Self.resource, revision) }
  }
}
