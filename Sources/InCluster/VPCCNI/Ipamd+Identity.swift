import Mechanisms
import Wire
import World

/// As whom ipamd calls EC2: a role of its service account where its pod has the variables for one, else the node's.
extension Ipamd {
  /// What it has of a role of its own.
  struct Session: Codable {
    var accessKeyID: String?
    var expires: Timestamp?
    /// Calls that wait for it.
    var waiting: [Waiting] = []

    struct Waiting: Codable {
      var operation: String
      var input: JSON
      var tag: String
    }
  }

  mutating func call(_ operation: String, _ input: JSON, _ tag: String, _ context: Context) {
    guard let audience = launch.audience else {
      guard let credentials = context.world.ports.instanceCredentials(launch.instanceID) else {
        let why = "no EC2 IMDS role found, operation error ec2imds: GetMetadata"
        answered(tag, .error(AWSError(code: "NoCredentialProviders", message: why)), context)
        return
      }
      submit(operation, input, tag, as: credentials.accessKeyID, context)
      return
    }
    if let id = session?.accessKeyID, let expires = session?.expires, context.now + .seconds(60) < expires {
      submit(operation, input, tag, as: id, context)
      return
    }
    var session = session ?? Session()
    session.waiting.append(.init(operation: operation, input: input, tag: tag))
    self.session = session
    guard session.waiting.count == 1 else { return }
    context.send(
      launch.kubelet, "token",
      [
        "uid": launch.pod["metadata"]["uid"], "program": .string(context.id.text), "audience": .string(audience),
      ])
  }

  private func submit(_ operation: String, _ input: JSON, _ tag: String, as key: String, _ context: Context) {
    let host = "ec2.\(launch.region).amazonaws.com"
    if let obstacle = context.world.ports.obstacle(from: launch.instanceID, to: host) {
      let dial = obstacle.dialError(host, resolver: VPCResolver.linkLocal)
      let error = AWSError(
        code: Self.noConnection,
        message:
          "https response error StatusCode: 0, RequestID: , request send failed, Post \"https://\(host)/\": \(dial)")
      // The SDK waits for ten seconds, and for each of its tries.
      context.world.schedule(
        context.id, .aws(tag: tag, .error(error)), at: context.now + .seconds(10), .background)
      return
    }
    let weight: Weight = refusals > 1 || phase == .discovering && attempts > 2 ? .background : .foreground
    context.submit(
      AWSCall(
        service: "ec2", operation: operation, input: input, region: launch.region,
        caller: .credential(accessKeyID: key), sourceIP: metadata("local-ipv4", context), userAgent: Self.userAgent),
      tag: tag, weight: weight)
  }

  private static let userAgent = "amazon-vpc-cni-k8s/v1.20.4"

  /// Turns the pod's token into a session.
  mutating func exchange(_ value: JSON, _ context: Context) {
    guard let text = value["token"].string else {
      sessionRefused(value["error"].string ?? "no token", context)
      return
    }
    context.submit(
      ProgramSession.call(
        text, audience: value["audience"].string, of: launch, sourceIP: metadata("local-ipv4", context),
        userAgent: Self.userAgent, context), tag: "session")
  }

  mutating func sessionCame(_ reply: AWSReply, _ context: Context) {
    guard let id = ProgramSession.accessKey(reply) else {
      return sessionRefused(ProgramSession.refusal(reply.error, context), context)
    }
    let waiting = session?.waiting ?? []
    session = Session(accessKeyID: id, expires: context.now + ProgramSession.lifetime)
    for call in waiting { submit(call.operation, call.input, call.tag, as: id, context) }
  }

  /// What waited for credentials fails with the reason, in the words of the AWS SDK; another role is not tried.
  private mutating func sessionRefused(_ why: String, _ context: Context) {
    let waiting = session?.waiting ?? []
    session = nil
    for call in waiting {
      let text = "get identity: get credentials: failed to refresh cached credentials, \(why)"
      answered(call.tag, .error(AWSError(code: "CredentialsFailed", message: text)), context)
    }
  }
}
