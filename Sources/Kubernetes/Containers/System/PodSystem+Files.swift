import Wire

/// Paths and files as a process sees them.
extension PodSystem {
  /// The path without links; of its last part only where `following`.
  func resolve(_ path: String, _ process: Process, following: Bool = true) throws(FileFault) -> String {
    var pending = Array(
      FilePath.normal(path, from: process.directory).split(separator: "/").map(String.init).reversed())
    let root = process.root ?? "/"
    var done = root
    var links = 0
    while let part = pending.popLast() {
      if part == ".." {
        if done != root { done = FilePath.parent(done) }
        continue
      }
      let next = FilePath.join(done, part)
      if let node = lookup(next, process), case .link(let target) = node.content, following || !pending.isEmpty {
        links += 1
        guard links < 20 else { throw .loop }
        if target.hasPrefix("/") { done = root }
        pending += target.split(separator: "/").filter { $0 != "." }.map(String.init).reversed()
      } else {
        done = next
      }
    }
    return done
  }

  /// What lies at a path without links.
  func lookup(_ path: String, _ process: Process) -> FileNode? {
    if path == "/" { return FileNode(.directory, at: now) }
    guard let container = containers[process.container] else { return nil }
    if path == "/proc" || path.hasPrefix("/proc/") { return procNode(path, process) }
    if let root = process.root, path.hasPrefix("\(root)/proc/") {
      return procNode(String(path.dropFirst(root.count)), process)
    }
    if path == "/dev" || path.hasPrefix("/dev/"), container.files.mount(of: path) == nil {
      return deviceNode(path, process)
    }
    if let (mount, inside) = container.files.mount(of: path) {
      if inside == "/" { return FileNode(.directory, mode: 0o1777, at: now) }
      if let node = volumes[mount.volume]?.nodes[inside] { return node }
      return isAboveMount(path, container.files) ? FileNode(.directory, at: now) : nil
    }
    if let node = container.files.own(path) { return node }
    return isAboveMount(path, container.files) ? FileNode(.directory, at: now) : nil
  }

  private func isAboveMount(_ path: String, _ files: ContainerFiles) -> Bool {
    files.mounts.contains { $0.path.hasPrefix(path + "/") }
  }

  func node(_ path: String, _ process: Process, following: Bool = true) throws(FileFault) -> FileNode {
    let found = try resolve(path, process, following: following)
    if let node = lookup(found, process) { return node }
    throw isBelowFile(found, process) ? .notDirectory : .notFound
  }

  private func isBelowFile(_ path: String, _ process: Process) -> Bool {
    var parent = FilePath.parent(path)
    while parent != "/" {
      if let node = lookup(parent, process) { return !node.isDirectory }
      parent = FilePath.parent(parent)
    }
    return false
  }

