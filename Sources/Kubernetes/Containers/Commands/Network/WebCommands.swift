import Mechanisms
import Wire

/// `wget` as busybox has it, `curl`, and `nc` as far as it says whether a port is open.
enum WebCommands {
  struct Target {
    var scheme = "http"
    var host = ""
    var port = 80
    var path = "/"

    init?(_ url: String) {
      var rest = url[...]
      if let mark = rest.firstRange(of: "://") {
        scheme = rest[..<mark.lowerBound].lowercased()
        rest = rest[mark.upperBound...]
      }
      guard scheme == "http" || scheme == "https" else { return nil }
      port = scheme == "https" ? 443 : 80
      if let slash = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) {
        path = rest[slash] == "/" ? String(rest[slash...]) : "/" + rest[slash...]
        rest = rest[..<slash]
      }
      if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
      if let colon = rest.lastIndex(of: ":"), let number = Int(rest[rest.index(after: colon)...]) {
        port = number
        rest = rest[..<colon]
      }
      host = String(rest)
      if host.isEmpty { return nil }
    }
  }

  enum Progress {
    case waits
    case unknown(StubResult)
    /// The address and what came of it.
    case came(String, QuestionReply)
  }

  /// Looks the host up and connects; in `texts` stands the address once it is known.
  static func fetch(_ target: Target, method: String, headers: [String] = [], body: String = "", _ call: Call)
    -> Progress
  {
    if call.state.texts.isEmpty {
      guard case .done(let result) = Resolving.lookUp(target.host, call) else { return .waits }
      guard case .addresses(let v4, let v6, _) = result, let address = v4.first ?? v6.first else {
        return .unknown(result)
      }
      call.state.texts = [address]
      call.system.ask(
        .connect(
          .init(
            address: address, port: target.port, method: method, path: target.path, headers: headers, body: body)),
        for: call.process)
      return .waits
    }
    let address = call.state.texts[0]
    if call.state.texts.count > 1 { return .came(address, .silence) }
    guard let reply = call.system.replies.removeValue(forKey: call.process.key) else { return .waits }
    return .came(address, reply)
  }

  static func reason(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 204: "No Content"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 500: "Internal Server Error"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    default: ""
    }
  }

  /// Waits until a connection attempt is given up; true once it is.
  private static func isGivenUp(after seconds: Int, _ call: Call) -> Timestamp? {
    if call.state.texts.count > 1 { return nil }
    call.state.texts.append("given up")
    return call.now + .seconds(seconds)
  }

  /// How long the kernel tries to connect: six repeats, 127 seconds.
  private static let patience = 127

  // MARK: - wget

  static func wget(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, values, words) = CommandTable.options(call.arguments, valued: "OTPtY")
    let isQuiet = flags.contains("q")
    let longTimeout = values.last { $0.letter == "-" && $0.value.hasPrefix("timeout=") }
    let timeout = (values.last { $0.letter == "T" }?.value ?? longTimeout.map { String($0.value.dropFirst(8)) })
      .flatMap { Int($0) }
    guard let url = words.first, let target = Target(url) else {
      call.raw("wget: not an http or ftp url: \(words.first ?? "")\n")
      return .exit(1)
    }
    let isSpider = values.contains { $0.letter == "-" && $0.value == "spider" }
    switch fetch(target, method: "GET", call) {
    case .waits: return .waits(.answer)
    case .unknown:
      call.raw("wget: bad address '\(target.host)'\n")
      return .exit(1)
    case .came(let address, let reply):
      if !isQuiet, call.state.texts.count == 1 {
        call.raw("Connecting to \(target.host) (\(address):\(target.port))\n")
      }
      switch reply {
      case .page(let status, _, let body):
        guard (200..<300).contains(status) else {
          call.raw("wget: server returned error: HTTP/1.1 \(status) \(reason(status))\n")
          return .exit(1)
        }
        if isSpider {
          if !isQuiet { call.raw("remote file exists\n") }
          return .exit(0)
        }
        let last = target.path.split(separator: "/").last.map(String.init) ?? "index.html"
        return try save(values.last { $0.letter == "O" }?.value ?? last, body, isQuiet, call)
      case .closed:
        call.raw("wget: can't connect to remote host (\(address)): Connection refused\n")
        return .exit(1)
      case .speechless(let why):
        call.raw("wget: error getting response (\(why))\n")
        return .exit(1)
      default:
        if let at = isGivenUp(after: timeout ?? patience, call) { return .waits(.time(at)) }
        call.raw(
          timeout != nil
            ? "wget: download timed out\n" : "wget: can't connect to remote host (\(address)): Operation timed out\n")
        return .exit(1)
      }
    }
  }

  private static func save(_ file: String, _ body: String, _ isQuiet: Bool, _ call: Call) throws(FileFault)
    -> CommandOutcome
  {
    if file == "-" {
      call.out(body)
      return .exit(0)
    }
    if !isQuiet { call.raw("saving to '\(file)'\n") }
    try call.system.write(call.path(file), Array(body.utf8), call.process, appending: false)
    if !isQuiet {
      let size = body.utf8.count
      call.raw(
        "\(NameCommands.padded(String(file.prefix(20)), 20)) 100% |\(String(repeating: "*", count: 32))| \(NameCommands.padded(String(size), 5))  0:00:00 ETA\n'\(file)' saved\n"
      )
    }
    return .exit(0)
  }

  // MARK: - curl

  static func curl(_ call: Call) throws(FileFault) -> CommandOutcome {
    let line = CurlLine(call.arguments)
    guard let url = line.url else {
      call.raw("curl: (2) no URL specified\n")
      return .exit(2)
    }
    guard let target = Target(url) else {
      call.raw("curl: (1) Protocol \"\(url.prefix { $0 != ":" })\" not supported\n")
      return .exit(1)
    }
    func fail(_ code: Int, _ text: String) -> CommandOutcome {
      if !line.isSilent || line.showsErrors { call.raw("curl: (\(code)) \(text)\n") }
      if let format = line.format { call.out(filled(format, status: 0, size: 0)) }
      return .exit(code)
    }
    switch fetch(target, method: line.method, headers: line.headers, body: line.body, call) {
    case .waits: return .waits(.answer)
    case .unknown: return fail(6, "Could not resolve host: \(target.host)")
    case .came(let address, let reply):
      switch reply {
      case .page(let status, let type, let body):
        if target.scheme == "https", !line.isInsecure, !line.hasAuthority {
          return fail(
            60,
            "SSL certificate problem: unable to get local issuer certificate\nMore details here: https://curl.se/docs/sslcerts.html"
          )
        }
        if line.isVerbose {
          call.raw(
            "* Connected to \(target.host) (\(address)) port \(target.port)\n> \(line.method) \(target.path) HTTP/1.1\n> Host: \(target.host)\n> User-Agent: curl/8.11.1\n> Accept: */*\n>\n< HTTP/1.1 \(status) \(reason(status))\n<\n"
          )
        }
        if line.failsOnError, status >= 400 { return fail(22, "The requested URL returned error: \(status)") }
        var text = ""
        if line.showsHead {
          text +=
            "HTTP/1.1 \(status) \(reason(status))\r\ncontent-type: \(type)\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
        }
        if line.method != "HEAD" { text += body }
        if let file = line.file, file != "/dev/null" {
          try call.system.write(call.path(file), Array(text.utf8), call.process, appending: false)
        } else if line.file == nil {
          call.out(text)
        }
        if let format = line.format { call.out(filled(format, status: status, size: body.utf8.count)) }
        return .exit(0)
      case .closed:
        return fail(7, "Failed to connect to \(target.host) port \(target.port) after 1 ms: Couldn't connect to server")
      case .speechless(let why): return fail(52, "Empty reply from server (\(why))")
      default:
        let seconds = line.timeout ?? patience
        if let at = isGivenUp(after: seconds, call) { return .waits(.time(at)) }
        return fail(
          28,
          line.timeout != nil
            ? "Connection timed out after \(seconds * 1000 + 1) milliseconds"
            : "Failed to connect to \(target.host) port \(target.port) after \(seconds * 1000) ms: Couldn't connect to server"
        )
      }
    }
  }

  private static func filled(_ format: String, status: Int, size: Int) -> String {
    let code = status == 0 ? "000" : String(status)
    return format.replacing("%{http_code}", with: code).replacing("%{response_code}", with: code)
      .replacing("%{size_download}", with: String(size)).replacing("\\n", with: "\n")
  }

  // MARK: - nc

  static func nc(_ call: Call) throws(FileFault) -> CommandOutcome {
    let (flags, values, words) = CommandTable.options(call.arguments, valued: "wpsi")
    guard words.count == 2, let port = Int(words[1]), var target = Target("http://\(words[0])") else {
      call.raw("nc: bad arguments\n")
      return .exit(1)
    }
    target.port = port
    let timeout = values.last { $0.letter == "w" }.flatMap { Int($0.value) }
    switch fetch(target, method: "GET", call) {
    case .waits: return .waits(.answer)
    case .unknown:
      call.raw("nc: bad address '\(words[0])'\n")
      return .exit(1)
    case .came(let address, let reply):
      switch reply {
      case .page, .speechless:
        if flags.contains("v") { call.raw("\(words[0]) (\(address):\(port)) open\n") }
        return .exit(0)
      case .closed:
        call.raw("nc: \(words[0]) (\(address):\(port)): Connection refused\n")
        return .exit(1)
      default:
        if let at = isGivenUp(after: timeout ?? patience, call) { return .waits(.time(at)) }
        call.raw("nc: \(words[0]) (\(address):\(port)): Operation timed out\n")
        return .exit(1)
      }
    }
  }
}

