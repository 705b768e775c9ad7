import Containers
import Mechanisms
import Wire
import World

/// What programs in a pod ask of AWS: the services of the account, the Pod Identity agent and the metadata service
/// of the node.
extension PodRuntime {
  /// Answers what was asked in this step; false when nobody asked what can be answered at once.
  mutating func answerQuestions(_ context: Context) -> Bool {
    var questions: [(process: Int, question: Question)] = []
    system.effects.removeAll { effect in
      guard case .asks(let process, let question) = effect else { return false }
      questions.append((process, question))
      return true
    }
    var isAnswered = false
    for (process, question) in questions {
      guard let reply = reply(to: question, for: process, context) else { continue }
      system.answer(process, reply)
      isAnswered = true
    }
    return isAnswered
  }

  /// Nil where the answer comes later.
  private mutating func reply(to question: Question, for process: Int, _ context: Context) -> QuestionReply? {
    guard let pod = pod(context) else { return .unreachable }
    switch question {
    case .aws(let call): return perform(call, pod, context)
    case .instance: return nodeCredentials(pod, context)
    case .agent(let uri, let token): return askAgent(uri, token, pod, context)
    case .names(let queries, let timeout):
      return ask(queries, timeout: timeout, for: process, pod, context).map { .names($0) }
    case .connect(let connection): return connect(connection, for: process, pod, context)
    case .transfer(let wanted): return transfer(wanted, pod, context)
    case .echo(let address): return echo(address, pod, context)
    case .host(let words):
      guard let instance = instanceID(pod, context) else { return .nothing }
      let view = HostView(cluster: cluster, pod: pod, instance: instance, context: context)
      guard NodeWriter.isChange(words) else { return view.show(words) }
      guard pod.isInHostNetwork, view.isPrivileged else {
        let fault = NodeWriter.refusal(words)
        return .text("", errors: fault.text, status: fault.status)
      }
      let kernel = NodeKernelState.id(instance)
      if !context.world.exists(kernel) { context.spawn(kernel, NodeKernelState(instance: instance)) }
      context.send(
        kernel, "run",
        [
          "words": JSON(words), "cluster": .string(cluster), "node": .string(pod.nodeName),
          "process": .int(Int64(process)), "to": .string(PodRuntime.id(uid).text),
        ])
      return nil
    }
  }

  // MARK: - Services

  private func perform(_ question: Question.AWSQuestion, _ pod: ObjectView, _ context: Context) -> QuestionReply {
    let caller: AWSCall.Caller
    switch question.signer {
    case nil: caller = .anonymous
    case .session(let key)?: caller = .credential(accessKeyID: key)
    case .typed(let credentials)?:
      if let fault = context.world.ports.credentialsFault(credentials, question.service) { return .error(fault) }
      caller = .credential(accessKeyID: credentials.accessKeyID)
    }
    let host = PublicNames.host(ofService: question.service, question.region)
    let network = ClusterNetwork(cluster: cluster, world: context.world)
    if let obstacle = network.obstacle(from: pod, to: host) {
      return .disconnected(Self.connectionError(obstacle, "https://\(host)/"))
    }
    let reply = context.world.aws.perform(
      AWSCall(
        service: question.service, operation: question.operation, input: question.input, region: question.region,
        caller: caller, sourceIP: egress(pod, context), userAgent: question.userAgent))
    switch reply {
    case .ok(let output): return .output(output)
    case .error(let error): return .error(error)
    }
  }

  /// As botocore says it.
  private static func connectionError(_ obstacle: ConnectionObstacle, _ url: String) -> String {
    switch obstacle {
    case .silence: "Connect timeout on endpoint URL: \"\(url)\""
    case .noResolver, .noSuchHost: "Could not connect to the endpoint URL: \"\(url)\""
    }
  }

  /// The address from which the pod is seen to call: its node's, behind which the VPC CNI hides it.
  private func egress(_ pod: ObjectView, _ context: Context) -> String {
    guard let instance = instanceID(pod, context) else { return "" }
    let metadata = context.world.ports.instanceMetadata
    return metadata(instance, "public-ipv4") ?? metadata(instance, "local-ipv4") ?? ""
  }

  // MARK: - The node

  /// Nil for nodes that are no EC2 instances.
  func instanceID(_ pod: ObjectView, _ context: Context) -> String? {
    let reference = ObjectReference(
      cluster: cluster, resource: "nodes", namespace: "", name: pod.spec["nodeName"].string ?? "")
    let id = context.world.kube.host?.get(reference)?["spec"]["providerID"].string?.split(separator: "/").last
    return id.flatMap { $0.hasPrefix("i-") ? String($0) : nil }
  }

  private func nodeCredentials(_ pod: ObjectView, _ context: Context) -> QuestionReply {
    guard let instance = instanceID(pod, context),
      let options = context.world.ports.instanceMetadataOptions(instance)
    else { return .nothing }
    let credentials = context.world.ports.instanceCredentials(instance)
    let verdict = InstanceMetadata.decide(
      .init(
        isHostNetwork: .known(pod.spec["hostNetwork"].bool ?? false), options: .known(options),
        role: .known(credentials.map { _ in "" })))
    guard verdict.isYes, let credentials, reachesMetadata(pod, context) else { return .nothing }
    return .credentials(accessKeyID: credentials.accessKeyID)
  }

  /// Whether a packet to the metadata service comes there, and its answer back within the hops that it may take.
  private func reachesMetadata(_ pod: ObjectView, _ context: Context) -> Bool {
    let network = ClusterNetwork(cluster: cluster, world: context.world)
    let target = ClusterNetwork.Target(address: IPv4Address(bits: 0xa9fe_a9fe), port: 80)
    switch network.effect(of: target, from: .pod(pod)) {
    case .arrives(.metadata, _)?, nil: return true
    default: return false
    }
  }

  // MARK: - The Pod Identity agent

  /// The agent answers in the pod's node, with what EKS Auth gives it for the pod's token.
  private func askAgent(_ uri: String, _ token: String, _ pod: ObjectView, _ context: Context) -> QuestionReply {
    guard let url = try? GoURL(uri), PodIdentityAgent.isHost(url.host),
      let agent = PodIdentityAgent(cluster: cluster, node: pod.spec["nodeName"].string ?? "", context)
    else { return .unreachable }
    return agent.answer(token, host: url.host, instanceID: instanceID(pod, context) ?? "", address: pod.json, context)
  }
}