  /// Names in a directory, in order.
  func children(_ path: String, _ process: Process) throws(FileFault) -> [String] {
    let found = try resolve(path, process)
    guard let node = lookup(found, process) else { throw .notFound }
    guard node.isDirectory else { throw .notDirectory }
    guard allows(node, 4, process) else { throw .denied }
    guard let container = containers[process.container] else { return [] }
    var names: Set<String> = []
    if found == "/proc" || found.hasPrefix("/proc/") {
      names = procChildren(found, process)
    } else if found == "/dev", container.files.mount(of: found) == nil {
      names = Set(Self.devices).union(container.files.ownChildren("/dev"))
    } else if let (mount, inside) = container.files.mount(of: found) {
      let prefix = inside == "/" ? "/" : inside + "/"
      for key in volumes[mount.volume]?.nodes.keys.map({ $0 }) ?? [] where key.hasPrefix(prefix) {
        let rest = key.dropFirst(prefix.count)
        if !rest.isEmpty, !rest.contains("/") { names.insert(String(rest)) }
      }
    } else {
      names = container.files.ownChildren(found)
      if found == "/" { names.formUnion(["proc", "dev", "sys"]) }
    }
    let prefix = found == "/" ? "/" : found + "/"
    for mount in container.files.mounts where mount.path.hasPrefix(prefix) {
      if let first = mount.path.dropFirst(prefix.count).split(separator: "/").first { names.insert(String(first)) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  func read(_ path: String, _ process: Process) throws(FileFault) -> [UInt8] {
    let found = try resolve(path, process)
    guard let node = lookup(found, process) else { throw isBelowFile(found, process) ? .notDirectory : .notFound }
    guard allows(node, 4, process) else { throw .denied }
    switch node.content {
    case .bytes(let bytes): return bytes
    case .directory: throw .isDirectory
    case .link: throw .loop
    case .program: return [0x7f] + Array("ELF".utf8)
    case .token: throw .pending
    }
  }

  // MARK: - Changing

  /// Whether a process may read (4), write (2) or enter (1).
  func allows(_ node: FileNode, _ what: Int, _ process: Process) -> Bool {
    if process.user == 0 { return true }
    if process.user == node.owner { return node.mode >> 6 & what == what }
    if process.group == node.group || containers[process.container]?.groups?.contains(node.group) == true {
      return node.mode >> 3 & what == what
    }
    return node.mode & what == what
  }

  private func change(
    _ path: String, _ process: Process, _ apply: (inout FileTree, String) throws(FileFault) -> Void,
    own: (inout ContainerFiles, String) throws(FileFault) -> Void
  ) throws(FileFault) {
    guard var container = containers[process.container] else { throw .notFound }
    if path == "/proc" || path.hasPrefix("/proc/") || path.hasPrefix("/sys/") { throw .readOnly }
    if let (mount, inside) = container.files.mount(of: path) {
      guard !mount.isReadOnly else { throw .readOnly }
      var tree = volumes[mount.volume] ?? FileTree()
      try apply(&tree, inside)
      volumes[mount.volume] = tree
      return
    }
    guard !container.files.isReadOnly || path == container.files.messagePath else { throw .readOnly }
    try own(&container.files, path)
    containers[process.container] = container
  }

  private func checkParent(_ path: String, _ process: Process) throws(FileFault) {
    let parent = FilePath.parent(path)
    guard let node = lookup(parent, process) else { throw .notFound }
    guard node.isDirectory else { throw .notDirectory }
    guard allows(node, 2, process) else { throw .denied }
  }

  /// Without programs, which nobody here has written: they are the node's.
  private var volumeBytes: Int {
    volumes.values.reduce(0) { sum, tree in
      sum + tree.nodes.values.reduce(0) { $1.content == .program ? $0 : $0 + $1.size }
    }
  }

  /// Puts a node at a path without links.
  func put(_ path: String, _ node: FileNode, _ process: Process) throws(FileFault) {
    let before = lookup(path, process)?.size ?? 0
    if node.size > before {
      let used = (containers[process.container]?.files.writtenBytes ?? 0) + volumeBytes
      guard used + node.size - before <= Self.volumeLimit else { throw .full }
    }
    try change(path, process) { (tree: inout FileTree, inside: String) throws(FileFault) in
      tree.put(inside, node)
    } own: { (files: inout ContainerFiles, path: String) throws(FileFault) in
      files.put(path, node)
    }
  }

  func write(_ path: String, _ bytes: [UInt8], _ process: Process, appending: Bool = false) throws(FileFault) {
    let found = try resolve(path, process)
    if let old = lookup(found, process) {
      guard !old.isDirectory else { throw .isDirectory }
      if found.hasPrefix("/dev/"), Self.devices.contains(String(found.dropFirst(5))),
        containers[process.container]?.files.own(found) == nil
      {
        return
      }
      guard allows(old, 2, process) else { throw mountIsReadOnly(found, process) ? .readOnly : .denied }
      var node = old
      var content: [UInt8] = []
      if appending, case .bytes(let held) = old.content { content = held }
      content += bytes
      node.content = .bytes(content)
      node.changedAt = now
      return try put(found, node, process)
    }
    guard !mountIsReadOnly(found, process) else { throw .readOnly }
    try checkParent(found, process)
    let mask = 0o022
    try put(
      found, FileNode(.bytes(bytes), mode: 0o666 & ~mask, owner: process.user, group: process.group, at: now), process)
  }

  private func mountIsReadOnly(_ path: String, _ process: Process) -> Bool {
    guard let files = containers[process.container]?.files else { return false }
    return files.mount(of: path)?.mount.isReadOnly ?? (files.isReadOnly && path != files.messagePath)
  }

  func makeDirectory(_ path: String, _ process: Process, mode: Int = 0o755) throws(FileFault) {
    let found = try resolve(path, process)
    guard lookup(found, process) == nil else { throw .exists }
    guard !mountIsReadOnly(found, process) else { throw .readOnly }
    try checkParent(found, process)
    try put(found, FileNode(.directory, mode: mode, owner: process.user, group: process.group, at: now), process)
  }

  func link(_ path: String, to target: String, _ process: Process) throws(FileFault) {
    let found = try resolve(path, process, following: false)
    guard lookup(found, process) == nil else { throw .exists }
    guard !mountIsReadOnly(found, process) else { throw .readOnly }
    try checkParent(found, process)
    try put(found, FileNode(.link(target), owner: process.user, group: process.group, at: now), process)
  }

  func remove(_ path: String, _ process: Process) throws(FileFault) {
    let found = try resolve(path, process, following: false)
    guard let node = lookup(found, process) else { throw .notFound }
    if containers[process.container]?.files.mounts.contains(where: { $0.path == found }) == true { throw .busy }
    guard !mountIsReadOnly(found, process) else { throw .readOnly }
    try checkParent(found, process)
    if node.isDirectory, !(try children(found, process)).isEmpty { throw .notEmpty }
    try change(found, process) { (tree: inout FileTree, inside: String) throws(FileFault) in
      tree.nodes[inside] = nil
    } own: { (files: inout ContainerFiles, path: String) throws(FileFault) in
      files.remove(path)
    }
  }

  // MARK: - Devices and processes as files

  static let devices = [
    "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout",
    "tty", "urandom", "zero",
  ]

  private func deviceNode(_ path: String, _ process: Process) -> FileNode? {
    if path == "/dev" { return FileNode(.directory, at: now) }
    if path == "/dev/shm" || path == "/dev/pts" || path == "/dev/mqueue" {
      return FileNode(.directory, mode: 0o1777, at: now)
    }
    if let node = containers[process.container]?.files.own(path) { return node }
    let name = String(path.dropFirst(5))
    return Self.devices.contains(name) ? FileNode(.bytes([]), mode: 0o666, at: now) : nil
  }

  private func visible(_ process: Process) -> [Process] {
    processes.filter { (sharesProcesses || $0.container == process.container) }.sorted { $0.pid < $1.pid }
  }

  private func procNode(_ path: String, _ process: Process) -> FileNode? {
    let parts = path.split(separator: "/").dropFirst().map(String.init)
    guard let first = parts.first else { return FileNode(.directory, mode: 0o555, at: now) }
    func file(_ text: String) -> FileNode { FileNode(.bytes(Array(text.utf8)), mode: 0o444, at: now) }
    let about: Process?
    if first == "self" {
      about = process
    } else if let pid = Int(first) {
      about = visible(process).first { $0.pid == pid }
    } else {
      if first == "net" {
        guard parts.count > 1 else { return FileNode(.directory, mode: 0o555, at: now) }
        return parts.count == 2 && parts[1] == "dev" ? devices.map { file($0) } : nil
      }
      guard parts.count == 1, let text = procText(first, process) else { return nil }
      return file(text)
    }
    guard let about else { return nil }
    guard parts.count > 1 else { return FileNode(.directory, mode: 0o555, at: now) }
    guard parts.count == 2 else { return nil }
    switch parts[1] {
    case "cmdline": return file(about.arguments.map { $0 + "\0" }.joined())
    case "environ":
      return file(environment(of: about).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\0" }.joined())
    case "comm": return file(FilePath.name(about.arguments.first ?? "") + "\n")
    case "status":
      let parent = processes.first { $0.key == about.parent }?.pid ?? 0
      return file(
        "Name:\t\(FilePath.name(about.arguments.first ?? ""))\nUmask:\t0022\nState:\t\(state(of: about)) (\(state(of: about) == "R" ? "running" : "sleeping"))\nTgid:\t\(about.pid)\nPid:\t\(about.pid)\nPPid:\t\(parent)\nUid:\t\(about.user)\t\(about.user)\t\(about.user)\t\(about.user)\nGid:\t\(about.group)\t\(about.group)\t\(about.group)\t\(about.group)\nThreads:\t1\n"
      )
    case "cgroup": return file("0::/\n")
    case "mounts": return file(mountTable(process))
    case "cwd": return FileNode(.link(about.directory), at: now)
    case "exe": return FileNode(.link(find(about.arguments.first ?? "", about) ?? "/"), at: now)
    default: return nil
    }
  }

  /// The environment a process was started with; a shell's own shows what it exports.
  func environment(of process: Process) -> [String: String] {
    process.environment.isEmpty ? containers[process.container]?.environment ?? [:] : process.environment
  }

  func state(of process: Process) -> String {
    if process.exit != nil { return "Z" }
    return process.wait == .nothing ? "R" : "S"
  }

  private func procText(_ name: String, _ process: Process) -> String? {
    switch name {
    case "mounts": return mountTable(process)
    case "uptime":
      let up = Double(now.microseconds / 10_000 % 100_000_000) / 100
      return "\(up) \(up)\n"
    case "loadavg": return "0.00 0.01 0.05 1/\(processes.count + 120) \(containers[process.container]?.lastPid ?? 1)\n"
    case "version": return "Linux version \(Self.kernel) (builder@localhost) #1 SMP\n"
    case "cpuinfo":
      return (0..<2).map {
        "processor\t: \($0)\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Platinum\n\n"
      }
      .joined()
    case "meminfo":
      return "MemTotal:        7910368 kB\nMemFree:         4321000 kB\nMemAvailable:    6321000 kB\n"
    default: return nil
    }
  }

  static let kernel = "6.1.119-129.201.amzn2023.x86_64"

  func mountTable(_ process: Process) -> String {
    var lines = [
      "overlay / overlay rw,relatime 0 0", "proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0",
      "tmpfs /dev tmpfs rw,nosuid,size=65536k,mode=755 0 0", "sysfs /sys sysfs ro,nosuid,nodev,noexec,relatime 0 0",
    ]
    for mount in containers[process.container]?.files.mounts ?? [] {
      let kind = mount.isReadOnly ? "tmpfs" : "xfs"
      lines.append(
        "\(kind == "tmpfs" ? "tmpfs" : "/dev/nvme0n1p1") \(mount.path) \(kind) \(mount.isReadOnly ? "ro" : "rw"),relatime 0 0"
      )
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func procChildren(_ path: String, _ process: Process) -> Set<String> {
    if path == "/proc" {
      return Set(
        visible(process).map { String($0.pid) } + [
          "self", "mounts", "uptime", "loadavg", "version", "cpuinfo", "meminfo", "net",
        ])
    }
    if path == "/proc/net" { return ["dev"] }
    return ["cmdline", "environ", "comm", "status", "cgroup", "mounts", "cwd", "exe"]
  }
}

/// File names for a shell's patterns.
struct ProcessNames: ShellNames {
  let system: PodSystem
  let process: Process

  func matching(_ runs: [(text: String, isQuoted: Bool)]) -> [String] {
    // The pattern is cut at its slashes, run by run.
    var parts: [[(text: String, isQuoted: Bool)]] = [[]]
    for run in runs {
      for (index, piece) in run.text.split(separator: "/", omittingEmptySubsequences: false).enumerated() {
        if index > 0 { parts.append([]) }
        if !piece.isEmpty { parts[parts.count - 1].append((String(piece), run.isQuoted)) }
      }
    }
    let isAbsolute = parts.first?.isEmpty == true && parts.count > 1
    var found = [isAbsolute ? "/" : ""]
    for part in isAbsolute ? Array(parts.dropFirst()) : parts {
      guard !part.isEmpty else { continue }
      let pattern = ShellPattern(part)
      var next: [String] = []
      for base in found {
        func joined(_ name: String) -> String { base.isEmpty ? name : FilePath.join(base, name) }
        guard pattern.isActive else {
          let path = joined(part.map(\.text).joined())
          if (try? system.node(path, process, following: false)) != nil { next.append(path) }
          continue
        }
        for name in (try? system.children(base.isEmpty ? "." : base, process)) ?? []
        where (!name.hasPrefix(".") || pattern.namesHidden) && pattern.matches(name) {
          next.append(joined(name))
        }
        guard next.count < 5000 else { return next }
      }
      found = next
    }
    return found
  }
}
