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
    guard case .pod(let target, _) = reach.reach(address, 0, .tcp, &none) else { return .silence }
    // Between nodes two of them forward it, within one the one.
    let hops = target.uid == pod.uid ? 64 : target.nodeName == pod.nodeName ? 63 : 62
    return .text(String(hops), errors: "", status: 0)
  }

  /// What comes of a connection: what the container at its other end says by its data.
  mutating func connect(_ request: Question.Connection, _ pod: ObjectView, _ context: Context) -> QuestionReply {
    if let page = agentPage(request, pod, context) { return page }
    let reach = Reach(cluster: cluster, pod: pod, instance: instanceID(pod, context), context: context)
    switch reach.reach(request.address, request.port, .tcp, &affinities) {
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
    case .apiServer:
      return .page(
        status: 403, contentType: "application/json",
        body:
          "{\n  \"kind\": \"Status\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {},\n  \"status\": \"Failure\",\n  \"message\": \"forbidden: User \\\"system:anonymous\\\" cannot get path \\\"\(request.path)\\\"\",\n  \"reason\": \"Forbidden\",\n  \"details\": {},\n  \"code\": 403\n}"
      )
    case .refused: return .closed
    // The Internet of this world has names and no pages.
    case .outside, .resolver, .unroutable, .silence: return .silence
    }
  }
}
