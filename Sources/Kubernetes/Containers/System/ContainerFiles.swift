import Wire

/// The files of one container: its image's, what was written over them, and what is mounted.
package struct ContainerFiles: Codable, Sendable {
  package struct Mount: Codable, Sendable {
    package var path: String
    package var volume: String
    package var subPath: String
    package var isReadOnly: Bool

    package init(path: String, volume: String, subPath: String = "", isReadOnly: Bool = false) {
      self.path = path
      self.volume = volume
      self.subPath = subPath
      self.isReadOnly = isReadOnly
    }
  }

  package let image: String
  package var mounts: [Mount]
  package var isReadOnly = false
  /// The file for the container's last message, which can be written in any case.
  package var messagePath: String?
  package var written = FileTree()
  var removed: Set<String> = []
  private var base: FileTree

  private enum CodingKeys: String, CodingKey { case image, mounts, isReadOnly, messagePath, written, removed }

  package init(image: String, mounts: [Mount] = []) {
    self.image = image
    self.mounts = mounts
    base = ImageCatalogue.files(of: image)
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    image = try values.decode(String.self, forKey: .image)
    mounts = try values.decode([Mount].self, forKey: .mounts)
    isReadOnly = try values.decodeIfPresent(Bool.self, forKey: .isReadOnly) ?? false
    messagePath = try values.decodeIfPresent(String.self, forKey: .messagePath)
    written = try values.decode(FileTree.self, forKey: .written)
    removed = Set(try values.decodeIfPresent([String].self, forKey: .removed) ?? [])
    base = ImageCatalogue.files(of: image)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(image, forKey: .image)
    try values.encode(mounts, forKey: .mounts)
    if isReadOnly { try values.encode(true, forKey: .isReadOnly) }
    try values.encodeIfPresent(messagePath, forKey: .messagePath)
    try values.encode(written, forKey: .written)
    if !removed.isEmpty { try values.encode(removed.sorted(), forKey: .removed) }
  }

  /// What lies at a path of the image and what was written over it.
  func own(_ path: String) -> FileNode? {
    if let node = written.nodes[path] { return node }
    if removed.contains(path) { return nil }
    return base.nodes[path]
  }

  mutating func put(_ path: String, _ node: FileNode) {
    removed.remove(path)
    written.nodes[path] = node
  }

  mutating func remove(_ path: String) {
    written.nodes[path] = nil
    if base.nodes[path] != nil { removed.insert(path) }
  }

  /// Names in a directory of the image and what was written over it.
  func ownChildren(_ directory: String) -> Set<String> {
    var names: Set<String> = []
    let prefix = directory == "/" ? "/" : directory + "/"
    for path in base.nodes.keys where path.hasPrefix(prefix) && !removed.contains(path) {
      let rest = path.dropFirst(prefix.count)
      if !rest.isEmpty, !rest.contains("/") { names.insert(String(rest)) }
    }
    for path in written.nodes.keys where path.hasPrefix(prefix) {
      let rest = path.dropFirst(prefix.count)
      if !rest.isEmpty, !rest.contains("/") { names.insert(String(rest)) }
    }
    return names
  }

  /// The mount that holds a path, and the path in its volume.
  func mount(of path: String) -> (mount: Mount, inside: String)? {
    var best: (mount: Mount, inside: String)?
    for mount in mounts
    where (path == mount.path || path.hasPrefix(mount.path + "/")) && mount.path.count > best?.mount.path.count ?? -1 {
      let rest = String(path.dropFirst(mount.path.count))
      let root = mount.subPath.isEmpty ? "" : FilePath.normal(mount.subPath, from: "/")
      let inside = root + rest
      best = (mount, inside.isEmpty ? "/" : inside)
    }
    return best
  }

  var writtenBytes: Int { written.nodes.values.reduce(0) { $0 + $1.size } }
}
