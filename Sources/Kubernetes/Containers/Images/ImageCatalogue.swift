import CGenerated
package import Wire

/// Container images that are known by name: what is in them and how what they run behaves.
package enum ImageCatalogue {
  /// What an image is built on.
  struct System: Sendable {
    var shell: ShellFlavour?
    var isBusybox: Bool
    var files: FileTree
  }

  /// The time of everything in an image.
  static let madeAt = Timestamp(seconds: 1_740_000_000)

  private static func lines(_ data: ekswhy_data) -> [JSON] {
    let bytes = Array(UnsafeBufferPointer(start: data.bytes, count: data.count))
    return bytes.split(separator: 0x0a).map { line in
      do { return try JSON.parse(Array(line)) } catch { preconditionFailure("embedded data is no JSON: \(error)") }
    }
  }

  private static let systems: [String: System] = {
    var systems: [String: System] = [:]
    for row in lines(ekswhy_container_systems()) {
      var tree = FileTree()
      for path in row["directories"].strings { tree.put(path, FileNode(.directory, at: madeAt)) }
      for path in ["/tmp", "/var/tmp"] where tree.nodes[path] != nil || row["system"].string != "scratch" {
        tree.put(path, FileNode(.directory, mode: 0o1777, at: madeAt))
      }
      for path in row["programs"].strings { tree.put(path, FileNode(.program, at: madeAt)) }
      for file in row["files"].fields {
        tree.put(file.key, FileNode(.bytes(Array((file.value.string ?? "").utf8)), at: madeAt))
      }
      for link in row["links"].fields { tree.put(link.key, FileNode(.link(link.value.string ?? ""), at: madeAt)) }
      systems[row["system"].string ?? ""] = System(
        shell: row["shell"].string.flatMap(ShellFlavour.init(rawValue:)), isBusybox: row["busybox"].bool ?? false,
        files: tree)
    }
    return systems
  }()

  private static let images: [String: ImageEntry] = {
    var images: [String: ImageEntry] = [:]
    for row in lines(ekswhy_container_images()) { images[row["image"].string ?? ""] = ImageEntry(row) }
    return images
  }()

  /// What is known of an image, by the last part of its name.
  package static func entry(_ image: String) -> ImageEntry? { images[ImageReference.base(image)] }

  /// Images of which nothing is known are taken for ones with a shell.
  static func systemName(of image: String) -> String { entry(image)?.system ?? "alpine" }
  private static func system(of image: String) -> System { systems[systemName(of: image)]! }

  /// Programs of a node of Amazon Linux.
  package static let hostPrograms: [String] =
    (systems["amazonlinux"]?.files.nodes.filter { $0.value.content == .program }.map(\.key) ?? []).sorted() + [
      "/usr/sbin/conntrack", "/usr/sbin/ethtool", "/usr/sbin/ip", "/usr/sbin/iptables", "/usr/sbin/iptables-save",
      "/usr/sbin/ss",
      "/usr/sbin/sysctl", "/usr/sbin/tcpdump", "/usr/bin/journalctl", "/usr/bin/ping", "/usr/bin/netstat",
    ]

  static func isBusybox(_ image: String) -> Bool { system(of: image).isBusybox }
  static func shell(of image: String) -> ShellFlavour? { system(of: image).shell }

  static func files(of image: String) -> FileTree {
    var tree = system(of: image).files
    guard let entry = entry(image) else { return tree }
    for path in entry.programs { tree.put(path, FileNode(.program, at: madeAt)) }
    for file in entry.files { tree.put(file.key, FileNode(.bytes(Array(file.value.utf8)), at: madeAt)) }
    if entry.directory != "/", tree.nodes[entry.directory] == nil {
      tree.put(entry.directory, FileNode(.directory, at: madeAt))
    }
    return tree
  }

  // MARK: - What a program does

  /// Whether a program of an image only stands there and serves.
  static func isServer(_ program: String, image: String) -> Bool {
    guard let entry = entry(image) else { return false }
    let name = FilePath.name(program)
    return entry.servers.contains(name) || entry.interpreters.contains(name)
  }

  static func ports(of program: String, _ arguments: [String], _ image: String) -> [Int] {
    guard let entry = entry(image), isServer(program, image: image) else { return [] }
    return entry.behaviour(arguments).serves.map(\.port)
  }

  static func stop(of program: String, _ image: String) -> (isHandled: Bool, code: Int) {
    guard let entry = entry(image) else { return (true, 0) }
    let stop = entry.behaviour([]).stop
    return (!stop.isIgnored, stop.code)
  }
}

