import Mechanisms
import Wire

/// A command between two of its turns.
struct CommandState: Codable {
  var name: String
  var arguments: [String]
  var phase = 0
  var data = FileContent([])
  var numbers: [Int] = []
  var texts: [String] = []
  var children: [Int] = []
  /// A name that is being looked up.
  var lookup: StubLookup?
  /// Queries whose answers are awaited.
  var queries: [StubQuery]?
}

enum CommandOutcome {
  case exit(Int)
  case again
  case waits(Wait)
}

/// One turn of a command: what it reads, and what it writes once the turn is over.
final class Call {
  let system: PodSystem
  let process: Process
  var state: CommandState
  var cost = 0
  private var pending: [(descriptor: Int, bytes: [UInt8])] = []
  private(set) var isBroken = false

  init(system: PodSystem, process: Process, state: CommandState) {
    self.system = system
    self.process = process
    self.state = state
  }

  var name: String { state.name }
  var arguments: [String] { state.arguments }
  var now: Timestamp { system.now }
  var container: ContainerSystem { system.containers[process.container]! }
  var isBusybox: Bool { ImageCatalogue.isBusybox(container.image) }

  func out(_ bytes: [UInt8]) { if !bytes.isEmpty { pending.append((1, bytes)) } }
  func out(_ text: String) { out(Array(text.utf8)) }
  func raw(_ text: String) { pending.append((2, Array(text.utf8))) }
  /// A complaint under the command's name.
  func fail(_ text: String) { raw("\(name): \(text)\n") }

  /// A file's fault as the tools of this image word it.
  func fail(_ file: String, _ fault: FileFault, to what: String = "open") {
    if isBusybox, what == "open" {
      fail("can't open '\(file)': \(fault.rawValue)")
    } else if isBusybox, what == "stat" {
      fail("\(file): \(fault.rawValue)")
    } else if what == "open" {
      fail("\(file): \(fault.rawValue)")
    } else {
      fail("cannot \(what) '\(file)': \(fault.rawValue)")
    }
  }

  func path(_ text: String) -> String { FilePath.normal(text, from: process.directory) }

  func read(_ file: String) throws(FileFault) -> [UInt8] {
    let path = path(file)
    switch path {
    case "/dev/stdin", "/proc/self/fd/0": return []
    case "/dev/zero": return [UInt8](repeating: 0, count: 4096)
    case "/dev/random", "/dev/urandom": return (0..<4096).map { _ in UInt8(truncatingIfNeeded: system.random()) }
    default: return try system.read(path, process)
    }
  }

  func input(limit: Int = 1 << 16, upTo: UInt8? = nil) -> PodSystem.Input {
    guard let handle = process.files[0] else { return .end }
    return system.read(handle, limit: limit, upTo: upTo)
  }

  var inputWait: Wait { process.files[0].map { .input(handle: $0) } ?? .nothing }

  /// All of the input; nil while more may come.
  func wholeInput() -> [UInt8]? {
    while true {
      switch input() {
      case .bytes(let bytes):
        state.data.bytes += bytes
        if state.data.bytes.count > PodSystem.inputLimit { return state.data.bytes }
      case .end: return state.data.bytes
      case .wait: return nil
      }
    }
  }

  /// The contents of files, or of the input where there are none; nil while more may come.
  func sources(_ files: [String]) throws(FileFault) -> (parts: [(name: String, bytes: [UInt8])], failed: Bool)? {
    let files = files.isEmpty ? ["-"] : files
    var standard: [UInt8] = []
    if files.contains("-") {
      guard let bytes = wholeInput() else { return nil }
      standard = bytes
    }
    var parts: [(name: String, bytes: [UInt8])] = []
    var failed = false
    for file in files {
      if file == "-" {
        parts.append(("-", standard))
        continue
      }
      do throws(FileFault) { parts.append((file, try read(file))) } catch {
        if error == .pending { throw error }
        fail(file, error)
        failed = true
      }
    }
    return (parts, failed)
  }

  /// Lets what was written leave; a pipe that is full is told.
  func flush() -> Int? {
    var full: Int?
    for (descriptor, bytes) in pending {
      guard let handle = process.files[descriptor] else { continue }
      cost += bytes.count / 4096
      switch system.write(handle, bytes, by: process) {
      case .done: break
      case .full(let pipe): full = pipe
      case .broken: if descriptor == 1 { isBroken = true }
      }
    }
    pending = []
    return full
  }
}

/// Commands by their names.
enum CommandTable {
  typealias Command = @Sendable (Call) throws(FileFault) -> CommandOutcome

  static func run(_ call: Call) throws(FileFault) -> CommandOutcome {
    guard let command = commands[call.name] else {
      call.raw("\(call.name): ekswhy does not simulate this program\n")
      return .exit(126)
    }
    return try command(call)
  }

  static func knows(_ name: String) -> Bool { commands[name] != nil }

