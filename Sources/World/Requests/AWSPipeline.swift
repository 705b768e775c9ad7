package import Wire

/// A request to an AWS service.
package struct AWSCall: Sendable {
  /// How the caller is known.
  package enum Caller: Sendable {
    /// From outside: the request as it came, whose signature is still to be judged.
    case signed(HTTPRequest)
    /// From inside: holder of these credentials (an instance's role, a pod's role).
    case credential(accessKeyID: String)
    /// An AWS service acting by itself: `eks.amazonaws.com`, with the role it has assumed, if any.
    case service(String, roleARN: String? = nil, session: String? = nil)
    case anonymous
  }

  package var service: String
  package var operation: String
  package var input: JSON
  package var region: String
  package var caller: Caller
  package var sourceIP: String
  package var userAgent: String
  /// Set by the door for requests from outside, else by the pipeline.
  package var requestID: String
  /// The clock by which dates the caller wrote are judged: wall time at the arrival of a request from
  /// outside, so that real clients get on with any world time; nil for the world's own clock.
  package var callerClock: Timestamp?
  /// The resource for which an AWS service calls (`aws:SourceArn`); nil without one.
  package var sourceARN: String?
  /// From a program inside the world; from outside every request comes as it was sent.
  package var isInside: Bool { if case .signed = caller { false } else { true } }
  /// What was wrong with the input by the service's model; told only to callers whose signature held.
  package var inputError: AWSError?

  package init(
    service: String, operation: String, input: JSON = .emptyObject, region: String, caller: Caller,
    sourceIP: String = "", userAgent: String = "", requestID: String = ""
  ) {
    self.service = service
    self.operation = operation
    self.input = input
    self.region = region
    self.caller = caller
    self.sourceIP = sourceIP
    self.userAgent = userAgent
    self.requestID = requestID
  }
}

/// What a service answered.
package enum AWSReply: Sendable, Codable {
  case ok(JSON)
  case error(AWSError)

  package var output: JSON? { if case .ok(let output) = self { output } else { nil } }
  package var error: AWSError? { if case .error(let error) = self { error } else { nil } }
}

/// Who a request is from, once its signature held.
package struct AWSPrincipal: Sendable, Equatable, Codable {
  package enum Kind: String, Sendable, Codable { case root, user, assumedRole, federatedUser, service, anonymous }

  package var kind: Kind
  package var account: String
  /// `arn:aws:iam::111122223333:user/bob`, `arn:aws:sts::…:assumed-role/R/S`.
  package var arn: String
  /// `AIDA…`, `AROA…:session`, the account for root.
  package var userID: String
  package var accessKeyID: String
  /// For sessions: the ARN of the role behind them, with its path.
  package var roleARN: String?
  /// Policies passed when the session was made.
  package var sessionPolicies: [JSON] = []
  /// For services: `eks.amazonaws.com`.
  package var service: String?
  /// Tags of the session.
  package var tags: [String: String] = [:]
  /// ARN of the OpenID Connect provider by whose token the session was made.
  package var provider: String?
  /// When the session's credentials were made.
  package var issuedAt: Timestamp?

  package init(kind: Kind, account: String, arn: String, userID: String, accessKeyID: String = "") {
    self.kind = kind
    self.account = account
    self.arn = arn
    self.userID = userID
    self.accessKeyID = accessKeyID
  }
}

/// A request on its way through the pipeline.
package struct AWSRequest {
  package var call: AWSCall
  package var principal: AWSPrincipal
  /// Account in which the request acts.
  package var account: String
  package var now: Timestamp
  package unowned let world: World

  /// The clock by which dates that the caller wrote are judged.
  package var callerClock: Timestamp { call.callerClock ?? now }
  package var operation: String { call.operation }
  package var input: JSON { call.input }
  package var region: String { call.region }
}

