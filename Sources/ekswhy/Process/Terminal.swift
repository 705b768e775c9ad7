import Foundation

/// Words to the person at the terminal.
enum Terminal {
  static func say(_ text: String) { put(text + "\n", to: STDOUT_FILENO) }
  static func complain(_ text: String) { put("ekswhy: \(text)\n", to: STDERR_FILENO) }

  /// Whole, at once: lines of several threads do not mix.
  private static func put(_ text: String, to file: Int32) {
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
      if count <= 0 { return }
      written += count
    }
  }

  /// How the user calls this program, for hints that can be pasted.
  static var command: String {
    let environment = ProcessInfo.processInfo.environment
    if let command = environment["EKSWHY_COMMAND"], !command.isEmpty { return command }
    let name = CommandLine.arguments.first.map { ($0 as NSString).lastPathComponent } ?? "ekswhy"
    return name == "kubectl-ekswhy" ? "kubectl ekswhy" : name
  }
}
