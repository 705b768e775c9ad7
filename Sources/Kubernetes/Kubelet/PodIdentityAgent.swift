import Containers
import Mechanisms
import Wire
import World

/// The EKS Pod Identity agent of one node: it takes a pod's token and asks EKS Auth for credentials with the node's
/// role (aws/eks-pod-identity-agent, `internal/validation`, `pkg/handlers`).
struct PodIdentityAgent {
  static let hosts = ["169.254.170.23", "[fd00:ec2::23]"]
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

  func answer(_ token: String, instanceID: String, address: JSON, _ context: Context) -> QuestionReply {
    let client = "\(address["status"]["podIP"].string ?? ""):\(32_768 + context.random { $0.next() } % 28_232)"
    log("info", "handling new request request from \(client)", client, context)
    guard !token.isEmpty else { return refuse(400, "Service account token cannot be empty", client, context) }
    let reading = context.world.ports.webIdentity(token, true)
    guard let claims = reading.claims else {
      return refuse(
        400,
        "Service account token cannot be parsed: token is malformed: token contains an invalid number of segments",
        client, context)
    }
    guard context.now.seconds < claims.expires else {
      return refuse(
        400,
        "Service account token failed basic claim validations: token has invalid claims: token is expired", client,
        context)
    }
    log("info", "Calling EKS Auth to fetch credentials", client, context)
    guard let credentials = context.world.ports.instanceCredentials(instanceID) else {
      return refuse(
        500,
        "unable to fetch credentials from EKS Auth: operation error EKS Auth: AssumeRoleForPodIdentity, get identity: "
          + "get credentials: failed to refresh cached credentials, no EC2 IMDS role found", client, context)
    }
    if context.world.ports.obstacle(from: instanceID, to: Self.host(context.world.region)) != nil {
      return refuse(
        500,
        "unable to fetch credentials from EKS Auth: operation error EKS Auth: AssumeRoleForPodIdentity, https response "
          + "error StatusCode: 0, RequestID: , canceled, context canceled", client, context)
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
        error.status, "[\(requestID)]: (\(error.code)): \(error.message), fault: client", client, context)
    }
  }

  private func refuse(_ status: Int, _ text: String, _ client: String, _ context: Context) -> QuestionReply {
    log("error", "Error fetching credentials: \(text)", client, context)
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
