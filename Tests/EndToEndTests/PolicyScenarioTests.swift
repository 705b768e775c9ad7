import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// Network policies and missing ways to AWS: made by public calls, asked, cured by the printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct PolicyScenarioTests {
  private static let objects = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec: {containers: [{name: web, image: nginx, ports: [{containerPort: 80}], readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 2, timeoutSeconds: 1}}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec: {clusterIP: 10.100.7.7, selector: {app: web}, ports: [{port: 80}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: client, labels: {app: client}}
    spec: {containers: [{name: box, image: "busybox:1.36", command: [sleep, infinity]}]}
    ---
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: closed}
    spec: {podSelector: {matchLabels: {app: web}}}

    """

  @Test func policiesAreEnforcedToldAndCured() async throws {
    let scene = try await IdentityScene(nodes: 1)
    try scene.kubectl("apply -f -", input: Self.objects)
    try scene.kubectl("wait --for=condition=Ready pod --all --timeout=60s")
    func fetch() throws -> Outcome {
      try scene.eks.kubectlOutcome(
        "exec client -- wget -T 2 -qO- http://10.100.7.7", environment: scene.environment)
    }
    // Nobody enforces them yet.
    #expect(try fetch().output.contains("Welcome to nginx!"))
    try scene.kubectl(
      "-n kube-system patch configmap amazon-vpc-cni -p '{\"data\":{\"enable-network-policy-controller\":\"true\"}}'")
    try scene.kubectl(
      "-n kube-system patch ds aws-node --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/template/spec/containers/1/args/1\",\"value\":\"--enable-network-policy=true\"}]'"
    )
    try scene.kubectl("-n kube-system rollout status ds/aws-node --timeout=60s")
    try await scene.until("a policy in force") { try fetch().status != 0 }
    #expect(try fetch().errors.contains("download timed out"))
    let endpoint = try scene.kubectl("get policyendpoints -o jsonpath={.items[0].spec.policyRef.name}")
    #expect(endpoint == "closed")
    // The kubelet's own packets are let in.
    try scene.kubectl("wait --for=condition=Ready pod -l app=web --timeout=20s")

    let traced = try Shell.run(
      LocalEKSProcess.binary, ["trace", "pod/client", "svc/web:80", "-o", "json"], environment: scene.environment)
    let answer = try JSON.parse(traced.output)
    #expect(answer["roots"][0]["code"] == "packets/network-policy", "\(traced.all)")
    let command = try #require(answer["roots"][0]["fix"][0]["command"].string, "\(traced.all)")
    let cured = try Shell.run("/bin/bash", ["-c", command], environment: scene.environment)
    #expect(cured.status == 0, "\(cured.all)")
    try await scene.until("a way in") { try fetch().output.contains("Welcome to nginx!") }

    // Strict mode with the controller off: what is new is shut off for good, probes included.
    try scene.kubectl(
      "-n kube-system patch configmap amazon-vpc-cni -p '{\"data\":{\"enable-network-policy-controller\":\"false\"}}'")
    try scene.kubectl("-n kube-system set env ds/aws-node NETWORK_POLICY_ENFORCING_MODE=strict")
    try scene.kubectl("-n kube-system rollout status ds/aws-node --timeout=60s")
    try scene.kubectl("delete pod -l app=web")
    try await scene.until("a probe that fails") {
      try scene.kubectl("get events --field-selector reason=Unhealthy").contains("Client.Timeout exceeded")
    }
    let pod = try scene.kubectl("get pod -l app=web -o jsonpath={.items[0].metadata.name}")
    let strict = try await scene.subject("pod", pod)
    #expect(scene.roots(strict) == ["packets/policy-controller-off"], "\(strict.summary) \(strict.chain)")
    try scene.cure(strict)
    try scene.kubectl("wait --for=condition=Ready pod/\(pod) --timeout=30s")
    await scene.end()
  }

  @Test func withoutAWayToItsRegistryNothingIsPulled() async throws {
    let scene = try await IdentityScene(nodes: 1)
    try await scene.call(
      "eks", "UpdateClusterConfig", ["name": "demo", "resourcesVpcConfig": ["endpointPrivateAccess": true]])
    try await scene.until("an endpoint inside of the VPC") {
      let cluster = try await scene.call("eks", "DescribeCluster", ["name": "demo"])["cluster"]
      return cluster["status"] == "ACTIVE" && cluster["resourcesVpcConfig"]["endpointPrivateAccess"] == true
    }
    let table = try await scene.call("ec2", "DescribeRouteTables", [:])["RouteTables"][0]
    let gateway =
      table["Routes"].items.first { $0["DestinationCidrBlock"] == "0.0.0.0/0" }?["GatewayId"] ?? .null
    try await scene.call(
      "ec2", "DeleteRoute", ["RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0"])
    try scene.kubectl("run late --image=602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/thing:v1")
    try await scene.until("a pull that fails") {
      try scene.kubectl("get events --field-selector involvedObject.name=late").contains("i/o timeout")
    }
    let answer = try await scene.subject("pod", "late")
    #expect(scene.roots(answer) == ["packets/no-route"], "\(answer.summary) \(answer.chain)")
    try await scene.call(
      "ec2", "CreateRoute",
      ["RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway])
    try scene.advance("2m")
    try scene.kubectl("wait --for=condition=Ready pod/late --timeout=60s")
    await scene.end()
  }
}
