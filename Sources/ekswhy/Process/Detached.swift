import Foundation

/// Starts this program again, apart from the terminal, and waits until it answers.
enum Detached {
  /// The child's end of the pipe.
  private static let readyDescriptor: Int32 = 3

  static func start(arguments: [String], folder: String) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch { throw Failure("the state folder \(folder) can't be made: \(error.localizedDescription)") }
    let log = open("\(folder)/ekswhy.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard log >= 0 else { throw Failure("\(folder)/ekswhy.log: \(String(cString: strerror(errno)))") }
    defer { close(log) }
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw Failure("pipe: \(String(cString: strerror(errno)))") }
    // Neither end may go on to the child but as its descriptor 3.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }

    let pid = try spawn(arguments + ["--ready-file", String(readyDescriptor)], log: log, ready: ends[1])
    close(ends[1])
    let words = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true).readDataToEndOfFile()
    let text = String(decoding: words, as: UTF8.self)
    if let welcome = Ready.welcome(in: text) {
      return Terminal.say("\(welcome)\npid    \(pid)   (log \(folder)/ekswhy.log)")
    }
    throw Failure(
      text.isEmpty ? "it ended before it answered; its last words are in \(folder)/ekswhy.log" : text)
  }

  private static func spawn(_ arguments: [String], log: Int32, ready: Int32) throws -> pid_t {
    #if os(Linux)
      var actions = posix_spawn_file_actions_t()
    #else
      var actions: posix_spawn_file_actions_t?
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // The pipe first: its number may be one of those that are taken next.
    posix_spawn_file_actions_adddup2(&actions, log, 1)
    posix_spawn_file_actions_adddup2(&actions, log, 2)
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, ready, readyDescriptor)
    let program = executable()
    let words = [program] + arguments
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    var pid: pid_t = 0
    let result = posix_spawn(&pid, program, &actions, nil, pointers, environ)
    guard result == 0 else { throw Failure("\(program): \(String(cString: strerror(result)))") }
    return pid
  }

  private static func executable() -> String {
    #if os(Linux)
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    #else
      Bundle.main.executablePath ?? CommandLine.arguments[0]
    #endif
  }
}

/// How a server tells that it answers: on the terminal, or to the process that detached it.
struct Ready {
  private static let mark = "ready\n"
  let descriptor: Int32?

  static func welcome(in text: String) -> String? {
    text.hasPrefix(mark) ? String(text.dropFirst(mark.count)) : nil
  }

  func succeed(_ words: String) {
    Terminal.say(words)
    tell(Ready.mark + words)
  }

  func fail(_ failure: Failure) { tell(failure.message) }

  private func tell(_ text: String) {
    guard let descriptor else { return }
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
  }
}