/// What a command line of curl asks for.
struct CurlLine {
  var url: String?
  var method = "GET"
  var isSilent = false
  var showsErrors = false
  var showsHead = false
  var isInsecure = false
  var isVerbose = false
  var failsOnError = false
  var timeout: Int?
  var file: String?
  var format: String?
  var headers: [String] = []
  var body = ""
  /// Of a certificate that the system doesn't know; taken for the right one.
  var hasAuthority = false

  /// Options that take a word.
  private static let valued: Set<String> = [
    "-H", "--header", "-d", "--data", "--data-raw", "--data-binary", "-u", "--user", "-A", "--user-agent", "-e",
    "--cacert", "--cert", "--key", "--resolve", "--retry", "--retry-delay", "-b", "-c", "-F", "--interface",
    "--retry-max-time", "--aws-sigv4",
  ]

  init(_ arguments: [String]) {
    var words = arguments[...]
    while let word = words.popFirst() {
      switch word {
      case "-X", "--request": method = words.popFirst() ?? method
      case "-m", "--max-time", "--connect-timeout": timeout = words.popFirst().flatMap { Double($0) }.map { Int($0) }
      case "-o", "--output": file = words.popFirst()
      case "-w", "--write-out": format = words.popFirst()
      case "--silent": isSilent = true
      case "--show-error": showsErrors = true
      case "--insecure": isInsecure = true
      case "--fail": failsOnError = true
      case "--verbose": isVerbose = true
      case "--include": showsHead = true
      case "--head": (method, showsHead) = ("HEAD", true)
      case "--url": url = words.popFirst()
      case _ where Self.valued.contains(word):
        take(words.popFirst() ?? "", of: word)
        if word.hasPrefix("-d") || word.hasPrefix("--data"), method == "GET" { method = "POST" }
      case _ where word.hasPrefix("--"): continue
      case _ where word.hasPrefix("-") && word.count > 1: letters(word.dropFirst(), &words)
      default: url = word
      }
    }
  }

