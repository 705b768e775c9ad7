import Wire
import World

/// The driver's calls to EC2, as the identity that its pod has.
extension EBSController {
  /// The value of a flag of its command line.
  func flag(_ name: String) -> String? {
    let containers = launch.pod["spec"]["containers"].items
    let arguments = containers.first { $0["name"].string == launch.container }?["args"].strings ?? []
    return arguments.first { $0.hasPrefix("--\(name)=") }.map { String($0.dropFirst(name.count + 3)) }
  }

  /// The access key to call with; nil while it is being asked for.
  private mutating func credential(_ key: String, _ context: Context) -> Result<String, SDKFailure>? {
    if let accessKeyID, let expires, context.now + .seconds(60) < expires { return .success(accessKeyID) }
    if let audience = launch.audience {
      ask(audience, launch.pod["metadata"]["uid"], key, context)
      return nil
    }
    guard let credentials = context.world.ports.instanceCredentials(launch.instanceID) else {
      return .failure(
        SDKFailure(
          text:
            "get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, http response error StatusCode: 404, request to EC2 IMDS failed"
        ))
    }
    return .success(credentials.accessKeyID)
  }

  /// Why there are no credentials, in the words of the AWS SDK.
  private struct SDKFailure: Error { var text: String }

  private mutating func ask(_ audience: String, _ uid: JSON, _ key: String, _ context: Context) {
    busy.remove(key)
    if waiting.isEmpty {
      context.send(
        launch.kubelet, "token",
        ["uid": uid, "program": .string(context.id.text), "audience": .string(audience)])
    }
    if !waiting.contains(key) { waiting.append(key) }
  }

  /// Turns the pod's token into a session.
  mutating func exchange(_ value: JSON, _ context: Context) {
    guard let text = value["token"].string else {
      refused(value["error"].string ?? "no token", context)
      return
    }
    context.submit(
      ProgramSession.call(
        text, audience: value["audience"].string, of: launch,
        sourceIP: launch.pod["status"]["podIP"].string ?? "", userAgent: Self.userAgent, context), tag: "session")
  }

  private static let userAgent = "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.4 app/ebs.csi.aws.com-v1.44.0"

  mutating func sessionCame(_ reply: AWSReply, _ context: Context) {
    guard let id = ProgramSession.accessKey(reply) else {
      return refused(ProgramSession.refusal(reply.error, context), context)
    }
    accessKeyID = id
    expires = context.now + ProgramSession.lifetime
    goOn(context)
  }

  /// There are no credentials: what waited for them fails with the reason.
  private mutating func refused(_ why: String, _ context: Context) {
    let keys = waiting
    waiting = []
    let failure = SDKFailure(text: "get identity: get credentials: failed to refresh cached credentials, \(why)")
    for key in keys {
      busy.insert(key)
      ec2Failed(pendingCall(key, context), key, failure.text, code: "", context)
    }
  }

  /// Calls EC2; the answer comes with the tag `call key`.
  mutating func ec2(_ call: String, _ operation: String, _ input: JSON, _ key: String, _ context: Context) {
    busy.insert(key)
    guard let credential = credential(key, context) else { return }
    switch credential {
    case .failure(let failure): ec2Failed(call, key, failure.text, code: "", context)
    case .success(let id):
      let request = context.random { $0.uuid() }
      context.submit(
        AWSCall(
          service: "ec2", operation: operation, input: input, region: launch.region,
          caller: .credential(accessKeyID: id), sourceIP: launch.pod["status"]["podIP"].string ?? "",
          userAgent: Self.userAgent, requestID: request), tag: "\(call) \(request) \(key)",
        weight: (failures[key] ?? 0) > 3 ? .background : .foreground)
    }
  }

  /// What a refused call is told as, after `operation error EC2: OPERATION, `.
  static func text(_ error: AWSError, request: String) -> String {
    "https response error StatusCode: \(error.status), RequestID: \(request), api error \(error.code): \(error.message)"
  }
}
