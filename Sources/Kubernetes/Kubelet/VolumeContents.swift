import Containers
import Mechanisms
import Wire
import World

/// What lies in the volumes of a pod that a kubelet writes itself: ConfigMaps, Secrets, projected ones, the downward
/// API. Others are empty when the pod begins and keep what its containers write.
struct VolumeContents {
  let cluster: String
  let pod: ObjectView
  let now: Timestamp
  /// An object of the pod's namespace, as the kubelet knows it.
  let read: (_ resource: String, _ name: String) -> JSON?
  /// What lies below a path of the node.
  var host: ((_ path: String) -> FileTree)?

  init(cluster: String, pod: ObjectView, now: Timestamp, read: @escaping (String, String) -> JSON?) {
    self.cluster = cluster
    self.pod = pod
    self.now = now
    self.read = read
  }

  struct Token {
    var volume: String
    var path: String
    var audience: String?
    var seconds: Int
  }

  /// Tokens that are projected, with the place of each.
  static func tokens(of pod: ObjectView) -> [Token] {
    pod.spec["volumes"].items.flatMap { volume in
      volume["projected"]["sources"].items.compactMap { source in
        let token = source["serviceAccountToken"]
        guard !token.isNull else { return nil }
        return Token(
          volume: volume["name"].string ?? "", path: "/..data/" + (token["path"].string ?? "token"),
          audience: token["audience"].string, seconds: token["expirationSeconds"].int ?? 3600)
      }
    }
  }

  func fill(_ volumes: inout [String: FileTree]) {
    for volume in pod.spec["volumes"].items {
      let name = volume["name"].string ?? ""
      if let path = volume["hostPath"]["path"].string, let host {
        // What its containers wrote stays, what the node keeps goes on.
        var tree = volumes[name] ?? FileTree()
        for (path, node) in host(path).nodes { tree.nodes[path] = node }
        volumes[name] = tree
        continue
      }
      guard let files = files(volume) else {
        if volumes[name] == nil { volumes[name] = FileTree() }
        continue
      }
      var tree = FileTree()
      let group = pod.spec["securityContext"]["fsGroup"].int ?? 0
      // The kubelet swaps a link to a directory of its own, so that all files change at once.
      tree.put("/..data", FileNode(.directory, group: group, at: now))
      for file in files {
        let path = "/..data/" + file.path
        var node = FileNode(file.content, mode: group == 0 ? file.mode : file.mode | 0o040, group: group, at: now)
        if case .token = file.content {
          let shown = ProjectedToken.file(in: pod.spec, of: volume["projected"])
          (node.mode, node.owner, node.group) = (shown.mode, shown.owner, shown.group)
        }
        if case .token = file.content, case .bytes? = volumes[name]?.nodes[path]?.content {
          node = volumes[name]!.nodes[path]!
        }
        if let old = volumes[name]?.nodes[path], old.content == node.content { node.changedAt = old.changedAt }
        tree.put(path, node)
        let first = file.path.split(separator: "/").first.map(String.init) ?? file.path
        tree.put("/" + first, FileNode(.link("..data/" + first), at: now))
      }
      volumes[name] = tree
    }
  }

  private struct File {
    var path: String
    var content: FileNode.Content
    var mode: Int
  }

  /// Nil for a volume that is not written by the kubelet.
  private func files(_ volume: JSON) -> [File]? {
    if !volume["configMap"].isNull {
      return keyed(volume["configMap"], "configmaps", name: "name", mode: volume["configMap"]["defaultMode"].int)
    }
    if !volume["secret"].isNull {
      return keyed(volume["secret"], "secrets", name: "secretName", mode: volume["secret"]["defaultMode"].int)
    }
    if !volume["downwardAPI"].isNull {
      return fields(volume["downwardAPI"], mode: volume["downwardAPI"]["defaultMode"].int)
    }
    guard !volume["projected"].isNull else { return nil }
    let mode = volume["projected"]["defaultMode"].int
    return volume["projected"]["sources"].items.flatMap { source -> [File] in
      if !source["configMap"].isNull { return keyed(source["configMap"], "configmaps", name: "name", mode: mode) }
      if !source["secret"].isNull { return keyed(source["secret"], "secrets", name: "name", mode: mode) }
      if !source["downwardAPI"].isNull { return fields(source["downwardAPI"], mode: mode) }
      let token = source["serviceAccountToken"]
      guard !token.isNull else { return [] }
      return [File(path: token["path"].string ?? "token", content: .token, mode: mode ?? 0o644)]
    }
  }

  private func keyed(_ source: JSON, _ resource: String, name: String, mode: Int?) -> [File] {
    guard let object = read(resource, source[name].string ?? "") else { return [] }
    var contents: [(key: String, bytes: [UInt8])] = []
    let isSecret = resource == "secrets"
    for field in object["data"].fields {
      let text = field.value.string ?? ""
      contents.append((field.key, isSecret ? Base64.decode(text) ?? [] : Array(text.utf8)))
    }
    for field in object["binaryData"].fields {
      contents.append((field.key, Base64.decode(field.value.string ?? "") ?? []))
    }
    let items = source["items"].items
    if items.isEmpty {
      return contents.map { File(path: $0.key, content: .bytes($0.bytes), mode: mode ?? 0o644) }
    }
    return items.compactMap { item in
      guard let found = contents.first(where: { $0.key == item["key"].string }) else { return nil }
      return File(
        path: item["path"].string ?? found.key, content: .bytes(found.bytes), mode: item["mode"].int ?? mode ?? 0o644)
    }
  }

  private func fields(_ source: JSON, mode: Int?) -> [File] {
    source["items"].items.map { item in
      let text =
        item["fieldRef"].isNull
        ? DownwardAPI.resource(
          item["resourceFieldRef"], pod, container: nil, node: read("nodes", pod.nodeName))
        : DownwardAPI.field(item["fieldRef"]["fieldPath"].string ?? "", pod, forVolume: true)
      return File(
        path: item["path"].string ?? "", content: .bytes(Array((text ?? "").utf8)),
        mode: item["mode"].int ?? mode ?? 0o644)
    }
  }
}
