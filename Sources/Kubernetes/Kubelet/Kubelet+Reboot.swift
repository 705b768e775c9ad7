import Wire
import World

/// A kubelet on a machine that has run before.
extension Kubelet {
  /// Another one at every boot.
  var bootID: String { Self.uuid(boots.map { "boot-\($0)" } ?? "boot", identity) }

  /// Takes up what lies on the disk.
  mutating func recall(_ context: Context) {
    let place = MachineDisk.id(identity.instanceID)
    guard let disk = context.world.state(of: place, as: MachineDisk.self) else { return }
    pods = disk.pods
    images = disk.images
    manifests = disk.manifests
    boots = disk.boots
    context.world.stop(place)
  }

  /// The sandboxes of before are gone: those pods that go on need new ones.
  ///
  /// Source: kubernetes `pkg/kubelet/kuberuntime/kuberuntime_manager.go`.
  mutating func tellOfNewSandboxes(_ context: Context) {
    guard boots != nil else { return }
    for (uid, record) in pods.sorted(by: { $0.key < $1.key })
    where record.sandbox == .none && record.containers.contains(where: { !$0.id.isEmpty }) {
      guard let pod = read("pods", record.namespace, record.name, context), pod.uid == uid, !pod.isTerminating,
        !pod.isPodFinished, !isOver(record, pod)
      else { continue }
      event(
        pod.reference, context, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
    }
  }
}
