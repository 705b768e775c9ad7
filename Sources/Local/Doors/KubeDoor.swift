import Wire
import World

/// The TLS port of one cluster's API server.
struct KubeDoor: HTTPHandler {
  let cluster: String
  let thread: WorldThread
  let wall: @Sendable () -> Timestamp
  let outsideAddress: String
  let requestIDs: RequestIDs
  private let flows = FlowQueues()
  private let unheard = Unheard()

  init(
    cluster: String, thread: WorldThread, wall: @escaping @Sendable () -> Timestamp, outsideAddress: String,
    requestIDs: RequestIDs
  ) {
    self.cluster = cluster
    self.thread = thread
    self.wall = wall
    self.outsideAddress = outsideAddress
    self.requestIDs = requestIDs
  }

  func handle(_ request: HTTPRequest, _ responder: any HTTPResponder) {
    if let issuer = IssuerDoor(cluster: cluster, thread: thread, path: request.path) {
      return issuer.answer(request, responder)
    }
    guard let path = PercentEncoding.decode(request.path), let query = PercentEncoding.pairs(request.query ?? "") else {
      return responder.send(refuse(request, .malformed))
    }
    var credential = KubeRequest.Credential.none
    if let certificate = request.certificate {
      credential = .certificate(certificate)
    } else if let authorization = request.headers["authorization"], authorization.count > 7,
      authorization.prefix(7).lowercased() == "bearer "
    {
      credential = .bearer(String(authorization.dropFirst(7)))
    }
    var headers = request.headers
    headers["authorization"] = nil
    var asked = KubeRequest(
      cluster: cluster, method: request.method, path: path, query: query, headers: headers,
      body: request.body.isEmpty ? .none : .bytes(request.body), credential: credential, sourceIP: outsideAddress)
    asked.callerClock = wall()
    asked.auditID = requestIDs.next()
    guard flows.add(.init(request: asked, responder: responder)) else {
      return responder.send(FlowQueues.refusal)
    }
    // Each arrival lets one request be carried out: that of the client whose turn it is.
    let posted = thread.post { [flows, unheard] world in
      guard let next = flows.next() else { return }
      // Who is kept out hears nothing, as of packets that are dropped.
      guard world.ports.admitsOutside(next.request.cluster, next.request.sourceIP) else {
        return unheard.hold(next.responder)
      }
      world.kube.handle(next.request, .outside(next.responder))
    }
    if !posted {
      var response = Self.response(.unavailable("the local EKS is shutting down"))
      response.headers["Retry-After"] = "1"
      responder.send(response)
    }
  }

  func refuse(_ request: HTTPRequest?, _ refusal: HTTPRefusal) -> HTTPResponse {
    switch refusal {
    case .bodyTooLarge(let limit): Self.response(.tooLargeBody("limit is \(limit)"))
    case .malformed: Self.response(.badRequest(refusal.message))
    case .headersTooLarge:
      Self.response(KubeStatus(code: refusal.status, reason: "RequestHeaderFieldsTooLarge", message: refusal.message))
    }
  }

  private static func response(_ status: KubeStatus) -> HTTPResponse {
    HTTPResponse(
      status: status.code, headers: ["Content-Type": "application/json"], body: Array((status.json.text() + "\n").utf8))
  }
}
