import Mechanisms
import Wire
import World

/// The network policy agent, the program of the container `aws-eks-nodeagent`: loads what PolicyEndpoints say for the
/// pods of its node.
///
/// Source: aws/aws-network-policy-agent `main.go`, `controllers`, `pkg/ebpf/events`.
struct PolicyAgent: Component {
  static let kind = "policy-agent"
  static func id(_ launch: NodeHooks.Launch) -> ComponentID {
    ComponentID("\(kind)/\(launch.pod["metadata"]["uid"].string ?? "")")
  }

  private static let resource = "policyendpoints.networking.k8s.aws"

  let launch: NodeHooks.Launch
  var isWatching = false
  /// The policy of each PolicyEndpoint that is loaded, both as `namespace/name`.
  var loaded: [String: String] = [:]

  init(_ launch: NodeHooks.Launch) { self.launch = launch }

  mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: begin(context)
    case .wake("watch"): watch(context)
    case .changed(let reference): changed(reference, context)
    case .aws(let tag, let reply): logsAnswered(tag, reply, context)
    case .wake, .message, .kube: break
    }
  }

  mutating func resumed(after gap: Duration, _ context: Context) {
    guard isWatching else { return }
    isWatching = false
    watch(context)
  }

  // MARK: - Start

  private var arguments: [String] { NodePolicies.arguments(launch.pod["spec"]) }
  private var clusterName: String? {
    launch.pod["spec"]["containers"].items.first { $0["name"].string == "aws-node" }?["env"].items
      .first { $0["name"].string == "CLUSTER_NAME" }?["value"].string
  }

  private mutating func begin(_ context: Context) {
    log("info", "Starting network policy agent with log level: debug", context)
    let maps = PolicyMaps.id(launch.instanceID)
    guard NodePolicies.isEnabled(podSpec: launch.pod["spec"]) else {
      if context.world.exists(maps) { context.stop(maps) }
      log("info", "Network Policy is disabled", context)
      return tell(["ready": true], context)
    }
    if arguments.contains("--enable-cloudwatch-logs=true") {
      log("info", "Cloudwatch log support is enabled", context)
      log("info", "Setting loggroup Name \(group)", context)
      return callLogs("DescribeLogGroups", .emptyObject, context)
    }
    serve(context)
  }

  private mutating func serve(_ context: Context) {
    let maps = PolicyMaps.id(launch.instanceID)
    let agent: JSON = ["spec": settings, "status": status(context)]
    if !context.world.exists(maps) { context.spawn(maps, PolicyMaps(agent: agent)) }
    context.send(maps, "agent", agent)
    log("info", "starting manager", context)
    tell(["ready": true], context)
    watch(context)
  }

  /// What of the pod decides.
  private var settings: JSON {
    let containers = launch.pod["spec"]["containers"].items.map { container -> JSON in
      let env = container["env"].items.filter { $0["name"].string == "NETWORK_POLICY_ENFORCING_MODE" }
      return ["name": container["name"], "image": container["image"], "args": container["args"], "env": .array(env)]
    }
    return ["containers": .array(containers)]
  }

  private func status(_ context: Context) -> JSON {
    let reference = ObjectReference(
      cluster: launch.cluster, resource: "pods", namespace: launch.pod["metadata"]["namespace"].string ?? "",
      name: launch.pod["metadata"]["name"].string ?? "")
    let status = context.world.kube.host?.get(reference)?["status"] ?? launch.pod["status"]
    let address = context.world.ports.instanceMetadata(launch.instanceID, "meta-data/local-ipv4")
    return [
      "hostIP": JSON(address ?? status["hostIP"].string),
      "startTime": .string(status["startTime"].string ?? context.now.rfc3339),
    ]
  }

  private mutating func watch(_ context: Context) {
    guard !isWatching else { return }
    let reply = context.world.kube.host?.watch(
      cluster: launch.cluster, resources: [Self.resource], credential: KubeClient.controller("aws-node"),
      component: context.id)
    isWatching = reply?.isSuccess == true
    if !isWatching { context.wake("watch", after: .seconds(10), .background) }
  }

  // MARK: - CloudWatch Logs

  private var group: String { clusterName.map { "/aws/eks/\($0)/cluster" } ?? "/aws/k8s-cluster/cluster" }

  private mutating func callLogs(_ operation: String, _ input: JSON, _ context: Context) {
    guard let credentials = context.world.ports.instanceCredentials(launch.instanceID) else {
      return giveUp(
        operation, AWSError(code: "NoCredentialProviders", message: "no EC2 IMDS role found"), context)
    }
    context.submit(
      AWSCall(
        service: "logs", operation: operation, input: input, region: launch.region,
        caller: .credential(accessKeyID: credentials.accessKeyID),
        sourceIP: context.world.ports.instanceMetadata(launch.instanceID, "meta-data/local-ipv4") ?? "",
        userAgent: "aws-sdk-go-v2 aws-network-policy-agent"), tag: operation)
  }

  private mutating func logsAnswered(_ operation: String, _ reply: AWSReply, _ context: Context) {
    switch reply {
    case .error(let error) where error.code != "ResourceAlreadyExistsException": giveUp(operation, error, context)
    case .ok(let output) where operation == "DescribeLogGroups":
      let isThere = output["logGroups"].items.contains { $0["logGroupName"].string == group }
      if isThere { return serve(context) }
      callLogs("CreateLogGroup", ["logGroupName": .string(group)], context)
    default: serve(context)
    }
  }

  /// Without its log group the agent ends, and its container with it.
  private mutating func giveUp(_ operation: String, _ error: AWSError, _ context: Context) {
    let why =
      "operation error CloudWatch Logs: \(operation), https response error StatusCode: \(error.status), RequestID: \(context.random { $0.uuid() }), api error \(error.code): \(error.message)"
    log("error", "unable to validate log group presence. Please check IAM permissions \(why)", context)
    log("error", "unable to initialize Cloudwatch Logs for Policy events \(why)", context)
    tell(
      ["line": .string("unable to initialize Cloudwatch Logs for Policy events \(why)")], context)
    tell(["exit": 1], context)
  }

  // MARK: - PolicyEndpoints

  private mutating func changed(_ reference: ObjectReference, _ context: Context) {
    guard reference.resource == Self.resource else { return }
    let key = "\(reference.namespace)/\(reference.name)"
    let object = context.world.kube.host?.get(reference)
    guard let policy = object.map(Self.policy) ?? loaded[key] else { return }
    log(
      "info",
      "Received a new reconcile request for namespace: \(reference.namespace) name: \(reference.name)", context)
    let list = context.world.kube.host?.list(
      cluster: launch.cluster, resource: Self.resource, namespace: reference.namespace)
    let own = (list ?? []).filter { Self.policy($0) == policy }
    let address = context.world.ports.instanceMetadata(launch.instanceID, "meta-data/local-ipv4")
    let concerns = own.contains { endpoint in
      endpoint["spec"]["podSelectorEndpoints"].items.contains { $0["hostIP"].string == address }
    }
    let wanted = concerns ? Set(own.map { ObjectView($0).key }) : []
    let maps = PolicyMaps.id(launch.instanceID)
    for old in loaded.keys.sorted() where loaded[old] == policy && !wanted.contains(old) {
      loaded[old] = nil
      context.send(maps, "unload", ["key": .string(old)])
    }
    guard concerns, let object, wanted.contains(key) else { return }
    // Of the others only those that are new to the node.
    for endpoint in own {
      let name = ObjectView(endpoint).key
      guard name == key || loaded[name] == nil else { continue }
      loaded[name] = policy
      context.send(maps, "load", ["key": .string(name), "spec": (name == key ? object : endpoint)["spec"]])
    }
  }

  private static func policy(_ endpoint: JSON) -> String {
    let reference = endpoint["spec"]["policyRef"]
    return "\(reference["namespace"].string ?? "")/\(reference["name"].string ?? "")"
  }

  // MARK: - Telling

  private func log(_ level: String, _ message: String, _ context: Context) {
    context.world.logs.append(
      "node/\(launch.cluster)/\(launch.instanceID)/network-policy-agent", at: context.now,
      "{\"level\":\"\(level)\",\"ts\":\"\(context.now.rfc3339Milli)\",\"msg\":\(JSON.string(message).text())}")
  }

  private func tell(_ value: JSON, _ context: Context) {
    var value = value
    value["uid"] = launch.pod["metadata"]["uid"]
    value["container"] = .string(launch.container)
    value["id"] = .string(launch.containerID)
    context.send(launch.kubelet, "program", value)
  }
}
