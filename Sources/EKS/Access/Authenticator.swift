import Mechanisms
import Wire
import World

/// The IAM authenticator of a cluster: a bearer token to a Kubernetes user.
///
/// The token is taken apart and judged, the request it holds is made to STS with this cluster's id, and the
/// caller that STS names is looked up by entries and aws-auth. Every rule is in `Mechanisms/Identity`.
struct Authenticator {
  let service: EKSService
  let row: ClusterRow
  /// Origins printed by `ekswhy env`.
  let localOrigins: [String]

  func review(_ token: String, clock: Timestamp) -> TokenReviewOutcome {
    let log = ControlPlaneLog(service, row)
    let verdict = TokenVerification.decide(
      .init(
        token: .known(token), now: .known(clock), region: .known(service.world.region),
        localOrigins: .known(localOrigins)))
    guard let request = verdict.value else {
      log.denied(verdict.reasons.last?.text ?? "", arn: nil)
      return .denied
    }
    let outcome = STSOutcome.decide(
      .init(answer: .known(ask(request, clock: clock)), request: .known(request)))
    guard let caller = outcome.value else {
      let reason = outcome.reasons.last
      log.denied(reason?.text ?? "", arn: nil)
      return reason.map { STSOutcome.replyStatus($0) == 429 } == true ? .throttled : .denied
    }
    log.answered(caller, host: request.host)
    let mapping = MappingChain.decide(facts(for: caller))
    guard let identity = mapping.value else {
      log.denied(mapping.reasons.last?.text ?? "", arn: caller.canonicalARN)
      return .denied
    }
    log.granted(identity, caller, host: request.host)
    var extra: [String: [String]] = [:]
    for field in identity.extra { extra[field.key] = field.values }
    return .authenticated(
      KubeUser(name: identity.username, uid: identity.uid, groups: identity.groups, extra: extra))
  }

  /// The presigned request, made as the authenticator makes it: through STS's own door.
  private func ask(_ presigned: PresignedRequest, clock: Timestamp) -> STSOutcome.Answer {
    let http = presigned.httpRequest(clusterID: row.name)
    let route: AWSRoute
    let requestID = service.uuid()
    switch AWSProtocol.route(http) {
    case .success(let found): route = found
    case .failure(let error): return answer(AWSProtocol.encode(error, requestID: requestID))
    }
    var call = AWSCall(
      service: "sts", operation: route.operation.name,
      region: presigned.region == "global" ? "us-east-1" : presigned.region,
      caller: .signed(http), sourceIP: row.interfaceAddresses.first ?? "", userAgent: "Go-http-client/1.1",
      requestID: requestID)
    call.callerClock = clock
    switch service.world.aws.perform(call) {
    case .ok(let output): return answer(AWSProtocol.encode(output, for: route, requestID: requestID))
    case .error(let error): return answer(AWSProtocol.encode(error, for: route, requestID: requestID))
    }
  }

  private func answer(_ response: HTTPResponse) -> STSOutcome.Answer {
    STSOutcome.Answer(status: response.status, body: String(decoding: response.body, as: UTF8.self))
  }

  private func facts(for caller: STSIdentity) -> MappingChain.Facts {
    let configMap = service.world.kube.host?.get(
      ObjectReference(cluster: row.id, resource: "configmaps", namespace: "kube-system", name: "aws-auth"))
    return MappingChain.Facts(
      caller: .known(caller), mode: .known(AuthenticationMode(rawValue: row.mode) ?? .configMap),
      builtIn: .known(builtIn), entries: .known(service.accessEntries(row.name)),
      awsAuth: .known(AWSAuth(configMap: configMap, parseYAML: { try YAML.parse($0) })),
      privateDNSName: .known(privateDNSName(caller.sessionName)))
  }

  /// In CONFIG_MAP mode the creator is mapped by EKS itself.
  private var builtIn: [AWSAuth.Line] {
    guard row.mode == "CONFIG_MAP" else { return [] }
    return [
      AWSAuth.Line(
        list: "creator", index: 0, arn: CanonicalARN.strippingPath(row.creatorARN), username: "kubernetes-admin",
        groups: ["system:masters"])
    ]
  }

  /// By ec2:DescribeInstances, with EKS's own permissions.
  private func privateDNSName(_ session: String) -> String? {
    guard UsernameTemplate.isInstanceID(session) else { return nil }
    let reply = service.call("ec2", "DescribeInstances", ["InstanceIds": [.string(session)]], by: .plain)
    return reply.output.map { $0["Reservations"][0]["Instances"][0]["PrivateDnsName"].string ?? "" }
  }
}

extension EKSService {
  /// The entries of a cluster as the mapping rule takes them.
  func accessEntries(_ cluster: String) -> [AccessEntry] {
    entries.rows(prefix: "\(cluster)|").compactMap { _, row in
      AccessEntry(
        describe: row.document, policies: .array(row.policies), principalID: .known(row.principalID))
    }
  }

  /// EKS's authoriser beside RBAC: the access policies of the caller's entry.
  func accessPolicyReason(_ clusterID: String, _ user: KubeUser, _ request: AccessRequest) -> String? {
    guard let row = clusters.first(where: { $0.id == clusterID }), row.mode != "CONFIG_MAP",
      let principal = user.extra["principalId"]?.first,
      let entry = entries.rows(prefix: "\(row.name)|").first(where: { $0.row.principalID == principal })?.row
    else { return nil }
    let associations = entry.policies.compactMap(AccessPolicyAssociation.init(associated:))
    let verdict = AccessPolicy.decide(
      .init(
        request: .known(request), policies: .known(associations),
        principalARN: .known(entry.principal), principalID: .known(principal)))
    return verdict.isYes ? verdict.reasons.last?.text : nil
  }
}
