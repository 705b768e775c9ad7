import Wire
import World

extension APIServer {
  /// `pods/log`: asks the kubelet, cuts what was asked for, and follows.
  func logs(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let pod = try existing(exchange, row)
    let name = pod.key.name
    let container = try chosenContainer(exchange, pod.json, wanted: exchange.request.parameter("container"))
    guard !(pod.json["spec"]["nodeName"].string ?? "").isEmpty else {
      throw .badRequest("pod \(name) does not have a host assigned")
    }
    guard let runtime = storey.containers else {
      throw .internalError(
        "Get \"https://\(pod.json["status"]["hostIP"].string ?? ""):10250/containerLogs\": dial tcp: connect: connection refused"
      )
    }
    let request = exchange.request
    try validateLogOptions(request, name)
    let output: ContainerOutput
    switch runtime.logs(
      cluster: id, pod: pod.json, container: container, previous: RequestInfo.flag(request.parameter("previous")))
    {
    case .success(let found): output = found
    case .failure(let status): throw status
    }
    let lines = chosen(output.lines, request)
    let sign = signer(of: pod.json)
    let withTimes = RequestInfo.flag(request.parameter("timestamps"))
    let render: (ContainerOutput.Line) -> String = { line in
      var text = line.text
      if text.contains(UnsignedToken.header) {
        text = String(decoding: UnsignedToken.signed(Array(text.utf8), sign), as: UTF8.self)
      }
      return withTimes ? "\(line.at.rfc3339Nano) \(text)\n" : "\(text)\n"
    }
    var text = lines.map(render).joined()
    if let limit = request.parameter("limitBytes").flatMap(Int.init), text.utf8.count > limit {
      text = String(decoding: text.utf8.prefix(limit), as: UTF8.self)
    }
    guard RequestInfo.flag(request.parameter("follow")), output.isRunning,
      case .outside(let responder) = exchange.target
    else { return Answer(200, .bytes(Array(text.utf8), contentType: "text/plain")) }
    var headers = headers(exchange)
    headers.add("Content-Type", "text/plain")
    let stream = DeferredStream(responder: responder, headers: headers)
    let follower = watches.follow { id in
      LogFollower(
        id: id, key: .init(namespace: pod.key.namespace, pod: name, container: container), stream: stream,
        sent: output.lines.count, render: render)
    }
    let closed = storey.onStreamClosed
    let id = follower.id
    let first = Array(text.utf8)
    world.afterCommit {
      stream.begin { closed(id) }
      if !first.isEmpty { stream.write(first) }
    }
    return Answer(200, .streaming)
  }

  private func validateLogOptions(_ request: KubeRequest, _ name: String) throws(KubeStatus) {
    var errors: [FieldError] = []
    for (parameter, least) in [("tailLines", 0), ("limitBytes", 1), ("sinceSeconds", 1)] {
      guard let text = request.parameter(parameter), let value = Int(text), value < least else { continue }
      errors.append(
        .invalid(
          FieldPath(stringLiteral: parameter), .int(Int64(value)),
          least == 0 ? "must be greater than or equal to 0" : "must be greater than 0"))
    }
    if request.parameter("sinceSeconds") != nil, request.parameter("sinceTime") != nil {
      errors.append(.forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    }
    guard errors.isEmpty else { throw .invalid(GroupName(group: "", name: "PodLogOptions"), name, errors) }
  }

  private func chosen(_ lines: [ContainerOutput.Line], _ request: KubeRequest) -> [ContainerOutput.Line] {
    var lines = lines
    var since: Timestamp?
    if let seconds = request.parameter("sinceSeconds").flatMap(Int.init) { since = now - .seconds(seconds) }
    if let text = request.parameter("sinceTime") { since = Timestamp(rfc3339: text) }
    if let since { lines = lines.filter { $0.at >= since } }
    if let tail = request.parameter("tailLines").flatMap(Int.init), tail >= 0 { lines = Array(lines.suffix(tail)) }
    return lines
  }

  func containerOutputChanged(namespace: String, pod: String, container: String) {
    let key = LogFollower.Key(namespace: namespace, pod: pod, container: container)
    let followers = watches.followers(of: key)
    guard !followers.isEmpty else { return }
    let output: ContainerOutput
    if let object = read("pods", namespace, pod),
      case .success(let found)? = storey.containers?.logs(
        cluster: id, pod: object, container: container, previous: false)
    {
      output = found
    } else {
      output = ContainerOutput(lines: [], isRunning: false)
    }
    for follower in followers {
      let fresh = output.lines.dropFirst(follower.sent).map(follower.render).joined()
      follower.sent = max(follower.sent, output.lines.count)
      let stream = follower.stream
      world.afterCommit { if !fresh.isEmpty { stream.write(Array(fresh.utf8)) } }
      if !output.isRunning {
        watches.close(follower.id)
        world.afterCommit { stream.end() }
      }
    }
  }
}

extension Timestamp {
  /// As container runtimes write it: nine digits of a second.
  var rfc3339Nano: String {
    let fraction = Int(microseconds - seconds * 1_000_000)
    return "\(rfc3339.dropLast()).\(fraction.padded(6))000Z"
  }
}
