import Evidence
import Mechanisms
import Wire

/// A controller of pods, with what it made.
struct WorkloadState: Sendable {
  var entity: Entity
  var resource: KubernetesResource
  var object: JSON
  /// Of a Deployment its newest ReplicaSet; nil where there is none yet.
  var newest: JSON?
  /// Pods of it, those that are going left out.
  var pods: [PodState]
  /// Of a Deployment those of its newest ReplicaSet; else all.
  var newPods: [PodState]
  /// Why its ReplicaSets are not known.
  var gap: Gap?

  static func resource(_ kind: String) -> KubernetesResource? {
    switch kind.lowercased() {
    case "deployment": .deployments
    case "daemonset": .daemonSets
    case "statefulset": .statefulSets
    case "replicaset": .replicaSets
    case "job": .jobs
    default: nil
    }
  }

  static func read(_ resource: KubernetesResource, _ namespace: String, _ name: String, _ world: Investigation)
    async throws(QuestionError) -> WorkloadState
  {
    let found = await world.object(resource, namespace: namespace, name: name)
    guard let object = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("\(resource.kind) \(name) in namespace \(namespace)")
    }
    let listed = await world.list(.pods, namespace: namespace)
    if let gap = listed.gap { throw .unreachable(gap) }
    let selector = object["spec"]["selector"]
    let labels = LabelSelector(matchLabels: selector["matchLabels"])
    let hasSelector = !selector["matchLabels"].fields.isEmpty
    var pods = listed.items.filter { hasSelector && labels.matches($0["metadata"]["labels"]) }
    var state = WorkloadState(
      entity: Entity(resource.kind, name, namespace: namespace), resource: resource, object: object, pods: [],
      newPods: [])
    if resource == .deployments {
      let sets = await world.list(.replicaSets, namespace: namespace)
      state.gap = sets.gap
      let own = sets.items.filter { WorkloadState.isOwned($0, by: object) }
      state.newest = own.max { WorkloadState.revision($0) < WorkloadState.revision($1) }
    } else {
      pods = pods.filter { $0["metadata"]["ownerReferences"].items.isEmpty || WorkloadState.isOwned($0, by: object) }
    }
    state.pods = pods.map(PodState.init).filter { !$0.isDeleting }
    state.newPods = state.pods
    if let newest = state.newest {
      state.newPods = state.pods.filter { WorkloadState.isOwned($0.pod, by: newest) }
      // Pods without owners were written by hand into a bundle.
      if state.newPods.isEmpty, state.pods.allSatisfy({ $0.pod["metadata"]["ownerReferences"].items.isEmpty }) {
        state.newPods = state.pods
      }
    }
    return state
  }

  static func isOwned(_ object: JSON, by owner: JSON) -> Bool {
    object["metadata"]["ownerReferences"].items.contains { reference in
      if let uid = owner["metadata"]["uid"].string { return reference["uid"].string == uid }
      return reference["name"].string == owner["metadata"]["name"].string
    }
  }

  private static func revision(_ set: JSON) -> Int {
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].string.flatMap { Int($0) } ?? 0
  }

  func condition(_ type: String) -> JSON {
    object["status"]["conditions"].items.first { $0["type"].string == type } ?? .null
  }

  var wanted: Int {
    resource == .daemonSets
      ? object["status"]["desiredNumberScheduled"].int ?? pods.count : object["spec"]["replicas"].int ?? 1
  }

  var ready: Int { pods.count { $0.isReady } }
  var isPaused: Bool { object["spec"]["paused"].bool ?? false }

  /// Pods of its present template that there are.
  var updated: Int {
    object["status"]["updatedReplicas"].int ?? object["status"]["updatedNumberScheduled"].int ?? newPods.count
  }

  /// Not all of its pods are of its present template.
  var isRolling: Bool {
    guard resource == .deployments || resource == .statefulSets || resource == .daemonSets else { return false }
    guard !object["status"].isNull, !isOnDelete else { return false }
    if resource == .statefulSets {
      let (update, current) = (object["status"]["updateRevision"].string, object["status"]["currentRevision"].string)
      return update != nil && current != nil && update != current && updated < wanted - partition
    }
    return updated < wanted || (object["status"]["replicas"].int ?? 0) > updated
  }

  private var partition: Int { object["spec"]["updateStrategy"]["rollingUpdate"]["partition"].int ?? 0 }
  private var isOnDelete: Bool { object["spec"]["updateStrategy"]["type"].string == "OnDelete" }
}
