import Containers
import Mechanisms
import Wire
import World

/// Connections that programs in a pod open.
extension PodRuntime {
  /// The node's network agent listens in the node's own network, with its metrics on every address of it.
  private func agentPage(_ request: Question.Connection, _ pod: ObjectView, _ context: Context) -> QuestionReply? {
    guard let instance = instanceID(pod, context) else { return nil }
    let isOwn = request.address.hasPrefix("127.") && pod.spec["hostNetwork"].bool == true
    let isNode = request.port == 61678 && request.address == pod.status["hostIP"].string
    guard isOwn || isNode,
      let answer = context.world.nodes.askAgent(instance, request.port, request.path)
    else { return nil }
    return .page(status: 200, contentType: answer.contentType, body: answer.body)
  }

  /// An echo comes back from whoever has the address; a Service's address has nobody behind it.
  func echo(_ address: String, _ pod: ObjectView, _ context: Context) -> QuestionReply {
    let reach = Reach(cluster: cluster, pod: pod, instance: instanceID(pod, context), context: context)
    let services = context.world.kube.host?.list(cluster: cluster, resource: "services", namespace: "") ?? []
    guard !services.contains(where: { $0["spec"]["clusterIPs"].strings.contains(address) }) else { return .silence }
    var none: ClusterNetwork.Affinities?
    let found = reach.reach(address, 0, .icmp, &none)
    found.flow?.record(said: 0, answered: 0, in: context.world)
    // Between nodes two of them forward it, within one the one.
    switch found.destination {
    case .pod(let target, _):
      let hops = target.uid == pod.uid ? 64 : target.nodeName == pod.nodeName ? 63 : 62
      return .text(String(hops), errors: "", status: 0)
    // A node answers though nothing listens.
    case .refused where found.flow?.isAnswered == true: return .text("63", errors: "", status: 0)
    default: return .silence
    }
  }

  /// Bytes of a request and of an answer, with their heads as clients and servers commonly write them.
  private static let requestHead = 74
  private static let answerHead = 230

  /// What comes of a connection: what the container at its other end says by its data; nil where that comes later.
  mutating func connect(
    _ request: Question.Connection, for process: Int, _ pod: ObjectView, _ context: Context
  ) -> QuestionReply? {
    if let page = agentPage(request, pod, context) { return page }
    let reach = Reach(cluster: cluster, pod: pod, instance: instanceID(pod, context), context: context)
    let found = reach.reach(request.address, request.port, .tcp, &affinities)
    if case .apiServer = found.destination {
      found.flow?.record(said: Self.requestHead, answered: Self.answerHead, in: context.world)
      askServer(request, for: process, pod, context)
      return nil
    }
    let reply = reply(to: request, at: found.destination, context)
    var (said, answered) = (0, 0)
    if case .page(_, _, let body) = reply {
      said = Self.requestHead + request.path.utf8.count
      answered = Self.answerHead + body.utf8.count
    }
    found.flow?.record(said: said, answered: answered, in: context.world)
    return reply
  }

  /// A transfer of as many bytes as its time and the way allow.
  mutating func transfer(_ wanted: Question.Transfer, _ pod: ObjectView, _ context: Context) -> QuestionReply {
    let reach = Reach(cluster: cluster, pod: pod, instance: instanceID(pod, context), context: context)
    let found = reach.reach(wanted.address, wanted.port, .tcp, &affinities)
    switch found.destination {
    case .pod(let target, let port):
      guard let containers = storey(context)?.containers else { return .silence }
      guard containers.refusal(cluster: cluster, pod: target.json, port: port) == nil else { return .closed }
      // Within a node memory is the limit, between nodes what EC2 gives one flow.
      let rate = target.nodeName == pod.nodeName ? Self.localRate : Self.flowRate
      let bytes = wanted.bytes ?? wanted.seconds * rate
      let (said, answered) = wanted.isReversed ? (Self.requestHead, bytes) : (bytes, Self.requestHead)
      found.flow?.record(said: said, answered: answered, in: context.world)
      return .text("\(bytes) \(max(1, bytes / rate))", errors: "", status: 0)
    case .refused: return .closed
    default:
      found.flow?.record(said: 0, answered: 0, in: context.world)
      return .silence
    }
  }

  /// Bytes a second.
  private static let localRate = 35_000_000_000 / 8
  private static let flowRate = 5_000_000_000 / 8

  private func reply(to request: Question.Connection, at destination: Reach.Destination, _ context: Context)
    -> QuestionReply
  {
    switch destination {
    case .pod(let target, let port):
      guard let containers = storey(context)?.containers else { return .silence }
      let found = containers.answer(
        cluster: cluster, pod: target.json, port: port, method: request.method, path: request.path,
        posted: .null)
      switch found {
      case .success(let answer):
        return .page(
          status: answer.status, contentType: answer.contentType, body: String(decoding: answer.body, as: UTF8.self))
      case .failure(let fault):
        if fault.message.hasSuffix("connection refused") { return .closed }
        return fault.code == 501 ? .speechless(fault.message) : .silence
      }
    case .refused: return .closed
    // The Internet of this world has names and no pages.
    case .apiServer, .outside, .resolver, .unroutable, .silence: return .silence
    }
  }

  // MARK: - The API server

  /// A request to the cluster's API server, as whoever its token is of.
  private func askServer(
    _ request: Question.Connection, for process: Int, _ pod: ObjectView, _ context: Context
  ) {
    let parts = request.path.split(separator: "?", maxSplits: 1).map(String.init)
    var headers: HTTPHeaders = ["User-Agent": "curl/8.11.1", "Accept": request.header("Accept") ?? "*/*"]
    if !request.body.isEmpty { headers["Content-Type"] = request.header("Content-Type") ?? "application/json" }
    var credential = KubeRequest.Credential.none
    if let given = request.header("Authorization"), given.hasPrefix("Bearer ") {
      credential = .bearer(String(given.dropFirst("Bearer ".count)).trimmingBlanks)
    }
    context.submit(
      KubeRequest(
        cluster: cluster, method: request.method, path: parts.first ?? "/",
        query: parts.count > 1 ? PercentEncoding.pairs(parts[1]) ?? [] : [], headers: headers,
        body: request.body.isEmpty ? .none : .bytes(Array(request.body.utf8)), credential: credential,
        sourceIP: pod.status["podIP"].string ?? ""), tag: "server \(process)")
  }

  /// To curl an API server writes its objects with indentation.
  mutating func serverAnswered(_ tag: String, _ reply: KubeReply) {
    guard let process = tag.split(separator: " ").last.flatMap({ Int($0) }) else { return }
    if let text = reply.body.string {
      system.answer(process, .page(status: reply.status, contentType: "text/plain; charset=utf-8", body: text))
    } else {
      system.answer(
        process, .page(status: reply.status, contentType: "application/json", body: reply.body.text(.pretty)))
    }
  }
}
