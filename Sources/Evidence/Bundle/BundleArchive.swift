import Foundation

/// Packing and unpacking of bundles as `.tar.gz`, by the system's `tar`.
enum BundleArchive {
  /// Unpacks into a new folder that only this user can read, and gives its path.
  static func unpack(_ path: String) throws -> String {
    let folder = NSTemporaryDirectory() + "ekswhy-bundle-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let result = try Subprocess.run(["tar", "-xzf", path, "-C", folder, "--no-same-owner"])
    guard result.status == 0 else {
      try? FileManager.default.removeItem(atPath: folder)
      throw BundleSource.Problem.notReadable(path, "tar says \(result.error.prefix(200))")
    }
    return folder
  }

  /// An archive of one folder, or of its content: where the bundle begins.
  static func root(of folder: String) -> String {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { !$0.hasPrefix(".") }
    let known = ["kubernetes", "aws", "bundle.json", "logs", "cloudtrail", "nodes"]
    guard names.count == 1, !known.contains(names[0]) else { return folder }
    return "\(folder)/\(names[0])"
  }

  static func pack(folder: String, to path: String) throws {
    let parent = (folder as NSString).deletingLastPathComponent
    let name = (folder as NSString).lastPathComponent
    let result = try Subprocess.run(["tar", "-czf", path, "-C", parent, name])
    guard result.status == 0 else { throw BundleSource.Problem.notReadable(path, result.error) }
  }
}