/// One permission that an operation needs.
package struct AWSRequirement: Sendable {
  /// `ec2:CreateNetworkInterface`.
  package var action: String
  /// ARNs of the resources, `*` where the action has none.
  package var resources: [String]
  /// Condition keys of the request: `aws:RequestTag/Name`, `iam:PassedToService`.
  package var context: [String: [String]]

  package init(_ action: String, resources: [String] = ["*"], context: [String: [String]] = [:]) {
    self.action = action
    self.resources = resources
    self.context = context
  }
}

/// One AWS service of the account.
package protocol AWSService: AnyObject {
  /// Its name in the models: `ec2`, `eks`.
  var name: String { get }
  /// Permissions that the request needs. Default: the action of the same name on `*`.
  func requirements(_ request: AWSRequest) -> [AWSRequirement]
  /// Carries the request out. Input has passed the model's constraints.
  func handle(_ request: AWSRequest) throws(AWSError) -> JSON
  /// Operations that are carried out with their behaviour.
  var modelled: Set<String> { get }
  /// Operations that are stored and returned, without behaviour.
  var recorded: Set<String> { get }
}

extension AWSService {
  package func requirements(_ request: AWSRequest) -> [AWSRequirement] {
    let prefix = AWSServiceModel.named(request.call.service)?.actionPrefix ?? request.call.service
    return [AWSRequirement("\(prefix):\(request.operation)")]
  }
  package var recorded: Set<String> { [] }
}

/// The way of every AWS request: signature → IAM → throttle → handler → CloudTrail.
package final class AWSPipeline {
  private unowned let world: World
  package private(set) var services: [String: any AWSService] = [:]

  /// Signature and credentials to principal. Registered by IAM and STS.
  package var authenticate: (AWSCall) -> Result<AWSPrincipal, AWSError> = { _ in
    .failure(AWSError(code: "InternalFailure", message: "no identity service is registered", status: 500))
  }
  /// May the principal do it? Registered by IAM.
  package var authorize: (AWSRequest, [AWSRequirement]) -> AWSError? = { _, _ in nil }
  /// Does the service's rate allow it now?
  package var throttle: (AWSRequest) -> AWSError? = { _ in nil }
  /// What CloudTrail writes. Registered by CloudTrail.
  package var record: (AWSRequest, AWSReply) -> Void = { _, _ in }

  init(world: World) { self.world = world }

  package func register(_ service: any AWSService) { services[service.name] = service }

  /// A request from outside.
  package func receive(_ call: AWSCall) -> AWSReply { world.inputs.take(call) { perform(call) } }

  /// The whole pipeline. Decided at once: nothing on this way leaves the world.
  package func perform(_ call: AWSCall) -> AWSReply {
    var call = call
    if call.requestID.isEmpty { call.requestID = world.newID { $0.uuid() } }
    let principal: AWSPrincipal
    switch authenticate(call) {
    case .success(let known): principal = known
    case .failure(let error): return .error(error)
    }
    let request = AWSRequest(call: call, principal: principal, account: world.account, now: world.now, world: world)
    let reply = reply(to: request)
    record(request, reply)
    return reply
  }

  private func reply(to request: AWSRequest) -> AWSReply {
    if let wrong = request.call.inputError { return .error(wrong) }
    guard let service = services[request.call.service] else {
      return .error(.unsupported(service: request.call.service, operation: request.operation))
    }
    guard service.modelled.contains(request.operation) || service.recorded.contains(request.operation) else {
      return .error(.unsupported(service: request.call.service, operation: request.operation))
    }
    if let denied = authorize(request, service.requirements(request)) { return .error(denied) }
    if let refused = throttle(request) { return .error(refused) }
    do { return .ok(try service.handle(request)) } catch { return .error(error) }
  }
}

extension AWSError {
  /// The honest answer for what the local EKS has no behaviour for.
  package static func unsupported(service: String, operation: String) -> AWSError {
    AWSError(
      code: "NotImplemented",
      message:
        "ekswhy does not simulate \(service):\(operation). `ekswhy coverage` lists what is modelled, recorded and unsupported.",
      status: 501)
  }
}
