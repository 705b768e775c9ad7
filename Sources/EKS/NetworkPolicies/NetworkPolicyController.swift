import Mechanisms
import Wire
package import World

/// The network policy controller of a cluster, which EKS runs in the control plane: PolicyEndpoints for every
/// NetworkPolicy, once the ConfigMap `kube-system/amazon-vpc-cni` asks for them.
///
/// Source: aws/amazon-network-policy-controller-k8s `internal/controllers`, `pkg/policyendpoints`.
package struct NetworkPolicyController: Component {
  package static let kind = "network-policy-controller"
  static func id(_ cluster: String) -> ComponentID { ComponentID("\(kind)/\(cluster)") }

  static let user = "eks:network-policy-controller"
  static let endpoints = "policyendpoints.networking.k8s.aws"
  static let policies = "networkpolicies.networking.k8s.io"
  static let finalizer = "networking.k8s.aws/resources"
  /// Changes of pods are gathered for as long.
  private static let podPeriod: Duration = .seconds(1)

  let cluster: String
  var isWatching = false
  var isEnabled = false
  /// Requests under way; the next look waits for their answers.
  var pending = 0

  init(cluster: String) { self.cluster = cluster }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: watch(context)
    case .wake("watch"): watch(context)
    case .wake("sync"): sync(context)
    case .changed(let reference): changed(reference, context)
    case .kube(_, let reply): answered(reply, context)
    case .wake, .message, .aws: break
    }
  }

  package mutating func resumed(after gap: Duration, _ context: Context) {
    isWatching = false
    pending = 0
    watch(context)
  }

  private var client: KubeClient {
    KubeClient(
      cluster: cluster, credential: KubeClient.user(Self.user),
      userAgent: "controller/v0.0.0 (linux/amd64) kubernetes/$Format")
  }

  private mutating func watch(_ context: Context) {
    guard !isWatching else { return }
    let more = [Self.policies, Self.endpoints, "pods", "namespaces", "services"]
    let reply = context.world.kube.host?.watch(
      cluster: cluster, resources: ["configmaps"] + (isEnabled ? more : []), credential: KubeClient.user(Self.user),
      component: context.id)
    isWatching = reply?.isSuccess == true
    if !isWatching { context.wake("watch", after: .seconds(10), .background) }
  }

  private mutating func changed(_ reference: ObjectReference, _ context: Context) {
    switch reference.resource {
    case "configmaps":
      guard reference.namespace == "kube-system", reference.name == "amazon-vpc-cni" else { return }
      let data = context.world.kube.host?.get(reference)?["data"] ?? .null
      let wanted = data["enable-network-policy-controller"].string == "true"
      guard wanted != isEnabled else { return }
      isEnabled = wanted
      context.world.kube.host?.unwatch(cluster: cluster, component: context.id)
      isWatching = false
      watch(context)
    case "pods":
      guard isEnabled, !context.isWaiting(for: "sync"), !list(Self.policies, context).isEmpty else { return }
      context.wake("sync", after: Self.podPeriod)
    case Self.policies, "namespaces", "services": if isEnabled { context.wake("sync", after: .zero) }
    default: break
    }
  }

  private mutating func answered(_ reply: KubeReply, _ context: Context) {
    pending = max(0, pending - 1)
    guard pending == 0, isEnabled else { return }
    // Once more, for what changed meanwhile and what was refused.
    if reply.isSuccess {
      context.wake("sync", after: .zero)
    } else {
      context.wake("sync", after: .seconds(5), .background)
    }
  }

  private func list(_ resource: String, _ context: Context) -> [JSON] {
    context.world.kube.host?.list(cluster: cluster, resource: resource, namespace: "") ?? []
  }

  // MARK: - Policies

  private mutating func sync(_ context: Context) {
    guard isEnabled, pending == 0 else { return }
    let policies = list(Self.policies, context)
    guard !policies.isEmpty else { return }
    var present: [String: [JSON]] = [:]
    for endpoint in list(Self.endpoints, context) where endpoint["metadata"]["deletionTimestamp"].isNull {
      let reference = endpoint["spec"]["policyRef"]
      present["\(reference["namespace"].string ?? "")/\(reference["name"].string ?? "")", default: []].append(endpoint)
    }
    let picture = PolicyEndpoints.Cluster(
      pods: list("pods", context), namespaces: list("namespaces", context), services: list("services", context))
    for policy in policies {
      let view = ObjectView(policy)
      let own = (present[view.key] ?? []).sorted { ObjectView($0).name < ObjectView($1).name }
      if policy["metadata"]["deletionTimestamp"].isNull {
        hold(view, context)
        apply(PolicyEndpoints.specs(policy, picture), to: own, of: view, context)
      } else {
        release(view, own, context)
      }
    }
  }

  private mutating func submit(_ request: KubeRequest, _ context: Context) {
    pending += 1
    context.submit(request, tag: "write")
  }

  /// A policy is not gone before its PolicyEndpoints are.
  private mutating func hold(_ policy: ObjectView, _ context: Context) {
    let present = policy.json["metadata"]["finalizers"].strings
    guard !present.contains(Self.finalizer) else { return }
    finalize(policy, present + [Self.finalizer], context)
  }

  private mutating func release(_ policy: ObjectView, _ endpoints: [JSON], _ context: Context) {
    for endpoint in endpoints { delete(endpoint, context) }
    let present = policy.json["metadata"]["finalizers"].strings
    guard endpoints.isEmpty, present.contains(Self.finalizer) else { return }
    finalize(policy, present.filter { $0 != Self.finalizer }, context)
  }

  private mutating func finalize(_ policy: ObjectView, _ finalizers: [String], _ context: Context) {
    let patch: JSON = ["metadata": ["finalizers": JSON(finalizers)]]
    submit(client.patch(Self.policies, policy.namespace, policy.name, patch, .merge), context)
  }

  private func path(_ namespace: String) -> String {
    "/apis/networking.k8s.aws/v1alpha1/namespaces/\(namespace)/policyendpoints"
  }

  private mutating func delete(_ endpoint: JSON, _ context: Context) {
    let view = ObjectView(endpoint)
    submit(client.request("DELETE", "\(path(view.namespace))/\(view.name)"), context)
  }

  private mutating func apply(_ specs: [JSON], to present: [JSON], of policy: ObjectView, _ context: Context) {
    for (index, spec) in specs.enumerated() {
      guard index < present.count else {
        submit(client.request("POST", path(policy.namespace), body: made(spec, policy)), context)
        continue
      }
      guard present[index]["spec"] != spec else { continue }
      submit(
        client.request(
          "PUT", "\(path(policy.namespace))/\(ObjectView(present[index]).name)", body: with(spec, present[index])),
        context)
    }
    for endpoint in present.dropFirst(specs.count) { delete(endpoint, context) }
  }

  private func with(_ spec: JSON, _ endpoint: JSON) -> JSON {
    var out = endpoint
    out["spec"] = spec
    return out
  }

  private func made(_ spec: JSON, _ policy: ObjectView) -> JSON {
    [
      "apiVersion": "networking.k8s.aws/v1alpha1", "kind": "PolicyEndpoint",
      "metadata": [
        "generateName": .string("\(policy.name)-"), "namespace": .string(policy.namespace),
        "ownerReferences": [
          [
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "name": .string(policy.name),
            "uid": .string(policy.uid), "controller": true, "blockOwnerDeletion": true,
          ]
        ],
      ],
      "spec": spec,
    ]
  }
}
