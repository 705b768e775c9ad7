import Mechanisms
import Wire
package import World

/// What EKS's add-on manager does with one add-on of a cluster: it applies its objects by server-side apply, first
/// dry, and looks whether they run.
package struct AddonLife: Component {
  package static let kind = "eks-addon"

  enum Phase: String, Codable { case waiting, checking, applying, settling, settled, failed, deleting }

  /// What has to be done with the fields of others: `NONE`, `OVERWRITE`, `PRESERVE`.
  var mode: String
  var cluster: String
  var name: String
  var phase = Phase.waiting
  /// The objects of this pass, the one at hand, and what stood in its way.
  var objects: [JSON] = []
  var index = 0
  var conflicts: [AddonIssue.Conflict] = []
  /// The update under way; nil while the add-on is created.
  var update: String?
  var preserves = false

  init(cluster: String, name: String, mode: String) {
    self.cluster = cluster
    self.name = name
    self.mode = mode
  }

  static func id(_ cluster: String, _ name: String) -> ComponentID { "eks-addon/\(cluster)/\(name)" }

  var key: String { EKSService.addonKey(cluster, name) }

  package mutating func step(_ input: Input, _ context: Context) {
    guard let service = EKSService.of(context.world), let row = service.addons[key],
      let place = service.clusters[cluster]
    else { return context.stop() }
    switch input {
    case .start: context.wake("begin", after: context.durations[.addonInstall] / 2)
    case .message("update", let order):
      update = order["id"].string
      mode = order["mode"].string ?? "NONE"
      context.wake("begin", after: context.durations[.addonInstall] / 2)
    case .message("delete", let preserves):
      self.preserves = preserves.bool ?? false
      phase = .deleting
      for timer in ["begin", "patience", "deadline"] { context.cancel(timer) }
      context.world.kube.host?.unwatch(cluster: place.id, component: context.id)
      context.wake("delete", after: context.durations[.addonInstall] / 2)
    case .wake("begin"): begin(service, row, context)
    case .wake("delete"): takeDown(row, place, context)
    case .wake("patience"): if phase == .settling || phase == .settled { degrade(service, place, context) }
    case .wake("deadline"): if phase == .settling { giveUp(service, place, context) }
    case .changed: if phase == .settling || phase == .settled { look(service, place, context) }
    case .kube("check", let reply): checked(reply, service, place, context)
    case .kube("apply", let reply): applied(reply, service, place, context)
    case .kube("clean", _), .kube("prune", _): proceed(service, place, context)
    case .kube("delete", let reply): removed(reply, service, row, place, context)
    default: break
    }
  }

  // MARK: - Applying

  private mutating func begin(_ service: EKSService, _ row: AddonRow, _ context: Context) {
    guard phase != .deleting, let facts = service.facts(cluster), let place = service.clusters[cluster] else { return }
    context.cancel("patience")
    context.cancel("deadline")
    let change = update.flatMap { service.updates[Key.update(cluster, $0)]?.change } ?? .emptyObject
    func wanted(_ member: String) -> String {
      (change.has(member) ? change[member] : row.document[member]).string ?? ""
    }
    if let issue = service.subscriptionIssue(name) ?? service.permissionIssue(role: wanted("serviceAccountRoleArn")) {
      return fail(issue, service, context)
    }
    // Of the two an add-on's issues have this one only.
    if let told = InjectedIssue.asked(by: row.document["tags"].stringMap), told.code == "InternalFailure" {
      return fail(AddonIssue(told.code, told.message), service, context)
    }
    objects = context.world.ports.addonObjects(
      AddonOrder(
        cluster: facts, name: name, version: wanted("addonVersion"),
        configuration: (try? EKSService.configuration(wanted("configurationValues"))) ?? .null,
        roleARN: wanted("serviceAccountRoleArn")))
    if let namespace = row.document["namespaceConfig"]["namespace"].string {
      let place: JSON = ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]]
      objects = [place] + objects.map { $0.inNamespace(namespace) }
    }
    conflicts = []
    index = 0
    phase = .checking
    proceed(service, place, context)
  }

  /// The next request of the pass, or what follows its last one.
  private mutating func proceed(_ service: EKSService, _ place: ClusterRow, _ context: Context) {
    let manager = EKSUsers.addonManager(place.id)
    switch phase {
    case .checking:
      if index < objects.count {
        return context.submit(
          manager.apply(objects[index], manager: "eks", force: mode == "OVERWRITE", isDry: true), tag: "check")
      }
      if !conflicts.isEmpty, mode == "NONE" { return fail(.conflict(conflicts), service, context) }
      phase = .applying
      index = 0
      proceed(service, place, context)
    case .applying:
      if index < objects.count {
        return context.submit(
          manager.apply(objects[index], manager: "eks", force: mode == "OVERWRITE", isDry: false), tag: "apply")
      }
      prune(service, place, context)
    default: break
    }
  }

  private mutating func checked(
    _ reply: KubeReply, _ service: EKSService, _ place: ClusterRow, _ context: Context
  ) {
    guard phase == .checking, index < objects.count else { return }
    let fields = reply.body["details"]["causes"].items.filter { $0["reason"].string == "FieldManagerConflict" }
      .compactMap { $0["field"].string }
    if !reply.isSuccess {
      if reply.status == 409, !fields.isEmpty {
        for path in fields { conflicts.append(AddonIssue.Conflict(objects[index], path: path)) }
        if mode == "PRESERVE" {
          for path in fields { objects[index] = FieldPath.removing(path, from: objects[index]) }
        }
      } else if !(reply.status == 404 && isDefinedHere(objects[index])) {
        return fail(
          .refused(status: reply.status, reason: reply.reason, message: reply.message), service, context)
      }
    }
    index += 1
    proceed(service, place, context)
  }

  /// Whether the kind or the namespace of an object comes with the add-on itself, so that a dry run can't know it.
  private func isDefinedHere(_ object: JSON) -> Bool {
    objects.contains {
      $0["kind"].string == "CustomResourceDefinition" && $0["spec"]["names"]["kind"] == object["kind"]
        || $0["kind"].string == "Namespace" && $0["metadata"]["name"] == object["metadata"]["namespace"]
    }
  }

  private mutating func applied(
    _ reply: KubeReply, _ service: EKSService, _ place: ClusterRow, _ context: Context
  ) {
    guard phase == .applying, index < objects.count else { return }
    guard reply.isSuccess else {
      let fields = reply.body["details"]["causes"].items.compactMap { $0["field"].string }
      let issue =
        reply.status == 409 && !fields.isEmpty
        ? AddonIssue.conflict(fields.map { AddonIssue.Conflict(objects[index], path: $0) })
        : .refused(status: reply.status, reason: reply.reason, message: reply.message)
      return fail(issue, service, context)
    }
    let object = objects[index]
    index += 1
    // What kubectl applied before is EKS's alone from here on.
    let managers = reply.body["metadata"]["managedFields"].items
    guard mode == "OVERWRITE",
      let at = managers.firstIndex(where: { $0["manager"].string == EKSUsers.clientSideApply })
    else { return proceed(service, place, context) }
    let patch: JSON = [["op": "remove", "path": .string("/metadata/managedFields/\(at)")]]
    context.submit(EKSUsers.addonManager(place.id).patch(object, patch), tag: "clean")
  }

  /// Deletes what an earlier version or configuration had and this one has not, one after the other.
  private mutating func prune(_ service: EKSService, _ place: ClusterRow, _ context: Context) {
    let references = objects.map(EKSUsers.reference)
    let left = service.addons[key]?.applied ?? []
    if let gone = left.first(where: { !references.contains($0) && $0["kind"].string != "CustomResourceDefinition" }) {
      service.addons.update(key) { row in row.applied.removeAll { $0 == gone } }
      return context.submit(EKSUsers.addonManager(place.id).delete(gone), tag: "prune")
    }
    let change = update.flatMap { service.updates[Key.update(cluster, $0)]?.change } ?? .emptyObject
    let now = service.timeNow
    service.addons.update(key) { row in
      row.applied = references
      for field in change.fields { row.document[field.key] = field.value.string == "" ? .null : field.value }
      row.document["modifiedAt"] = now
    }
    objects = []
    phase = .settling
    let reply = context.world.kube.host?.watch(
      cluster: place.id, resources: ["daemonsets.apps", "deployments.apps"],
      credential: EKSUsers.addonManager(place.id).credential, component: context.id)
    if let reply, !reply.isSuccess {
      return fail(.refused(status: reply.status, reason: reply.reason, message: reply.message), service, context)
    }
    context.wake("patience", after: AddonHealth.patience, .background)
    context.wake("deadline", after: AddonHealth.deadline, .background)
    look(service, place, context)
  }

  /// CREATE_FAILED or UPDATE_FAILED, for a reason that `DescribeAddon` tells.
  private mutating func fail(_ issue: AddonIssue, _ service: EKSService, _ context: Context) {
    phase = .failed
    objects = []
    context.cancel("patience")
    context.cancel("deadline")
    let now = service.timeNow
    service.addons.update(key) { row in
      row.status = update == nil ? "CREATE_FAILED" : "UPDATE_FAILED"
      row.tell([issue])
      row.document["modifiedAt"] = now
    }
    guard let update else { return }
    service.updates.update(Key.update(cluster, update)) { row in
      row.document["status"] = "Failed"
      row.document["errors"] = [
        ["errorCode": .string(issue.code), "errorMessage": .string(issue.message), "resourceIds": []]
      ]
    }
    self.update = nil
  }

  // MARK: - Health

  private func health(_ service: EKSService, _ place: ClusterRow, _ context: Context) -> Verdict<Void, Because> {
    var workloads: [AddonHealth.Workload] = []
    var missing: [String] = []
    for reference in service.addons[key]?.applied ?? [] {
      let kind = reference["kind"].string ?? ""
      guard kind == "DaemonSet" || kind == "Deployment", let host = context.world.kube.host else { continue }
      let resource = kind == "DaemonSet" ? "daemonsets.apps" : "deployments.apps"
      let name = reference["metadata"]["name"].string ?? ""
      let object = host.get(
        ObjectReference(
          cluster: place.id, resource: resource, namespace: reference["metadata"]["namespace"].string ?? "", name: name)
      )
      guard let object else {
        missing.append("\(resource) \"\(name)\" not found")
        continue
      }
      if let workload = AddonHealth.Workload(object) { workloads.append(workload) }
    }
    return AddonHealth.decide(.init(workloads: .known(workloads), missing: .known(missing)))
  }

  /// ACTIVE as soon as all of it runs; what doesn't is given some time.
  private mutating func look(_ service: EKSService, _ place: ClusterRow, _ context: Context) {
    let verdict = health(service, place, context)
    guard verdict.isYes else {
      if !context.isWaiting(for: "patience") {
        context.wake("patience", after: AddonHealth.patience, .background)
      }
      return
    }
    context.cancel("patience")
    context.cancel("deadline")
    phase = .settled
    if let update { service.updates.update(Key.update(cluster, update)) { $0.document["status"] = "Successful" } }
    update = nil
    guard let row = service.addons[key], row.status != "ACTIVE" else { return }
    service.addons.update(key) { row in
      row.status = "ACTIVE"
      row.tell([])
    }
  }

  private mutating func degrade(_ service: EKSService, _ place: ClusterRow, _ context: Context) {
    guard let issue = AddonHealth.issue(health(service, place, context)) else { return }
    service.addons.update(key) { row in
      row.status = "DEGRADED"
      row.tell([issue])
    }
  }

  private mutating func giveUp(_ service: EKSService, _ place: ClusterRow, _ context: Context) {
    guard let issue = AddonHealth.issue(health(service, place, context)) else { return }
    context.world.kube.host?.unwatch(cluster: place.id, component: context.id)
    fail(issue, service, context)
  }

  // MARK: - Down

  private mutating func takeDown(_ row: AddonRow, _ place: ClusterRow, _ context: Context) {
    objects =
      preserves
      ? [] : row.applied.filter { !["CustomResourceDefinition", "Namespace"].contains($0["kind"].string) }.reversed()
    if !preserves { EKSService.of(context.world)?.dissociate(row) }
    index = 0
    next(row, place, context)
  }

  private mutating func next(_ row: AddonRow, _ place: ClusterRow, _ context: Context) {
    guard index < objects.count else {
      EKSService.of(context.world)?.addons[key] = nil
      return context.stop()
    }
    context.submit(EKSUsers.addonManager(place.id).delete(objects[index]), tag: "delete")
  }

  private mutating func removed(
    _ reply: KubeReply, _ service: EKSService, _ row: AddonRow, _ place: ClusterRow, _ context: Context
  ) {
    guard phase == .deleting else { return }
    guard reply.isSuccess || reply.status == 404 else {
      phase = .failed
      service.addons.update(key) { row in
        row.status = "DELETE_FAILED"
        row.tell([.refused(status: reply.status, reason: reply.reason, message: reply.message)])
      }
      return
    }
    index += 1
    next(row, place, context)
  }
}