  private mutating func take(_ value: String, of option: String) {
    switch option {
    case "-H", "--header": headers.append(value)
    case "--cacert": hasAuthority = true
    case "-d", "--data", "--data-raw", "--data-binary": body += body.isEmpty ? value : "&\(value)"
    default: break
    }
  }

  private mutating func letters(_ letters: Substring, _ words: inout ArraySlice<String>) {
    for (index, letter) in letters.enumerated() {
      let rest = String(letters.dropFirst(index + 1))
      func value(_ words: inout ArraySlice<String>) -> String? { rest.isEmpty ? words.popFirst() : rest }
      switch letter {
      case "s": isSilent = true
      case "S": showsErrors = true
      case "k": isInsecure = true
      case "f": failsOnError = true
      case "v": isVerbose = true
      case "i": showsHead = true
      case "I": (method, showsHead) = ("HEAD", true)
      case "m":
        timeout = value(&words).flatMap { Double($0) }.map { Int($0) }
        return
      case "o":
        file = value(&words)
        return
      case "w":
        format = value(&words)
        return
      case "X":
        method = value(&words) ?? method
        return
      case "H", "d", "u", "A", "b", "c", "F":
        take(value(&words) ?? "", of: "-\(letter)")
        if letter == "d", method == "GET" { method = "POST" }
        return
      default: continue
      }
    }
  }
}
