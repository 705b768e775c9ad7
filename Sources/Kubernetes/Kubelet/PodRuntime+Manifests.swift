import Containers
import Wire
import World

/// Files that a pod writes into its node's directory of static pods, through a volume of the node's paths.
extension PodRuntime {
  /// Volumes through which the directory can be seen, each with its path in there.
  private func places(_ pod: ObjectView, _ directory: String) -> [(volume: String, path: String)] {
    pod.spec["volumes"].items.compactMap { volume in
      guard let path = volume["hostPath"]["path"].string else { return nil }
      let base = path == "/" ? "" : path.hasSuffix("/") ? String(path.dropLast()) : path
      guard directory == base || directory.hasPrefix(base + "/") else { return nil }
      return (volume["name"].string ?? "", String(directory.dropFirst(base.count)))
    }
  }

  private func directory(_ context: Context) -> (path: String, files: [String: String])? {
    guard let state = context.world.state(of: kubelet, as: Kubelet.self),
      let path = state.identity.settings?.staticPodPath
    else { return nil }
    return (path, state.manifests ?? [:])
  }

  /// Shows the directory as the node has it now.
  mutating func showManifests(_ pod: ObjectView, _ context: Context) {
    guard let directory = directory(context) else { return }
    for place in places(pod, directory.path) {
      for path in files(place).keys {
        system.volumes[place.volume]?.nodes[place.path + "/" + path] = nil
      }
      if !place.path.isEmpty {
        system.volumes[place.volume, default: FileTree()].put(place.path, FileNode(.directory, at: context.now))
      }
      for (name, text) in directory.files {
        system.volumes[place.volume, default: FileTree()].put(
          "\(place.path)/\(name)", FileNode(.bytes(Array(text.utf8)), mode: 0o644, at: context.now))
      }
      manifests = directory.files
    }
  }

  private func files(_ place: (volume: String, path: String)) -> [String: String] {
    var found: [String: String] = [:]
    let prefix = place.path + "/"
    for (path, node) in system.volumes[place.volume]?.nodes ?? [:] where path.hasPrefix(prefix) {
      let name = path.dropFirst(prefix.count)
      guard !name.isEmpty, !name.contains("/"), case .bytes(let bytes) = node.content else { continue }
      found[String(name)] = String(decoding: bytes, as: UTF8.self)
    }
    return found
  }

  /// Tells the kubelet of what has changed there since.
  mutating func tellManifests(_ context: Context) {
    guard let known = manifests, let pod = pod(context), let directory = directory(context),
      let place = places(pod, directory.path).first
    else { return }
    let now = files(place)
    guard now != known else { return }
    manifests = now
    let changed = Set(now.keys).union(known.keys).sorted().filter { now[$0] != known[$0] }
    context.send(
      kubelet, "manifests", .array(changed.map { ["name": .string($0), "text": JSON(now[$0])] }))
  }
}
