/// Lines of logs and the step of joining that they show failing; what a node says of itself.
package enum JoinSymptoms {
  package struct Symptom: Sendable {
    /// Stands in the line.
    package var text: String
    package var step: JoinSequence.Step
  }

  /// In order: the first that stands in a line is it.
  package static let all: [Symptom] = [
    .init(text: "could not find NodeConfig within UserData", step: .bootstrap),
    .init(text: "is missing in cluster configuration", step: .bootstrap),
    .init(text: "Exhausted retries while describing cluster!", step: .bootstrap),
    .init(text: "request send failed, Post", step: .services),
    .init(text: "Connect timeout on endpoint URL:", step: .services),
    .init(text: "unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels", step: .kubelet),
    .init(text: "unknown flag:", step: .kubelet),
    .init(text: "running with swap on is not supported", step: .kubelet),
    .init(text: "getting credentials: exec:", step: .credentials),
    .init(text: "executable file not found in $PATH", step: .credentials),
    .init(text: "no EC2 IMDS role found", step: .credentials),
    .init(text: "no such host", step: .resolve),
    .init(text: "i/o timeout", step: .connect),
    .init(text: "TLS handshake timeout", step: .connect),
    .init(text: "x509: certificate signed by unknown authority", step: .certificate),
    .init(text: "X-Amz-Date parameter is expired (15 minute expiration)", step: .clock),
    .init(text: "Signature expired:", step: .clock),
    .init(text: "SignatureDoesNotMatch", step: .cluster),
    .init(text: "error during GET", step: .sts),
    .init(text: "identity is not mapped", step: .mapping),
    .init(text: "ARN is not mapped:", step: .mapping),
    .init(text: "SessionName did not contain an instance id", step: .mapping),
    .init(text: "is not allowed to modify node", step: .identity),
    .init(text: "no relationship found between node", step: .identity),
    .init(text: "cni plugin not initialized", step: .network),
    .init(text: "cni config uninitialized", step: .network),
  ]

  /// `Unauthorized` alone leaves open why: a verifier's log tells.
  package static let unauthorized = "Unauthorized"

  package static func step(of line: some StringProtocol) -> JoinSequence.Step? {
    all.first { line.contains($0.text) }?.step
  }

  /// A kubelet that says this has gone every step up to there.
  package static func isRegistration(_ line: some StringProtocol) -> Bool {
    line.contains("Successfully registered node") || line.contains("Node was previously registered")
  }

  // MARK: What the kubelet logs

  package static func registering(_ node: String) -> String { "\"Attempting to register node\" node=\"\(node)\"" }
  package static func registered(_ node: String) -> String { "\"Successfully registered node\" node=\"\(node)\"" }
  package static func wasRegistered(_ node: String) -> String { "\"Node was previously registered\" node=\"\(node)\"" }
  package static func unableToRegister(_ node: String, _ error: String) -> String {
    "\"Unable to register node with API server\" err=\(quoted(error)) node=\"\(node)\""
  }
  package static func noLease(_ error: String) -> String {
    "\"Failed to ensure lease exists, will retry\" err=\(quoted(error)) interval=\"7s\""
  }
  package static func notFound(_ node: String) -> String {
    "\"Error getting node\" err=\"node \\\"\(node)\\\" not found\""
  }
  package static let networkNotReady =
    "\"Container runtime network not ready\" networkReady=\"NetworkReady=false reason:NetworkPluginNotReady "
    + "message:Network plugin returns error: cni plugin not initialized\""

  private static func quoted(_ text: String) -> String {
    "\"\(text.replacing("\"", with: "\\\""))\""
  }
}
