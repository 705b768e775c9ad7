import Containers
import Mechanisms
import Wire
import World

/// Connections that programs in a pod open.
extension PodRuntime {
  /// What comes of a connection: what the container at its other end says by its data.
  mutating func connect(_ request: Question.Connection, _ pod: ObjectView, _ context: Context) -> QuestionReply {
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
