import Containers
import Wire

/// What a container's ports answer to one who asks: by the data of its image and its pod's annotation.
struct ContainerAnswers {
  let plan: ContainerPlan
  /// What its processes listen on, where they really run.
  let ports: [Int]?
  /// `ports` of the container's spec, for names.
  let declared: [JSON]
  let address: String
  /// Since its start.
  let age: Duration

  private var behaviour: ServerBehaviour? { if case .serves(let behaviour) = plan.kind { behaviour } else { nil } }

  func number(_ port: JSON) -> Int? {
    port.int ?? declared.first { $0["name"] == port }?["containerPort"].int ?? port.string.flatMap { Int($0) }
  }

  /// Whether it listens; nil where that is not known.
  func listens(on port: Int) -> Bool? {
    guard let open = ports ?? plan.serves?.map(\.port) else { return nil }
    if let start = behaviour?.start, start > age { return false }
    return open.contains(port)
  }

  /// The answer to a GET; nil where nothing is known of what it says.
  func get(_ port: Int, _ path: String) -> (status: Int, body: String)? {
    guard let serve = plan.serves?.first(where: { $0.port == port }) else { return nil }
    let plain = String(path.prefix { $0 != "?" })
    if let root = serve.root {
      let file = plain == "/" ? root + "/index.html" : root + plain
      return plan.file(file).map { (200, $0) } ?? (404, "404 page not found\n")
    }
    guard let routes = serve.routes else { return nil }
    guard let route = routes.first(where: { $0.path == plain }) ?? routes.first(where: { $0.path == "*" }) else {
      return (404, "404 page not found\n")
    }
    if let until = route.until, let then = route.then, age >= until { return (then, route.body) }
    return (route.status, route.body)
  }

  /// Why nothing answers a GET, whatever its status would be; nil when something does.
  func failureToConnect(_ get: JSON) -> String? {
    guard let port = number(get["port"]), listens(on: port) == false else { return nil }
    let path = get["path"].string ?? ""
    let host = get["host"].string ?? address
    let url =
      "\((get["scheme"].string ?? "HTTP").lowercased())://\(host):\(port)\(path.hasPrefix("/") ? "" : "/")\(path)"
    return "Get \"\(url)\": dial tcp \(host):\(port): connect: connection refused"
  }

  /// Where a probe goes; nil for a command, and a port that isn't known.
  func target(of probe: JSON) -> (host: String, port: Int)? {
    let handler = ["httpGet", "tcpSocket", "grpc"].map { probe[$0] }.first { !$0.isNull }
    guard let handler, let port = number(handler["port"]) else { return nil }
    return (handler["host"].string ?? address, port)
  }

  private func url(of get: JSON, port: Int) -> String {
    let path = get["path"].string ?? "/"
    let scheme = (get["scheme"].string ?? "HTTP").lowercased()
    return "\(scheme)://\(get["host"].string ?? address):\(port)\(path.hasPrefix("/") ? path : "/" + path)"
  }

  /// Why a probe fails whose connection doesn't come about, in the kubelet's words.
  func failure(of probe: JSON, dial: String) -> String? {
    guard let target = target(of: probe) else { return nil }
    let isLate = dial.hasSuffix("i/o timeout")
    if !probe["httpGet"].isNull {
      let why = isLate ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)" : dial
      return "Get \"\(url(of: probe["httpGet"], port: target.port))\": \(why)"
    }
    guard !probe["grpc"].isNull else { return dial }
    let seconds = probe["timeoutSeconds"].int ?? 1
    return
      "timeout: failed to connect service \"\(target.host):\(target.port)\" within \(seconds)s: context deadline exceeded"
  }

  /// Why a probe fails, in the kubelet's words; nil when it passes.
  func failure(of probe: JSON) -> String? {
    if !probe["httpGet"].isNull {
      guard let port = number(probe["httpGet"]["port"]), let listens = listens(on: port) else { return nil }
      let path = probe["httpGet"]["path"].string ?? "/"
      let host = probe["httpGet"]["host"].string ?? address
      let url = url(of: probe["httpGet"], port: port)
      guard listens else { return "Get \"\(url)\": dial tcp \(host):\(port): connect: connection refused" }
      guard let answer = get(port, path) else { return nil }
      return (200..<400).contains(answer.status) ? nil : "HTTP probe failed with statuscode: \(answer.status)"
    }
    if !probe["tcpSocket"].isNull, let port = number(probe["tcpSocket"]["port"]), listens(on: port) == false {
      return "dial tcp \(address):\(port): connect: connection refused"
    }
    if !probe["grpc"].isNull, let port = probe["grpc"]["port"].int, listens(on: port) == false {
      return "timeout: failed to connect service \"\(address):\(port)\" within 1s: context deadline exceeded"
    }
    return nil
  }
}
