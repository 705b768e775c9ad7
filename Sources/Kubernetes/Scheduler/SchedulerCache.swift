import Mechanisms
import Wire
import World

/// The scheduler's picture of its cluster, kept up with every change. It follows from the objects and isn't saved.
final class SchedulerCache {
  /// By what a change of a pod is told from one that doesn't matter here.
  private struct Stamp: Equatable {
    var labels: JSON
    var isTerminating: Bool
    var generation: Int
  }

  /// What a change of objects means to pods that wait.
  enum Change: Equatable {
    case nothing
    case nodeAdded
    case nodeChanged
    case nodeGone
    case podPlaced
    case podGone
    case podChanged
  }

  private(set) var isFilled = false
  var picture = ClusterPicture()
  private var stamps: [String: Stamp] = [:]
  /// Uids by `namespace/name`.
  private var uids: [String: String] = [:]

  func fill(_ host: any KubernetesHost, _ cluster: String, assumed: [String: String]) {
    guard !isFilled else { return }
    isFilled = true
    let nodes = host.list(cluster: cluster, resource: "nodes", namespace: "")
    picture = ClusterPicture(nodes.filter { !ObjectView($0).isTerminating }.map(NodeOffer.init(node:)))
    for namespace in host.list(cluster: cluster, resource: "namespaces", namespace: "") {
      namespaceChanged(ObjectView(namespace))
    }
    for pod in host.list(cluster: cluster, resource: "pods", namespace: "") {
      let view = ObjectView(pod)
      _ = podChanged(view.key, view)
      if view.nodeName.isEmpty, let node = assumed[view.key] { assume(view, PodTopology.Pod(pod: pod), on: node) }
    }
  }

  func namespaceChanged(_ namespace: ObjectView) {
    picture.namespaces[namespace.name] = namespace.labels.stringMap
  }

  func nodeChanged(_ name: String, _ node: ObjectView?) -> Change {
    guard let node, !node.isTerminating else {
      guard picture.index(of: name) != nil else { return .nothing }
      picture.removeNode(name)
      return .nodeGone
    }
    let offer = NodeOffer(node: node.json)
    guard let index = picture.index(of: name) else {
      picture.set(offer)
      return .nodeAdded
    }
    guard picture.nodes[index].node != offer else { return .nothing }
    picture.set(offer)
    return .nodeChanged
  }

  func podChanged(_ key: String, _ pod: ObjectView?) -> Change {
    if let old = uids[key], old != pod?.uid {
      leave(old)
      uids[key] = nil
      guard let pod else { return .podGone }
      _ = podChanged(key, pod)
      return .podGone
    }
    guard let pod, !pod.nodeName.isEmpty else { return .nothing }
    if pod.isPodFinished {
      guard uids.removeValue(forKey: key) != nil else { return .nothing }
      leave(pod.uid)
      return .podGone
    }
    let stamp = Stamp(labels: pod.labels, isTerminating: pod.isTerminating, generation: pod.generation)
    if stamps[pod.uid] == stamp, picture.place(of: pod.uid)?.node == pod.nodeName { return .nothing }
    let isNew = stamps[pod.uid] == nil
    uids[key] = pod.uid
    stamps[pod.uid] = stamp
    picture.add(PodTopology.Pod(pod: pod.json), to: pod.nodeName)
    return isNew ? .podPlaced : .podChanged
  }

  /// Counts a pod for a node before it is bound.
  func assume(_ pod: ObjectView, _ wanted: PodTopology.Pod, on node: String) {
    uids[pod.key] = pod.uid
    picture.add(wanted, to: node)
  }

  func forget(_ uid: String) {
    if stamps[uid] == nil { picture.remove(uid) }
  }

  private func leave(_ uid: String) {
    stamps[uid] = nil
    picture.remove(uid)
  }
}
