import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// A node outside AWS asks for its serving certificate, by the calls of its kubelet; what keeps EKS from approving it is
/// asked and cured by the printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct HybridScenarioTests {
  private static let name = "mi-0123456789abcdef0"
  /// For `system:node:mi-0123456789abcdef0`, with that DNS name and 10.80.1.5.
  private static let request = """
    LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQk5EQ0IzQUlCQURCQ01SVXdFd1lEVlFRS0RBeHplWE4wWlcwNmJt\
    OWtaWE14S1RBbkJnTlZCQU1NSUhONQpjM1JsYlRwdWIyUmxPbTFwTFRBeE1qTTBOVFkzT0RsaFltTmtaV1l3TUZrd0V3WUhLb1pJemow\
    Q0FRWUlLb1pJCnpqMERBUWNEUWdBRWFLaTh2a2d1VDRVVUFVb0NtYWNYU3UyRmFWeG5kMnJLUU1CWEhXSlZpSkdWa1NZWTVPU3QKRmtP\
    TFVRMkQ1RlJtSWlFd0J0eGZ2R01VQmMrRGxXUWt2YUE0TURZR0NTcUdTSWIzRFFFSkRqRXBNQ2N3SlFZRApWUjBSQkI0d0hJSVViV2t0\
    TURFeU16UTFOamM0T1dGaVkyUmxaakNIQkFwUUFRVXdDZ1lJS29aSXpqMEVBd0lEClJ3QXdSQUlnWEVMcERoNVpJNWk5cHMxZ2NqMUJa\
    TTFNbVJaVjkrMmtzK0lyS0k0ZTBTMENJRXF6YXFnQkd6TFMKZGUxVzZXMjEvTzBVMjI1eDRhMmw3SEprRE1yeWc3U1AKLS0tLS1FTkQg\
    Q0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==
    """

  @Test func servingCertificates() async throws {
    let scene = try await IdentityScene(mode: "API_AND_CONFIG_MAP")
    try await scene.role("hybrid")
    try await scene.call(
      "eks", "CreateAccessEntry",
      [
        "clusterName": "demo", "principalArn": .string("arn:aws:iam::\(IdentityScene.account):role/hybrid"),
        "type": "HYBRID_LINUX",
      ])
    let client = IdentityScene.client(
      scene.environment.merging(try await scene.session("hybrid", Self.name)) { $1 })
    let token = try await client.eksToken(cluster: "demo", region: "us-east-1")
    await client.close()
    let csr: JSON = [
      "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": ["name": "csr-hybrid"],
      "spec": [
        "signerName": "kubernetes.io/kubelet-serving", "usages": ["digital signature", "server auth"],
        "request": .string(Self.request),
      ],
    ]
    let node: JSON = ["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(Self.name)], "spec": [:]]
    for object in [node, csr] {
      let made = try scene.kubectlOutcome(token: token, "create -f -", input: object.text())
      try #require(made.status == 0, "\(made.all)")
    }
    let text = "Error from server: remote error: tls: internal error"

    let unlabelled = try await scene.symptom(text)
    #expect(scene.roots(unlabelled) == ["identity/hybrid-request-not-approved"], "\(unlabelled.gaps.map(\.gap))")
    #expect(unlabelled.roots.first?.cause.statement.contains("has no label") == true)
    try scene.cure(unlabelled)

    let outside = try await scene.symptom(text)
    #expect(
      outside.roots.first?.cause.statement.contains("10.80.1.5 is in none of the cluster's remote node networks")
        == true,
      "\(outside.gaps.map(\.gap))")
    try scene.cure(outside)
    try await scene.until("an ACTIVE cluster") {
      try await scene.call("eks", "DescribeCluster", ["name": "demo"])["cluster"]["status"].string == "ACTIVE"
    }
    try scene.advance("2m")
    try await scene.until("an issued certificate") {
      try scene.kubectl("get csr csr-hybrid --no-headers").contains("Approved,Issued")
    }
    await scene.end()
  }
}