/// An image that is known by name.
package struct ImageEntry: Sendable {
  package var system: String
  package var entrypoint: [String]
  package var command: [String]
  package var directory: String
  package var user: Int
  package var environment: [String: String]
  var programs: [String]
  var files: [(key: String, value: String)]
  /// Programs that only stand there and serve.
  var servers: [String]
  /// Programs that run a user's own code, of which nothing is known but that it runs.
  var interpreters: [String]
  /// The resource that it offers to its node as a device plugin.
  package var device: String?
  /// Entry points that go on as their arguments.
  var passes: [String]
  /// What it takes while nobody asks anything of it: thousandths of a CPU, and bytes.
  var idle: (cpu: Int, memory: Int)
  private let row: JSON

  /// What an image takes of which nothing is known.
  static let unknownIdle = (cpu: 1, memory: 16 << 20)

  init(_ row: JSON) {
    self.row = row
    idle = (
      row["idle"]["cpu"].quantity.map { Int($0.milliValue) } ?? Self.unknownIdle.cpu,
      row["idle"]["memory"].quantity.map { Int($0.value) } ?? Self.unknownIdle.memory
    )
    system = row["system"].string ?? "alpine"
    entrypoint = row["entrypoint"].strings
    command = row["command"].strings
    directory = row["directory"].string ?? "/"
    user = row["user"].int ?? 0
    environment = row["environment"].stringMap
    programs = row["programs"].strings
    files = row["files"].fields.map { ($0.key, $0.value.string ?? "") }
    servers = row["servers"].strings
    interpreters = row["interpreters"].strings
    passes = row["passes"].strings
    device = row["device"].string
  }

  private func subcommand(_ arguments: [String]) -> JSON {
    row["subcommands"].items.first { arguments.contains($0["name"].string ?? "") } ?? .null
  }

  /// A subcommand whose doing is written down for the shell, which then takes the place of the program.
  func script(_ arguments: [String]) -> [String]? {
    guard let first = arguments.first, servers.contains(FilePath.name(first)) else { return nil }
    let subcommand = subcommand(arguments)
    guard let script = subcommand["script"].string, let name = subcommand["name"].string,
      let at = arguments.firstIndex(of: name)
    else { return nil }
    return ["/bin/sh", "-c", script, name] + arguments[(at + 1)...]
  }

  /// How the image's own program behaves with those arguments.
  package func behaviour(_ arguments: [String], _ environment: [String: String] = [:]) -> ServerBehaviour {
    var json = row
    for field in subcommand(arguments).fields where field.key != "name" { json[field.key] = field.value }
    var behaviour = ServerBehaviour(json)
    if let prefix = json["portsFrom"].string {
      for name in environment.keys.sorted() where name.hasPrefix(prefix) {
        guard let port = Int(name.dropFirst(prefix.count)) else { continue }
        let text = environment[name] ?? ""
        let shown: JSON = ["Method": "{method}", "Body": .string(text)]
        let body = arguments.contains("--json-response") ? shown.text() : text
        behaviour.serves.append(.init(port: port, routes: [.init(path: "*", status: 200, body: body)]))
        behaviour.knowsPorts = true
      }
    }
    // Ports that a flag moves.
    for (index, serve) in json["serves"].items.enumerated() {
      guard let flag = serve["flag"].string else { continue }
      for (at, argument) in arguments.enumerated() {
        var value: String?
        if argument.hasPrefix(flag + "=") { value = String(argument.dropFirst(flag.count + 1)) }
        if argument == flag, at + 1 < arguments.count { value = arguments[at + 1] }
        if let port = value.flatMap({ Int($0.split(separator: ":").last ?? "") }) {
          behaviour.serves[index].port = port
        }
      }
    }
    if interpreters.contains(FilePath.name(arguments.first ?? "")), let module = arguments.firstIndex(of: "http.server")
    {
      let port = module + 1 < arguments.count ? Int(arguments[module + 1]) ?? 8000 : 8000
      behaviour.serves = [.init(port: port, routes: [.init(path: "/", status: 200, body: "")])]
      behaviour.knowsPorts = true
    }
    return behaviour
  }

  /// What an image that was told to do nothing needs to run at all.
  package func missing(_ environment: [String: String]) -> (code: Int, log: [String])? {
    let needs = row["needs"].strings
    guard !needs.isEmpty, !needs.contains(where: { !(environment[$0] ?? "").isEmpty }) else { return nil }
    return (row["needed"]["code"].int ?? 1, row["needed"]["log"].strings)
  }
}

