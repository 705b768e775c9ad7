package import Wire

/// A request to the API server of a cluster.
package struct KubeRequest: Sendable {
  package enum Credential: Sendable {
    case none
    /// `Authorization: Bearer …`, whatever kind of token it is.
    case bearer(String)
    /// A client certificate that the cluster's CA signed.
    case certificate(CertificateSubject)
  }

  package enum Body: Sendable {
    case none
    /// As it came, with its content type in the headers.
    case bytes([UInt8])
    /// From inside: already a value. The content type header still says what kind of patch it is.
    case json(JSON)
  }

  /// The cluster's id in the world.
  package var cluster: String
  package var method: String
  /// Decoded path, `/api/v1/namespaces/default/pods/web`.
  package var path: String
  package var query: [(name: String, value: String)]
  package var headers: HTTPHeaders
  package var body: Body
  package var credential: Credential
  package var sourceIP: String
  /// The clock by which dates in the caller's IAM token are judged: wall time at the arrival of a request
  /// from outside; nil for the world's own clock.
  package var callerClock: Timestamp?
  /// Set by the door for requests from outside, so that reads use up no id of the world's; empty otherwise.
  package var auditID = ""

  package init(
    cluster: String, method: String, path: String, query: [(name: String, value: String)] = [],
    headers: HTTPHeaders = [:], body: Body = .none, credential: Credential, sourceIP: String = ""
  ) {
    self.cluster = cluster
    self.method = method
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
    self.credential = credential
    self.sourceIP = sourceIP
  }

  package func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// An API server's answer as a component gets it.
package struct KubeReply: Sendable, Codable {
  package var status: Int
  package var body: JSON

  package init(status: Int, body: JSON) {
    self.status = status
    self.body = body
  }

  /// How much of an answer is of use to who asked: waiting answers are saved with them.
  package enum Part: Sendable {
    case whole
    /// Of a success the status alone.
    case outcome
  }

  package var isSuccess: Bool { (200..<300).contains(status) }
  /// `reason` of a Status answer: `NotFound`, `Conflict`.
  package var reason: String { body["reason"].string ?? "" }
  package var message: String { body["message"].string ?? "" }
}

/// Where the answer of an API server goes.
package enum KubeReplyTarget {
  case component(ComponentID, tag: String, Weight, wants: KubeReply.Part)
  /// Who asked doesn't wait for an answer.
  case nobody
  case outside(any HTTPResponder)

  /// Whether anybody looks into the body of an answer of this status.
  package func isRead(_ status: Int) -> Bool {
    switch self {
    case .component(_, _, _, .outcome): !(200..<300).contains(status)
    case .nobody: false
    default: true
    }
  }
}

/// What the kinds of a cluster look like to a component that watches them: the caches of its informers.
package protocol KubeReader: AnyObject {
  func get(_ reference: ObjectReference) -> JSON?
  /// Objects of a resource (`pods`, `deployments.apps`), all namespaces with an empty one, in order of namespace and name.
  func list(cluster: String, resource: String, namespace: String) -> [JSON]
  /// Those of a namespace that the object with that uid controls, and those that nothing controls, in the same order.
  func children(cluster: String, resource: String, namespace: String, of controller: String) -> [JSON]
}

extension KubeReader {
  package func children(cluster: String, resource: String, namespace: String, of controller: String) -> [JSON] {
    list(cluster: cluster, resource: resource, namespace: namespace).filter {
      let uid = ObjectView($0).controller?["uid"].string
      return uid == nil || uid == controller
    }
  }
}

/// The API servers of all clusters. Registered by the Kubernetes storey.
package protocol KubernetesHost: KubeReader {
  func handle(_ request: KubeRequest, _ target: KubeReplyTarget)
  /// Starts watches for a component, with its own credential, on these resources. It gets ``Input/changed(_:)``
  /// for every object that is there and for every later change. Answers 401 or 403 when it may not.
  func watch(
    cluster: String, resources: [String], credential: KubeRequest.Credential, component: ComponentID
  ) -> KubeReply
  func unwatch(cluster: String, component: ComponentID)
}

/// The way to the API servers, as seen from the world's core.
package final class KubePipeline {
  private unowned let world: World
  package var host: (any KubernetesHost)?

  /// The IAM webhook of a cluster: a bearer token to a TokenReview's status; `clock` is the one by which
  /// the token's date is judged. Registered by EKS.
  package var reviewIAMToken: (_ cluster: String, _ token: String, _ clock: Timestamp) -> TokenReviewOutcome = {
    _, _, _ in .denied
  }

  init(world: World) { self.world = world }

  package func handle(_ request: KubeRequest, _ target: KubeReplyTarget) {
    guard let host else { preconditionFailure("no Kubernetes storey is registered") }
    guard case .outside = target else { return host.handle(request, target) }
    world.inputs.take(request) { host.handle(request, target) }
  }

  /// Answers a request: to a component as an event, to the outside after the next commit.
  package func answer(_ target: KubeReplyTarget, status: Int, headers: HTTPHeaders, body: JSON) {
    switch target {
    case .component(let id, let tag, let weight, _):
      let reply = KubeReply(status: status, body: target.isRead(status) ? body : .null)
      world.schedule(id, .kube(tag: tag, reply), at: world.now, weight)
    case .nobody: break
    case .outside(let responder):
      let response = HTTPResponse(status: status, headers: headers, body: body.bytes(.go) + [0x0a])
      world.answerOutside { failure in
        responder.send(
          failure.map { HTTPResponse(status: 500, headers: headers, body: Array("\($0)".utf8)) } ?? response)
      }
    }
  }
}

/// What the IAM authenticator says to a token.
package enum TokenReviewOutcome: Sendable, Codable {
  case authenticated(KubeUser)
  case denied
  /// 429: STS throttled the check.
  case throttled
}

/// A user as an API server knows one.
package struct KubeUser: Sendable, Hashable, Codable {
  package var name: String
  package var uid: String
  package var groups: [String]
  package var extra: [String: [String]]

  package init(name: String, uid: String = "", groups: [String] = [], extra: [String: [String]] = [:]) {
    self.name = name
    self.uid = uid
    self.groups = groups
    self.extra = extra
  }
}
