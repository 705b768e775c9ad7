import Foundation

/// The control socket of a state folder.
enum SocketFile {
  private static let name = "control.sock"
  /// Paths of sockets hold 107 bytes on Linux, 103 on macOS.
  private static let pathLimit = 103

  static func path(in folder: String) throws(Failure) -> String {
    let path = "\(folder)/\(name)"
    if path.utf8.count <= pathLimit { return path }
    #if os(Linux)
      // A long folder is reached through a descriptor of it, which stays open as long as the process.
      let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      if descriptor >= 0 { return "/proc/self/fd/\(descriptor)/\(name)" }
    #endif
    throw Failure("the path of the state folder is too long for its control socket: \(folder)")
  }
}
