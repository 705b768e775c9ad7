import Mechanisms
import Wire
import World

/// Static pods: those that a node runs by files of its own, and the mirrors by which the API server sees them.
///
/// Source: kubernetes `pkg/kubelet/config/common.go` and `file.go`, `pkg/kubelet/pod/mirror_client.go`.
extension Kubelet {
  static let mirrorAnnotation = "kubernetes.io/config.mirror"

  /// A pod on the node has changed files in the directory of manifests; one without text is gone.
  mutating func manifestsWritten(_ value: JSON, _ context: Context) {
    guard identity.settings?.staticPodPath != nil else { return }
    var files = manifests ?? [:]
    for file in value.items { files[file["name"].string ?? ""] = file["text"].string }
    manifests = files.isEmpty ? nil : files
    runStatics(context)
  }

  /// Brings what runs in line with the files.
  mutating func runStatics(_ context: Context) {
    var wanted: [String: JSON] = [:]
    for (file, text) in (manifests ?? [:]).sorted(by: { $0.key < $1.key }) where !file.hasPrefix(".") {
      if let pod = pod(of: text, file, context), let uid = pod["metadata"]["uid"].string { wanted[uid] = pod }
    }
    for uid in (statics ?? [:]).keys.sorted() where wanted[uid] == nil {
      guard statics?[uid]?["metadata"].has("deletionTimestamp") == false else { continue }
      let grace = statics?[uid]?["spec"]["terminationGracePeriodSeconds"].int ?? 30
      statics?[uid]?["metadata"]["deletionTimestamp"] = context.now.json
      statics?[uid]?["metadata"]["deletionGracePeriodSeconds"] = .int(Int64(grace))
      sync(uid, context)
    }
    for (uid, pod) in wanted.sorted(by: { $0.key < $1.key }) where statics?[uid] == nil {
      // One that was changed takes the other's place once that has ended.
      let isTaken = (statics ?? [:]).values.contains {
        $0["metadata"]["name"] == pod["metadata"]["name"] && $0["metadata"]["namespace"] == pod["metadata"]["namespace"]
      }
      if !isTaken { runStatic(uid, pod, context) }
    }
  }

  private mutating func runStatic(_ uid: String, _ pod: JSON, _ context: Context) {
    var pod = pod
    pod["metadata"]["annotations"]["kubernetes.io/config.seen"] = context.now.json
    statics = statics ?? [:]
    statics?[uid] = pod
    let view = ObjectView(pod)
    if let refusal = refusal(of: view, context) {
      event(view.reference, context, type: "Warning", refusal.reason, refusal.message)
      forgetStatic(uid)
      return
    }
    if pods[uid] != nil || admit(view, context) { sync(uid, context) }
  }

  /// The pod that a file stands for; nil for one that says none.
  private func pod(of text: String, _ file: String, _ context: Context) -> JSON? {
    let path = "\(identity.settings?.staticPodPath ?? "")/\(file)"
    func refused(_ why: String) -> JSON? {
      log(
        "E", "file.go:189",
        "\"Could not process manifest file\" err=\(GoText.quote("\(path): couldn't parse as pod(\(why)), please check config file")) path=\"\(path)\"",
        context)
      return nil
    }
    var pod: JSON
    do { pod = try YAML.parse(text) } catch { return refused("\(error)") }
    guard pod["kind"].string == "Pod" else { return refused("Object 'Kind' is missing or no Pod") }
    guard let name = pod["metadata"]["name"].string, !name.isEmpty else {
      return refused("invalid pod: metadata.name: Required value: name or generateName is required")
    }
    var stream = RandomStream(seed: 0, entity: "static/\(identity.nodeName)/\(path)/\(text)")
    let uid = pod["metadata"]["uid"].string ?? stream.hex(32)
    pod["apiVersion"] = "v1"
    pod["metadata"]["uid"] = .string(uid)
    pod["metadata"]["name"] = .string("\(name)-\(identity.nodeName.lowercased())")
    if (pod["metadata"]["namespace"].string ?? "").isEmpty { pod["metadata"]["namespace"] = "default" }
    pod["metadata"]["annotations"]["kubernetes.io/config.hash"] = .string(uid)
    pod["metadata"]["annotations"]["kubernetes.io/config.source"] = "file"
    pod["spec"]["nodeName"] = .string(identity.nodeName)
    pod["spec"]["tolerations"] = .array(
      pod["spec"]["tolerations"].items + [["effect": "NoExecute", "operator": "Exists"]])
    PodRules.defaults(&pod["spec"], inPod: true)
    pod["status"] = ["phase": "Pending"]
    return pod
  }

  // MARK: - Mirrors

