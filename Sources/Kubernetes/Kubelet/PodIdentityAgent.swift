import Containers
import Mechanisms
import Wire
import World

/// The EKS Pod Identity agent of one node: it takes a pod's token and asks EKS Auth for credentials with the node's
/// role (aws/eks-pod-identity-agent, `internal/validation`, `pkg/handlers`).
struct PodIdentityAgent {
  static let name = "eks-pod-identity-agent"
  /// Of EKS Auth, which has none but dual-stack hosts.
  static func host(_ region: String) -> String { PublicNames.eksAuth(region) }

  private let cluster: String
  private let clusterName: String
  private let pod: ObjectView
  private let container: String

  /// Nil where none runs on the node.
  init?(cluster: String, node: String, _ context: Context) {
    guard let host = context.world.kube.host else { return nil }
    let pods = host.list(cluster: cluster, resource: "pods", namespace: "").map { ObjectView($0) }
    let found = pods.lazy.compactMap { pod -> (ObjectView, String)? in
      guard pod.spec["nodeName"].string == node, pod.spec["hostNetwork"].bool == true,
        let container = pod.spec["containers"].items.first(where: {
          ImageReference.base($0["image"].string ?? "") == Self.name
        })?["name"].string,
        pod.json["status"]["containerStatuses"].items.contains(where: {
          $0["name"].string == container && !$0["state"]["running"].isNull
        })
      else { return nil }
      return (pod, container)
    }.first
    guard let (pod, container) = found else { return nil }
    self.cluster = cluster
    self.pod = pod
    self.container = container
    clusterName = context.world.ports.clusterStatus().first { $0["id"].string == cluster }?["name"].string ?? ""
  }

  /// Whether a host of a URL is the agent's own address.
  static func isHost(_ host: String) -> Bool { AgentRequest.hosts.contains { $0 == host || "[\($0)]" == host } }

  func answer(
    _ token: String, host: String, instanceID: String, address: JSON, _ context: Context
  ) -> QuestionReply {
    let client = "\(address["status"]["podIP"].string ?? ""):\(32_768 + context.random { $0.next() } % 28_232)"
    log("info", "handling new request request from \(client)", client, context)
    let taken = AgentRequest.decide(.init(host: .known(host), token: .known(token), now: .known(context.now)))
    if let reason = taken.reasons.last, taken.isNo {
      return refuse(AgentRequest.status(reason), reason.text, client, context)
    }
    log("info", "Calling EKS Auth to fetch credentials", client, context)
    guard let credentials = context.world.ports.instanceCredentials(instanceID) else {
      return refuse(
        500,
        "\(Self.operation), get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found",
        client, context)
    }
    if context.world.ports.obstacle(from: instanceID, to: Self.host(context.world.region)) != nil {
      // An answer that never came has no id, and the agent says no more of it than that.
      return refuse(
        500, "[]", client, context,
        logged:
          "\(Self.operation), https response error StatusCode: 0, RequestID: , canceled, context deadline exceeded"
      )
    }
    let requestID = context.random { $0.uuid() }
    let reply = context.world.aws.perform(
      AWSCall(
        service: "eks-auth", operation: "AssumeRoleForPodIdentity",
        input: ["clusterName": .string(clusterName), "token": .string(token)], region: context.world.region,
        caller: .credential(accessKeyID: credentials.accessKeyID),
        sourceIP: context.world.ports.instanceMetadata(instanceID, "local-ipv4") ?? "",
        userAgent: "eks-pod-identity-agent/v1.3.9 aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.4 md/GOOS#linux "
          + "md/GOARCH#amd64 api/eksauth#1.9.3", requestID: requestID))
    switch reply {
    case .ok(let output):
      return .credentials(accessKeyID: output["credentials"]["accessKeyId"].string ?? "")
    case .error(let error):
      return refuse(
        error.status,
        "[\(requestID)]: (\(error.code)): \(error.message), fault: \(error.status < 500 ? "client" : "server")", client,
        context,
        logged: "\(Self.operation), https response error StatusCode: \(error.status), RequestID: \(requestID), "
          + "\(Self.isTyped(error.code) ? "" : "api error ")\(error.code): \(error.message)")
    }
  }

  private static let operation =
    "error getting credentials to cache: unable to fetch credentials from EKS Auth: operation error EKS Auth: "
    + "AssumeRoleForPodIdentity"

  /// Whether the SDK has a type of its own for an error: those of the service's model.
  private static func isTyped(_ code: String) -> Bool {
    AWSServiceModel.named("eks-auth")?.operation("AssumeRoleForPodIdentity")?.error(code) != nil
  }

  /// The log has the whole error where the answer has a part of it.
  private func refuse(
    _ status: Int, _ text: String, _ client: String, _ context: Context, logged: String? = nil
  ) -> QuestionReply {
    log("error", "Error fetching credentials: \(logged ?? text)", client, context)
    return .refused(status: status, text)
  }

  private func log(_ level: String, _ text: String, _ client: String, _ context: Context) {
    let restarts =
      pod.json["status"]["containerStatuses"].items.first { $0["name"].string == container }?["restartCount"].int ?? 0
    let line: JSON = [
      "client-addr": .string(client), "cluster-name": .string(clusterName), "level": .string(level),
      "msg": .string(text), "time": .string(context.now.rfc3339),
    ]
    let stream = ContainerLogs.stream(cluster: cluster, pod: pod, container: container, attempt: restarts)
    context.world.logs.append(stream, at: context.now, "stdout \(line.text())")
    ContainerLogs.told(context.world, cluster, pod, container)
  }
}
