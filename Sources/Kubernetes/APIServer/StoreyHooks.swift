package import Mechanisms
package import Wire
package import World

/// What an API server asks of others: keys, EKS's own authorizer, the audit log. Registered by Local.
package struct StoreyHooks {
  /// The claims of a service-account token whose signature holds by the cluster's keys; nil for any other.
  /// Times, audience and what it is bound to are judged by the API server.
  package var verifyServiceAccountToken: (_ cluster: String, _ token: String) -> JSON? = { _, _ in nil }
  /// Signs claims as a JWT of the cluster.
  package var signServiceAccountToken: (_ cluster: String, _ claims: JSON) -> String? = { _, _ in nil }
  /// EKS's authorizer of access policies. Asked after Node and before RBAC; nil is no opinion.
  package var authorizeAccessPolicy: (_ cluster: String, KubeUser, AccessRequest) -> AccessDecision? = { _, _, _ in
    nil
  }
  /// Takes each audit event (`audit.k8s.io/v1`), made when it is wanted.
  package var audit: (_ cluster: String, () -> JSON) -> Void = { _, _ in }

  package init() {}
}

/// What an authorizer decided: the reason stands in the audit event, and in the 403 when it denied.
package struct AccessDecision: Sendable, Equatable {
  package var isAllowed: Bool
  package var reason: String

  package init(isAllowed: Bool, reason: String = "") {
    self.isAllowed = isAllowed
    self.reason = reason
  }

  package static func allowed(_ reason: String) -> AccessDecision { AccessDecision(isAllowed: true, reason: reason) }
  package static let denied = AccessDecision(isAllowed: false)
}

/// What runs containers, as the API server reaches it: the kubelets.
package protocol ContainerRuntime: AnyObject {
  /// The output of a container so far, oldest first; or why there is none, in the kubelet's words.
  func logs(cluster: String, pod: JSON, container: String, previous: Bool) -> Result<ContainerOutput, KubeStatus>
  /// Begins a session in a container; why that can't be, in the words of the one who is asked. What it carries goes
  /// to the storey's sessions.
  func connect(cluster: String, pod: JSON, _ request: ContainerSessionRequest) -> String?
  /// What listens on a pod's port answers; or why nobody does, in the API server's words.
  func answer(
    cluster: String, pod: JSON, port: Int, method: String, path: String, posted: JSON
  ) -> Result<ContainerAnswer, KubeStatus>
  /// Why the kubelet of a pod can't be reached; nil when it can.
  func unreached(cluster: String, pod: JSON) -> String?
  /// Why nobody takes a connection that is forwarded to a port of a pod, in the runtime's words; nil when somebody does.
  func refusal(cluster: String, pod: JSON, port: Int) -> String?
  /// What a pod's containers take, as read at that time; empty where there are no figures of it.
  func figures(cluster: String, pod: JSON, at time: Timestamp) -> [ContainerFigures]
  /// What a node takes; nil where its kubelet isn't reached.
  func figures(cluster: String, node: JSON, at time: Timestamp) -> (milliCPU: Int, memory: Int)?
}

/// What a container takes of its node.
package struct ContainerFigures: Sendable {
  package var name: String
  package var milliCPU: Int
  /// Bytes.
  package var memory: Int
  /// The time over which the CPU was measured.
  package var window: Duration

  package init(name: String, milliCPU: Int, memory: Int, window: Duration) {
    self.name = name
    self.milliCPU = milliCPU
    self.memory = memory
    self.window = window
  }
}

/// An answer over HTTP of what runs in a container.
package struct ContainerAnswer: Sendable {
  package var status: Int
  package var contentType: String
  package var body: [UInt8]

  package init(status: Int, contentType: String, body: [UInt8]) {
    self.status = status
    self.contentType = contentType
    self.body = body
  }
}

/// A session that a client asks for.
package struct ContainerSessionRequest: Codable, Sendable {
  package var session: UInt64
  package var container: String
  package var command: [String]
  package var isAttach: Bool
  package var hasInput: Bool
  package var isTerminal: Bool
}

/// What a container wrote. Those who follow it are told by
/// ``KubernetesStorey/containerOutputChanged(cluster:namespace:pod:container:)``.
package struct ContainerOutput: Sendable {
  package struct Line: Sendable {
    package var at: Timestamp
    package var text: String

    package init(at: Timestamp, text: String) {
      self.at = at
      self.text = text
    }
  }

  package var lines: [Line]
  /// More may come.
  package var isRunning: Bool

  package init(lines: [Line], isRunning: Bool) {
    self.lines = lines
    self.isRunning = isRunning
  }
}
