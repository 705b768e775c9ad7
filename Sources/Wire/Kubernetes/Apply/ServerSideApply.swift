/// Server-side apply and the tracking of who owns which field.
///
/// Semantics of `k8s.io/apimachinery/pkg/util/managedfields` and structured-merge-diff's `merge.Updater`. Both ways
/// give the object to keep, `metadata.managedFields` included.
package struct ServerSideApply: Sendable {
  private let type: ApplyType
  private let gvk: GroupVersionKind
  private let manager: String
  private let subresource: String
  private let now: Timestamp
  /// What the endpoint does not let a client write, so that nobody owns it through there.
  private let resetFields: FieldSet

  package init(
    _ gvk: GroupVersionKind, in schema: KubernetesSchema, manager: String, subresource: String = "", now: Timestamp,
    resetFields: [[String]] = []
  ) {
    type = ApplyType(schema: schema, root: gvk)
    self.gvk = gvk
    self.manager = manager
    self.subresource = subresource
    self.now = now
    self.resetFields = FieldSet(resetFields)
  }

  /// Owned by the system and by nobody.
  private static let stripped = FieldSet([
    ["apiVersion"], ["kind"], ["metadata"], ["metadata", "name"], ["metadata", "namespace"],
    ["metadata", "creationTimestamp"], ["metadata", "selfLink"], ["metadata", "uid"], ["metadata", "clusterName"],
    ["metadata", "generation"], ["metadata", "managedFields"], ["metadata", "resourceVersion"],
  ])

  /// What a manager of many updates may be merged into.
  private static let ancient = "ancient-changes"
  private static let updateManagers = 10

  private func bare(_ object: JSON) -> JSON {
    var object = object
    object["metadata"]["managedFields"] = .null
    return object
  }

  private func owned(_ set: FieldSet) -> FieldSet {
    set.subtracting(ServerSideApply.stripped).subtractingRecursively(resetFields)
  }

  // MARK: Update

  /// The object of a create (`live` nil), update or patch, with the fields that it changed owned by the manager.
  package func update(_ object: JSON, live: JSON?) -> JSON {
    var managed: ManagedFields
    let given = object["metadata"]["managedFields"]
    let kept = live?["metadata"]["managedFields"] ?? .null
    if let list = given.array {
      // A list of one empty entry, or of none, takes everything from everybody.
      if list.isEmpty || list.count == 1 && list[0].object?.isEmpty == true {
        return bare(object)
      }
      managed = ManagedFields(given, isKept: given == kept)
    } else {
      managed = ManagedFields(kept, isKept: true)
    }
    let new = bare(object)
    let skeleton: JSON = [
      "apiVersion": .string(gvk.apiVersion), "kind": .string(gvk.kind), "metadata": .emptyObject,
    ]
    let old = live.map(bare) ?? skeleton
    let comparison = StructuredMerge.compare(old, new, type)
    let changed = comparison.modified.union(comparison.added)
    let taken = owned(changed)
    for index in managed.entries.indices {
      managed.entries[index].fields.subtract(changed)
      managed.entries[index].fields.subtract(comparison.removed)
    }
    if !taken.isEmpty {
      var entry = ManagedFields.Entry(
        manager: manager, operation: .update, apiVersion: gvk.apiVersion, subresource: subresource,
        time: now.rfc3339, fields: FieldsV1())
      if let index = managed.index(of: entry) {
        entry.fields = managed.entries[index].fields
        entry.fields.formUnion(taken)
        managed.entries[index] = entry
      } else {
        entry.fields = FieldsV1(taken)
        managed.entries.append(entry)
      }
    }
    cap(&managed)
    return with(managed, new)
  }

  /// Past ten updaters the oldest become one.
  private func cap(_ managed: inout ManagedFields) {
    managed.entries.removeAll { $0.fields.isEmpty }
    while managed.entries.count(where: { $0.operation == .update }) > ServerSideApply.updateManagers {
      let updates = managed.entries.indices.filter { managed.entries[$0].operation == .update }
        .sorted { managed.entries[$0].time ?? "" < managed.entries[$1].time ?? "" }
      let oldest = managed.entries[updates[0]]
      var second = managed.entries[updates[1]]
      second.manager = ServerSideApply.ancient
      second.subresource = ""
      second.fields.formUnion(oldest.fields.set)
      managed.entries[updates[1]] = second
      managed.entries.remove(at: updates[0])
    }
  }

  private func with(_ managed: ManagedFields, _ object: JSON) -> JSON {
    var object = object
    object["metadata"]["managedFields"] = managed.json
    return object
  }

  // MARK: Apply

  /// The live object with what was applied over it, and without what the manager applied before and no longer does.
  ///
  /// Throws the 409 of conflicts with other managers, unless `force`, and the fault of an object that cannot be
  /// applied. `live` is nil where the object is to be created; a no-op gives the live object as it is.
  package func apply(_ applied: JSON, live: JSON?, force: Bool) throws(KubeStatus) -> JSON {
    guard (applied["metadata"]["managedFields"].array ?? []).isEmpty else {
      throw .badRequest("metadata.managedFields must be nil")
    }
    let config = bare(applied)
    var managed = ManagedFields(live?["metadata"]["managedFields"] ?? .null, isKept: true)
    let fields: FieldSet
    do { fields = try StructuredMerge.fields(config, type) } catch { throw untyped(config, error.description) }
    let bareLive = live.map(bare)
    if managed.entries.isEmpty, let bareLive { beforeFirstApply(&managed, bareLive) }
    var entry = ManagedFields.Entry(
      manager: manager, operation: .apply, apiVersion: gvk.apiVersion, subresource: subresource, time: now.rfc3339,
      fields: FieldsV1())
    let at = managed.index(of: entry)
    let last = at.map { managed.entries[$0].fields.set } ?? FieldSet()
    let others = managed.entries.enumerated().filter { $0.offset != at }.map(\.element.fields.set)
    let base = bareLive ?? ["apiVersion": config["apiVersion"], "kind": config["kind"]]
    // A null that was applied is owned, and leaves nothing.
    let merged = StructuredMerge.merge(base, config, type).withoutNullFields
    var result = pruned(merged, last: last, owned: others.reduce(fields) { $0.union($1) })

    let comparison = StructuredMerge.compare(base, result, type)
    let changed = owned(comparison.modified.union(comparison.added))
    try checkConflicts(managed, except: at, changed, allowed: lastApplied(bareLive), force: force)
    for index in managed.entries.indices where index != at {
      managed.entries[index].fields.subtract(changed)
      managed.entries[index].fields.subtract(comparison.removed)
    }
    entry.fields = FieldsV1(owned(fields))
    if let at {
      let before = managed.entries[at]
      if before.fields == entry.fields, before.apiVersion == entry.apiVersion, let bareLive, bareLive == result {
        entry.time = before.time
      }
      managed.entries[at] = entry
    } else {
      managed.entries.append(entry)
    }
    cap(&managed)
    noteLastApplied(&result, config)
    return with(managed, result)
  }

  /// Throws where what is applied has fields that its type does not have.
  package func checkDeclared(_ applied: JSON) throws(KubeStatus) {
    do { _ = try StructuredMerge.fields(bare(applied), type) } catch { throw untyped(applied, error.description) }
  }

  // MARK: kubectl's change from client-side apply

  private static let kubectl = "kubectl"
  private static let lastAppliedKey = "kubectl.kubernetes.io/last-applied-configuration"

  /// What kubectl applied from the client's side before and nobody changed since: it may take that over.
  private func lastApplied(_ live: JSON?) -> FieldSet {
    guard manager == ServerSideApply.kubectl, let live,
      let text = live["metadata"]["annotations"][ServerSideApply.lastAppliedKey].string,
      let before = try? JSON.parse(text), let set = try? StructuredMerge.fields(before, type)
    else { return FieldSet() }
    let since = StructuredMerge.compare(before, live, type)
    return set.subtracting(since.modified).subtracting(since.added).subtracting(since.removed)
  }

  /// Keeps the annotation of client-side apply in step, where there is one.
  private func noteLastApplied(_ object: inout JSON, _ config: JSON) {
    guard manager == ServerSideApply.kubectl,
      object["metadata"]["annotations"][ServerSideApply.lastAppliedKey].string != nil
    else { return }
    var config = config
    config["metadata"]["annotations"][ServerSideApply.lastAppliedKey] = .null
    object["metadata"]["annotations"][ServerSideApply.lastAppliedKey] = .string(config.sorted.text(.go) + "\n")
  }

  /// Fields that nobody is known to own before the first apply belong to an updater of that name.
  private func beforeFirstApply(_ managed: inout ManagedFields, _ live: JSON) {
    guard let all = try? StructuredMerge.fields(live, type) else { return }
    managed.entries.append(
      ManagedFields.Entry(
        manager: "before-first-apply", operation: .update, apiVersion: gvk.apiVersion, time: now.rfc3339,
        fields: FieldsV1(owned(all))))
  }

  private func untyped(_ config: JSON, _ fault: String) -> KubeStatus {
    let namespace = config["metadata"]["namespace"].string ?? ""
    let name = config["metadata"]["name"].string ?? ""
    return KubeStatus(
      code: 500, reason: "",
      message: "failed to create typed patch object (\(namespace)/\(name); \(gvk.apiVersion), Kind=\(gvk.kind)): "
        + fault)
  }

  /// Takes out what the manager had applied before; what others own or nobody did stays.
  private func pruned(_ merged: JSON, last: FieldSet, owned: FieldSet) -> JSON {
    if last.isEmpty { return merged }
    func fields(_ object: JSON) -> FieldSet {
      ((try? StructuredMerge.fields(object, type)) ?? FieldSet()).withNamedFields(type)
    }
    func removing(_ set: FieldSet) -> JSON { StructuredMerge.remove(set, from: merged, type) ?? .emptyObject }
    let last = last.withNamedFields(type)
    let all = fields(merged)
    let first = removing(last)
    let second = removing(all.subtracting(fields(first).union(owned.withNamedFields(type))))
    return removing(all.subtracting(fields(second)).intersection(last))
  }

  private func checkConflicts(
    _ managed: ManagedFields, except: Int?, _ changed: FieldSet, allowed: FieldSet, force: Bool
  ) throws(KubeStatus) {
    if force { return }
    var conflicts: [(manager: String, path: String)] = []
    var refused = FieldSet()
    for (index, entry) in managed.entries.enumerated() where index != except {
      let shared = entry.fields.set.intersection(changed)
      refused = refused.union(shared)
      for path in shared.paths { conflicts.append((entry.text, FieldSet.text(path))) }
    }
    guard !refused.subtracting(allowed).isEmpty else { return }
    conflicts.sort { $0.manager < $1.manager }
    let causes = conflicts.map {
      KubeStatus.Cause(reason: "FieldManagerConflict", message: "conflict with \($0.manager)", field: $0.path)
    }
    if conflicts.count == 1 {
      throw .applyConflict(
        message: "Apply failed with 1 conflict: conflict with \(conflicts[0].manager): \(conflicts[0].path)",
        causes: causes)
    }
    var lines: [String] = []
    var last: String?
    for conflict in conflicts {
      if conflict.manager != last { lines.append("conflicts with \(conflict.manager):") }
      last = conflict.manager
      lines.append("- \(conflict.path)")
    }
    throw .applyConflict(
      message: "Apply failed with \(conflicts.count) conflicts: \(lines.joined(separator: "\n"))", causes: causes)
  }
}

extension JSON {
  /// Without the fields that are null, outside of lists of values.
  fileprivate var withoutNullFields: JSON {
    switch self {
    case .object(var object):
      object.fields = object.fields.compactMap { field in
        field.value.isNull ? nil : JSONObject.Field(key: field.key, value: field.value.withoutNullFields)
      }
      return .object(object)
    case .array(let array): return .array(array.map(\.withoutNullFields))
    default: return self
    }
  }
}