/// How a program behaves that serves, as the data of images and annotations have it.
package struct ServerBehaviour: Sendable, Equatable {
  package struct Route: Sendable, Equatable {
    package var path: String
    package var status: Int
    package var body: String
    /// From then on after the start another status.
    package var until: Duration?
    package var then: Int?
  }
  package struct Serve: Sendable, Equatable {
    package var port: Int
    /// Nil where it speaks something else than HTTP.
    package var routes: [Route]?
    /// Directory whose files it serves.
    package var root: String?
  }
  package struct Stop: Sendable, Equatable {
    package var isIgnored = false
    package var after: Duration = .milliseconds(40)
    package var code = 0
    package var log: [String] = []
  }

  package var start: Duration = .zero
  /// Nil where nothing is known, and whoever asks is answered.
  package var serves: [Serve] = []
  package var knowsPorts = false
  package var stop = Stop()
  package var log: [String] = []
  /// When it ends by itself, and with what code.
  package var exit: (after: Duration, code: Int)?
  package var processes: [String] = []

  package init(_ json: JSON) {
    if let time = json["start"].string { start = SystemCommands.duration(time) ?? .zero }
    knowsPorts = json.has("serves") || json.has("servers")
    serves = json["serves"].items.compactMap { item in
      guard let port = item["port"].int else { return nil }
      let routes: [Route]? =
        item.has("http")
        ? item["http"].items.map { route in
          Route(
            path: route["path"].string ?? "/", status: route["status"].int ?? 200, body: route["body"].string ?? "",
            until: route["until"].string.flatMap(SystemCommands.duration), then: route["then"].int)
        } : Optional<[Route]>.none
      return Serve(port: port, routes: routes, root: item["root"].string)
    }
    let told = json["stop"]
    stop.isIgnored = told.string == "ignore"
    stop.code = told["code"].int ?? (json.has("servers") ? 143 : 0)
    if told.isNull, json.has("servers") { stop.code = 143 }
    if let after = told["after"].string.flatMap(SystemCommands.duration) { stop.after = after }
    stop.log = told["log"].strings
    log = json["log"].strings
    if !json["exit"].isNull {
      exit = (
        json["exit"]["after"].string.flatMap(SystemCommands.duration) ?? .milliseconds(20),
        json["exit"]["code"].int ?? 0
      )
    }
    processes = json["shown"].strings
  }

  package static func == (a: Self, b: Self) -> Bool {
    a.start == b.start && a.serves == b.serves && a.stop == b.stop && a.log == b.log && a.knowsPorts == b.knowsPorts
      && a.exit?.after == b.exit?.after && a.exit?.code == b.exit?.code
  }
}