  private static let commands: [String: Command] = [
    "aws": AWSCommand.run,
    "true": { _ in .exit(0) }, "false": { _ in .exit(1) }, ":": { _ in .exit(0) },
    "echo": { call in
      call.out(TextCommands.echo(call.arguments, interprets: false))
      return .exit(0)
    },
    "printf": { call in
      let (bytes, fault) = TextCommands.printf(call.arguments)
      call.out(bytes)
      if let fault { call.fail(fault) }
      return .exit(fault == nil ? 0 : 1)
    },
    "cat": StreamCommands.cat, "tee": StreamCommands.tee, "head": StreamCommands.head, "tail": StreamCommands.tail,
    "grep": StreamCommands.grep, "egrep": StreamCommands.grep, "fgrep": StreamCommands.grep, "yes": StreamCommands.yes,
    "sed": Sed.command, "dd": StreamCommands.dd,
    "wc": TextCommands.wc, "sort": TextCommands.sort, "uniq": TextCommands.uniq, "cut": TextCommands.cut,
    "tr": TextCommands.tr, "rev": TextCommands.rev, "tac": TextCommands.tac, "nl": TextCommands.nl,
    "seq": TextCommands.seq, "base64": TextCommands.base64, "od": TextCommands.od,
    "ls": FileCommands.ls, "mkdir": FileCommands.mkdir, "rm": FileCommands.rm, "rmdir": FileCommands.rmdir,
    "touch": FileCommands.touch, "cp": FileCommands.cp, "mv": FileCommands.mv, "ln": FileCommands.ln,
    "find": FileCommands.find, "stat": FileCommands.stat, "chmod": FileCommands.chmod, "chown": FileCommands.chown,
    "readlink": FileCommands.readlink, "realpath": FileCommands.readlink, "basename": FileCommands.basename,
    "dirname": FileCommands.dirname, "which": FileCommands.which, "du": FileCommands.du, "df": FileCommands.df,
    "mount": FileCommands.mount, "tar": Tar.command, "mktemp": FileCommands.mktemp, "truncate": FileCommands.truncate,
    "sync": { _ in .exit(0) }, "test": FileCommands.test, "[": FileCommands.test,
    "ps": SystemCommands.ps,
    "kill": { call in
      let (text, faults) = SystemCommands.kill(call.arguments, call.system, call.process)
      call.out(text)
      for fault in faults { call.fail(fault) }
      return .exit(faults.isEmpty ? 0 : 1)
    },
    "killall": SystemCommands.killall, "pkill": SystemCommands.killall, "pgrep": SystemCommands.pgrep,
    "pidof": SystemCommands.pgrep, "sleep": SystemCommands.sleep, "usleep": SystemCommands.sleep,
    "date": SystemCommands.date, "hostname": SystemCommands.hostname, "id": SystemCommands.id,
    "whoami": SystemCommands.whoami, "groups": SystemCommands.groups,
    "pwd": { call in
      call.out(call.process.directory + "\n")
      return .exit(0)
    },
    "env": SystemCommands.env, "printenv": SystemCommands.printenv, "uname": SystemCommands.uname,
    "uptime": SystemCommands.uptime,
    "nproc": { call in
      call.out("2\n")
      return .exit(0)
    },
    "arch": { call in
      call.out("x86_64\n")
      return .exit(0)
    },
    "free": SystemCommands.free, "tty": SystemCommands.tty, "timeout": SystemCommands.timeout,
    "nohup": SystemCommands.nohup, "nice": SystemCommands.nohup, "setsid": SystemCommands.nohup,
    "exec": SystemCommands.nohup, "tini": SystemCommands.nohup, "dumb-init": SystemCommands.nohup,
    "xargs": SystemCommands.xargs, "clear": { _ in .exit(0) }, "pause": { _ in .waits(.signal) },
    "busybox": SystemCommands.busybox, "stty": SystemCommands.stty, "sh": { _ in .exit(0) },
    "nslookup": NameCommands.nslookup, "dig": BindCommands.dig, "host": BindCommands.host,
    "getent": NameCommands.getent, "wget": WebCommands.wget, "curl": WebCommands.curl,
    "ping": HostCommands.ping, "nc": WebCommands.nc, "telnet": NetworkCommands.run,
    "traceroute": NetworkCommands.run, "ifconfig": NetworkCommands.run,
    "ip": HostCommands.run, "ss": HostCommands.run, "netstat": HostCommands.run, "sysctl": HostCommands.run,
    "iptables-save": HostCommands.run, "iptables": HostCommands.run, "conntrack": HostCommands.run,
    "ethtool": HostCommands.run,
    "journalctl": HostCommands.run, "chroot": HostCommands.chroot,
    "tcpdump": CaptureCommands.tcpdump, "iperf3": CaptureCommands.iperf3,
  ]

  /// Options in single letters and the other words. Letters of `valued` take the next word or the rest of theirs.
  static func options(
    _ arguments: [String], valued: String = ""
  ) -> (flags: Set<Character>, values: [(letter: Character, value: String)], rest: [String]) {
    var flags: Set<Character> = []
    var values: [(letter: Character, value: String)] = []
    var rest: [String] = []
    var words = arguments[...]
    while let word = words.popFirst() {
      if word == "--" {
        rest += words
        break
      }
      guard word.hasPrefix("-"), word.count > 1, !word.hasPrefix("--") else {
        if word.hasPrefix("--") { values.append(("-", String(word.dropFirst(2)))) } else { rest.append(word) }
        continue
      }
      let letters = Array(word.dropFirst())
      for (index, letter) in letters.enumerated() {
        if valued.contains(letter) {
          let inside = String(letters[(index + 1)...])
          values.append((letter, inside.isEmpty ? words.popFirst() ?? "" : inside))
          break
        }
        flags.insert(letter)
      }
    }
    return (flags, values, rest)
  }
}
