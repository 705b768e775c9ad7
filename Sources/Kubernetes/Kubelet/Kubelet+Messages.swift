import Containers
import Wire
import World

/// What a container leaves to say why it ended.
///
/// Source: kubernetes `kuberuntime_container.go`, `getTerminationMessage`.
extension Kubelet {
  private static let messageBytes = 4096
  private static let fallbackLines = 80
  private static let fallbackBytes = 2048

  /// The text of its message file, or of its log's end where that is asked for and it failed; nil without any.
  func terminationMessage(
    _ container: ContainerRecord, _ record: PodRecord, _ pod: ObjectView, _ context: Context
  ) -> String? {
    if let fault = container.fault { return fault }
    let spec = spec(of: container.name, pod)
    var text = container.wasToldToStop ? nil : plan(of: container.name, pod).message
    if text == nil, let inside = context.world.state(of: PodRuntime.id(record.uid), as: PodRuntime.self) {
      let path = spec["terminationMessagePath"].string ?? "/dev/termination-log"
      text = inside.tail(of: path, in: container.name, limit: Self.messageBytes)
    }
    if let text, !text.isEmpty { return text }
    guard spec["terminationMessagePolicy"].string == "FallbackToLogsOnError", container.endCode != 0 else { return nil }
    let stream = ContainerLogs.stream(
      cluster: identity.cluster, pod: pod, container: container.name, attempt: container.restarts)
    let lines = context.world.logs.read(stream).suffix(Self.fallbackLines)
      .map { $0.text.drop { $0 != " " }.dropFirst() + "\n" }
    let tail = lines.joined().utf8.suffix(Self.fallbackBytes)
    return tail.isEmpty ? nil : String(decoding: tail, as: UTF8.self)
  }
}