  private func mirror(_ namespace: String, _ name: String, _ context: Context) -> ObjectView? {
    context.world.kube.host?.get(reference("pods", namespace, name)).map { ObjectView($0) }
      .flatMap { $0.annotations[Self.mirrorAnnotation].string == nil ? nil : $0 }
  }

  /// A static pod by its name, with its mirror's specification and status where that is its own; nil for none.
  func staticPod(_ namespace: String, _ name: String, _ context: Context) -> ObjectView? {
    let found = (statics ?? [:]).first {
      $0.value["metadata"]["name"].string == name && $0.value["metadata"]["namespace"].string == namespace
    }
    guard let (uid, own) = found else { return nil }
    var pod = own
    pod["metadata"]["annotations"][Self.mirrorAnnotation] = .string(uid)
    if let mirror = mirror(namespace, name, context), mirror.uidOnNode == uid {
      pod["spec"] = mirror.spec
      pod["status"] = mirror.status
    }
    return ObjectView(pod)
  }

  /// Under which uid the API server knows a pod; nil where it doesn't, or no longer.
  func uidToTell(of record: PodRecord, _ context: Context) -> String? {
    guard statics?[record.uid] != nil else { return record.uid }
    return mirror(record.namespace, record.name, context).flatMap { $0.uidOnNode == record.uid ? $0.uid : nil }
  }

  /// Whether a pod of the API server is a mirror; one that mirrors nothing goes.
  mutating func isMirror(_ pod: ObjectView, _ context: Context) -> Bool {
    guard let hash = pod.annotations[Self.mirrorAnnotation].string else { return false }
    let isKnown = (statics ?? [:]).values.contains {
      $0["metadata"]["name"].string == pod.name && $0["metadata"]["namespace"].string == pod.namespace
    }
    if isKnown {
      if pods[hash] != nil { sync(hash, context) }
    } else {
      remove(pod, context)
    }
    return true
  }

  private mutating func remove(_ mirror: ObjectView, _ context: Context) {
    log("I", "mirror_client.go:130", "\"Deleting a mirror pod\" pod=\"\(mirror.key)\"", context)
    send("mirror-gone", context) {
      $0.delete("pods", mirror.namespace, mirror.name, uid: mirror.uid, gracePeriod: 0)
    }
  }

  /// Makes a static pod's mirror anew where there is none, or another's, or one that was deleted.
  mutating func keepMirror(_ uid: String, _ context: Context) {
    guard registration == .done, var pod = statics?[uid], !pod["metadata"].has("deletionTimestamp"),
      let node = read("nodes", "", identity.nodeName, context)
    else { return }
    let (namespace, name) = (pod["metadata"]["namespace"].string ?? "", pod["metadata"]["name"].string ?? "")
    if let mirror = mirror(namespace, name, context) {
      if mirror.isTerminating || mirror.uidOnNode != uid { remove(mirror, context) }
      return
    }
    pod["metadata"]["uid"] = .null
    pod["metadata"]["annotations"][Self.mirrorAnnotation] = .string(uid)
    pod["metadata"]["ownerReferences"] = [
      [
        "apiVersion": "v1", "kind": "Node", "name": .string(identity.nodeName), "uid": .string(node.uid),
        "controller": true,
      ]
    ]
    pod["status"] = .null
    let body = pod
    send("mirror \(uid)", context) { $0.create("pods", namespace, body) }
  }

  mutating func mirrorAnswered(_ uid: String, _ reply: KubeReply, _ context: Context) {
    guard let record = pods[uid] else { return }
    if reply.isSuccess { return sync(uid, context) }
    guard reply.reason != "AlreadyExists" else { return }
    log(
      "E", "kubelet.go:1989",
      "\"Failed creating a mirror pod for\" err=\(GoText.quote(reply.message)) pod=\"\(record.key)\"", context)
    context.wake("late \(uid)", after: .seconds(60), .background)
  }

  // MARK: - The end

  /// A static pod whose file is gone has ended.
  mutating func forgetStatic(_ record: PodRecord, _ context: Context) {
    if let mirror = mirror(record.namespace, record.name, context), mirror.uidOnNode == record.uid {
      remove(mirror, context)
    }
    pods[record.uid] = nil
    known.needs[record.uid] = nil
    forgetStatic(record.uid)
    context.world.stop(PodRuntime.id(record.uid))
    context.cancel("pod \(record.uid)")
    context.cancel("late \(record.uid)")
    runStatics(context)
  }

  private mutating func forgetStatic(_ uid: String) {
    statics?[uid] = nil
    if statics?.isEmpty == true { statics = nil }
  }
}

extension ObjectView {
  /// Under which uid its node knows a pod: a mirror stands for a static one.
  var uidOnNode: String { annotations[Kubelet.mirrorAnnotation].string ?? uid }
}
