import Wire

/// How a container of an image behaves, as far as the world can see: what it writes, which ports it
/// listens on, when and how it ends. Guessed from the image's name and the command.
package struct ImageBehaviour: Equatable {
  /// Lines at its start.
  package var output: [String] = []
  /// Ports it listens on; nil when nothing is known, and probes then succeed.
  package var ports: [Int]?
  /// When it ends by itself; nil when it runs on.
  package var ends: Duration?
  package var exitCode = 0
  /// Whether it ends at once on SIGTERM.
  package var obeysTerm = true

  package static func of(image: String, command: [String], args: [String]) -> ImageBehaviour {
    if !command.isEmpty || (!args.isEmpty && isShellImage(image)) {
      return run(command.isEmpty ? args : command + args)
    }
    switch baseName(image) {
    case "nginx":
      return ImageBehaviour(
        output: [
          "/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration",
          "/docker-entrypoint.sh: Configuration complete; ready for start up", "[notice] 1#1: start worker processes",
        ], ports: [80])
    case "httpd":
      return ImageBehaviour(
        output: ["[core:notice] [pid 1:tid 1] AH00094: Command line: 'httpd -D FOREGROUND'"], ports: [80])
    case "redis": return ImageBehaviour(output: ["1:M * Ready to accept connections tcp"], ports: [6379])
    case "postgres":
      return ImageBehaviour(output: ["LOG:  database system is ready to accept connections"], ports: [5432])
    case let name where isShell(name): return ImageBehaviour(ends: .milliseconds(20))
    case "amazon-k8s-cni-init":
      return ImageBehaviour(
        output: ["level=info msg=\"Copied all CNI plugin binaries to /host/opt/cni/bin\""], ends: .milliseconds(20))
    case "hello-world": return ImageBehaviour(output: ["Hello from Docker!"], ends: .milliseconds(20))
    default: return ImageBehaviour()
    }
  }

  /// Why the image cannot be had; nil when it can.
  package static func pullFailure(_ image: String) -> String? {
    let marks = ["nonexistent", "does-not-exist", "doesnotexist", "no-such", "notfound", "not-found", "imagenotexist"]
    guard marks.contains(where: image.lowercased().contains) else { return nil }
    let full = fullName(image)
    let path = full.split(separator: ":").dropLast().joined(separator: ":")
    if marks.contains(where: path.lowercased().contains) {
      return
        "failed to pull and unpack image \"\(full)\": failed to resolve reference \"\(full)\": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
    }
    return "failed to pull and unpack image \"\(full)\": failed to resolve reference \"\(full)\": \(full): not found"
  }

  /// Whether a reference can be read at all.
  package static func isReference(_ image: String) -> Bool {
    !image.isEmpty
      && image.utf8.allSatisfy { byte in
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || "./:-_@".utf8.contains(byte)
          || (0x41...0x5a).contains(byte)
      } && !(image.prefix { $0 != ":" && $0 != "@" }).contains { $0.isUppercase }
  }

  /// With registry and tag, as containerd resolves it.
  package static func fullName(_ image: String) -> String {
    var name = image
    let first = name.prefix { $0 != "/" }
    if !name.contains("/") {
      name = "docker.io/library/\(name)"
    } else if !first.contains("."), !first.contains(":"), first != "localhost" {
      name = "docker.io/\(name)"
    }
    let last = name.split(separator: "/").last ?? ""
    return last.contains(":") || last.contains("@") ? name : "\(name):latest"
  }

  package static func baseName(_ image: String) -> String {
    String((image.split(separator: "/").last ?? "").prefix { $0 != ":" && $0 != "@" })
  }

  private static func isShell(_ name: String) -> Bool {
    ["busybox", "alpine", "ubuntu", "debian", "bash", "centos", "fedora", "amazonlinux", "curl", "python", "node"]
      .contains(name)
  }

  private static func isShellImage(_ image: String) -> Bool { isShell(baseName(image)) }

  // MARK: - Commands

  private static func run(_ command: [String]) -> ImageBehaviour {
    let program = String(command[0].split(separator: "/").last ?? "")
    if ["sh", "bash", "ash"].contains(program),
      let flag = command.firstIndex(where: { $0.hasPrefix("-") && $0.hasSuffix("c") }),
      flag + 1 < command.count
    {
      return script(command[flag + 1])
    }
    var behaviour = ImageBehaviour()
    _ = behaviour.perform(program, Array(command.dropFirst()))
    // A lone process is pid 1, which a signal without a handler does not reach.
    if program == "sleep" || program == "tail" { behaviour.obeysTerm = false }
    return behaviour
  }

  private static func script(_ text: String) -> ImageBehaviour {
    var behaviour = ImageBehaviour()
    behaviour.obeysTerm = text.contains("trap ") || text.contains("exec ")
    behaviour.ends = .milliseconds(5)
    let isLoop = ["while true", "while :", "while sleep", "tail -f"].contains(where: text.contains)
    let separators: Set<Character> = [";", "\n"]
    let steps = text.split { separators.contains($0) }.flatMap { $0.split(separator: "&").map(String.init) }
    for step in steps {
      let words = step.split(separator: " ").map { String($0.filter { $0 != "\"" && $0 != "'" }) }
      guard let first = words.first(where: { !["do", "then", "exec", "trap", "while"].contains($0) }) else { continue }
      let rest = Array(words.drop { $0 != first }.dropFirst())
      if behaviour.perform(first, rest) { break }
      if behaviour.ends == nil { break }
    }
    if isLoop { behaviour.ends = nil }
    return behaviour
  }

  /// One command; whether it was the last.
  private mutating func perform(_ program: String, _ args: [String]) -> Bool {
    switch program {
    case "echo":
      output.append(args.filter { $0 != "-n" && $0 != "-e" }.joined(separator: " "))
      ends = ends ?? .milliseconds(5)
    case "sleep":
      guard let text = args.first, text != "infinity", text != "inf", let pause = Self.seconds(text) else {
        ends = nil
        return true
      }
      ends = (ends ?? .zero) + pause
    case "exit":
      exitCode = args.first.flatMap { Int($0) } ?? 0
      ends = ends ?? .milliseconds(5)
      return true
    case "false":
      exitCode = 1
      ends = ends ?? .milliseconds(5)
      return true
    case "true": ends = ends ?? .milliseconds(5)
    case "tail", "cat", "nginx", "httpd", "server":
      ends = nil
      return program != "cat"
    default: break
    }
    return false
  }

  private static func seconds(_ text: String) -> Duration? {
    let number = text.prefix { $0.isNumber || $0 == "." }
    guard let value = Double(number) else { return nil }
    let factors: [String: Double] = ["": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400]
    let factor = factors[String(text.dropFirst(number.count))] ?? 1
    return .milliseconds(Int(value * factor * 1000))
  }
}
