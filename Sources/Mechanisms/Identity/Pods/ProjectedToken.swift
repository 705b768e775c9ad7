package import Wire

/// To whom the file of a projected service-account token belongs, and who may read it.
///
/// Source: kubernetes `pkg/volume/projected`, `pkg/volume/util/fsgroup`, `pkg/kubelet/volumemanager`.
package enum ProjectedToken {
  package struct File: Sendable, Equatable {
    package var mode: Int
    package var owner: Int
    package var group: Int

    /// Whether a process of that user, with these groups, may read it.
    package func isReadable(user: Int, groups: [Int]) -> Bool {
      if user == 0 { return true }
      if user == owner { return mode & 0o400 != 0 }
      if groups.contains(group) { return mode & 0o040 != 0 }
      return mode & 0o004 != 0
    }
  }

  /// `spec` is the pod's, `source` the volume's `projected`.
  package static func file(in spec: JSON, of source: JSON) -> File {
    let group = spec["securityContext"]["fsGroup"].int
    let user = commonUser(spec)
    var file = File(mode: source["defaultMode"].int ?? 0o644, owner: 0, group: 0)
    // Who is known to read it is the only one who may.
    if group != nil || user != nil { file.mode = 0o600 }
    if let user { file.owner = user }
    if let group {
      file.group = group
      file.mode |= 0o040
    }
    return file
  }

  /// The user that all containers of the pod run as by its specification; nil where they differ or none is named.
  static func commonUser(_ spec: JSON) -> Int? {
    let all = spec["initContainers"].items + spec["containers"].items + spec["ephemeralContainers"].items
    var common: Int?
    for container in all {
      guard let user = container["securityContext"]["runAsUser"].int ?? spec["securityContext"]["runAsUser"].int
      else { return nil }
      if let common, common != user { return nil }
      common = user
    }
    return common
  }
}
