import Wire
import World

/// The end of a definition: its instances go first, with what holds them, then it
/// (`apiextensions-apiserver/pkg/controller/finalizer`).
extension APIServer {
  /// Nothing is made of a definition that goes.
  func refuseOfEnding(_ row: KubeResource) throws(KubeStatus) {
    guard custom.ending.contains(row.qualifiedName), custom.isCustom(row) else { return }
    throw KubeStatus(
      code: 405, reason: "MethodNotAllowed",
      message: "create not allowed while custom resource definition is terminating",
      details: .init(group: row.group, kind: row.plural))
  }

  /// Begins the end of a definition that was marked for deletion.
  func endDefinition(_ definition: StoredObject) {
    let resource = definition.key.name
    var object = definition.json
    guard object["metadata"]["finalizers"].strings.contains(DefinitionRules.finalizer),
      DefinitionRules.isEstablished(object)
    else { return definitionMayGo(named: resource) }
    DefinitionStatus.set(
      &object["status"], "Terminating", "True", "InstanceDeletionInProgress",
      "CustomResource deletion is in progress", now)
    put(APIServer.definitions, definition.key, object)
    for instance in store(resource).list(namespace: "") {
      var last = instance.json
      guard last["metadata"]["deletionTimestamp"].isNull else { continue }
      last["metadata"]["deletionTimestamp"] = .string(now.rfc3339)
      last["metadata"]["deletionGracePeriodSeconds"] = 0
      if last["metadata"]["finalizers"].items.isEmpty {
        remove(resource, instance.key, last: last)
      } else {
        put(resource, instance.key, last)
      }
    }
    definitionMayGo(named: resource)
  }

  /// With the last instance a definition that was only held by them goes.
  func definitionMayGo(after resource: String) {
    guard custom.ending.contains(resource) else { return }
    definitionMayGo(named: resource)
  }

  private func definitionMayGo(named name: String) {
    let key = ObjectKey(namespace: "", name: name)
    guard var object = store(APIServer.definitions)[key]?.json, !object["metadata"]["deletionTimestamp"].isNull,
      store(name).count == 0
    else { return }
    let finalizers = object["metadata"]["finalizers"].strings
    guard finalizers.contains(DefinitionRules.finalizer) else { return }
    DefinitionStatus.set(
      &object["status"], "Terminating", "False", "InstanceDeletionCompleted", "removed all instances", now)
    let rest = finalizers.filter { $0 != DefinitionRules.finalizer }
    object["metadata"]["finalizers"] = rest.isEmpty ? .null : JSON(rest)
    if rest.isEmpty {
      remove(APIServer.definitions, key, last: object)
      acceptNames()
    } else {
      put(APIServer.definitions, key, object)
    }
  }

  /// Names that have become free go to the definitions that waited for them.
  private func acceptNames() {
    for definition in store(APIServer.definitions).list(namespace: "")
    where !DefinitionStatus.isTrue("NamesAccepted", definition.json) {
      var object = definition.json
      object["status"] = DefinitionStatus.accepted(
        object, among: read(APIServer.definitions, namespace: ""), now: now)
      if object != definition.json { put(APIServer.definitions, definition.key, object) }
    }
  }
}
