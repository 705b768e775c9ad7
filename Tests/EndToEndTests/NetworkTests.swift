import Foundation
import Testing
import Wire

/// What security groups, ACLs and routes stop in the local EKS, with the real clients.
@Suite(.serialized, .enabled(if: Clients.both))
struct NetworkTests {
  private static let objects = """
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec: {nodeName: NODE1, containers: [{name: web, image: nginx, ports: [{containerPort: 80}], readinessProbe: {httpGet: {path: /, port: 80}}}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec: {clusterIP: 10.100.7.7, selector: {app: web}, ports: [{port: 80}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: hook, labels: {app: hook}}
    spec: {nodeName: NODE1, containers: [{name: hook, image: registry.k8s.io/e2e-test-images/agnhost:2.53, args: [webhook, "--port=8444"]}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: hook}
    spec: {selector: {app: hook}, ports: [{port: 443, targetPort: 8444}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: near}
    spec: {nodeName: NODE1, containers: [{name: box, image: "busybox:1.36", command: [sleep, infinity]}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: far}
    spec: {nodeName: NODE2, containers: [{name: box, image: "busybox:1.36", command: [sleep, infinity]}]}
    """

  private static let hook = """
    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata: {name: hook}
    webhooks:
    - name: hook.example.com
      timeoutSeconds: 1
      clientConfig: {service: {name: hook, namespace: default, path: /always-deny}}
      rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [configmaps]}]
      sideEffects: None
      admissionReviewVersions: [v1]

    """

  @Test func whatGroupsAndRoutesStopIsStopped() async throws {
    let eks = try await QuickCluster(nodes: 2).eks
    let nodes = try eks.kubectl("get nodes -o jsonpath={.items[*].metadata.name}").split(separator: " ").map(
      String.init)
    try #require(nodes.count == 2)
    let objects = Self.objects.replacing("NODE1", with: nodes[0]).replacing("NODE2", with: nodes[1])
    try eks.kubectl("apply -f -", input: objects)
    try eks.kubectl("wait --for=condition=Ready pod/web pod/hook pod/near pod/far --timeout=60s")
    func fetch(_ pod: String) throws -> Outcome {
      try eks.kubectlOutcome("exec \(pod) -- wget -T 2 -qO- http://10.100.7.7")
    }
    for pod in ["near", "far"] { #expect(try fetch(pod).output.contains("Welcome to nginx!")) }

    try eks.kubectl("apply -f -", input: Self.hook)
    func create() throws -> String { try eks.kubectlOutcome("create configmap c").errors }
    #expect(
      try create().contains(
        "admission webhook \"hook.example.com\" denied the request: this webhook denies all requests"))

    // Nothing but the kubelets' port is open between the interfaces of the cluster's group any more.
    let group = try #require(
      try eks.aws("eks describe-cluster --name demo")["cluster"]["resourcesVpcConfig"]["clusterSecurityGroupId"].string)
    try eks.aws("ec2 revoke-security-group-ingress --group-id \(group) --protocol all --source-group \(group)")
    let unread = try eks.kubectlOutcome("logs web")
    let address = try eks.kubectl("get node \(nodes[0]) -o jsonpath={.status.addresses[0].address}")
    #expect(
      unread.errors.contains(
        "Get \"https://\(address):10250/containerLogs/default/web/web\": dial tcp \(address):10250: i/o timeout"),
      "\(unread.all)")
    let dialed = try eks.kubectlOutcome("exec near -- true")
    #expect(
      dialed.errors.contains("error dialing backend: dial tcp \(address):10250: i/o timeout"), "\(dialed.all)")
    try eks.aws(
      "ec2 authorize-security-group-ingress --group-id \(group) --protocol tcp --port 10250 --source-group \(group)")
    try eks.kubectl("logs web")
    // On one node no interface is crossed.
    #expect(try fetch("near").output.contains("Welcome to nginx!"))
    let stopped = try fetch("far")
    #expect(stopped.errors.contains("download timed out"), "\(stopped.all)")
    let traced = try eks.ekswhy("trace", "pod/far", "svc/web:80")
    #expect(traced.status == 1 && traced.output.contains(group), "\(traced.all)")
    let call =
      "failed calling webhook \"hook.example.com\": failed to call webhook: Post \"https://hook.default.svc:443/always-deny?timeout=1s\":"
    #expect(try create().contains("\(call) context deadline exceeded"))
    try eks.aws(
      "ec2 authorize-security-group-ingress --group-id \(group) --protocol tcp --port 8444 --source-group \(group)")
    #expect(try create().contains("this webhook denies all requests"))
    try eks.kubectl("delete pod hook --grace-period=1")
    #expect(try create().contains("\(call) no endpoints available for service \"hook\""))
    try eks.kubectl("delete validatingwebhookconfiguration hook")

    // Without a way to the endpoint's public addresses the nodes are not heard of any more.
    let table = try #require(
      try eks.aws("ec2 describe-route-tables")["RouteTables"][0]["RouteTableId"].string)
    let gateway = try #require(
      try eks.aws("ec2 describe-internet-gateways")["InternetGateways"][0]["InternetGatewayId"].string)
    try eks.aws("ec2 delete-route --route-table-id \(table) --destination-cidr-block 0.0.0.0/0")
    try eks.ekswhy("clock", "advance", "2m", "--state", eks.state)
    try eks.kubectl("wait node --all --for=condition=Ready=Unknown --timeout=60s")
    try eks.aws(
      "ec2 create-route --route-table-id \(table) --destination-cidr-block 0.0.0.0/0 --gateway-id \(gateway)")
    try eks.ekswhy("clock", "advance", "1m", "--state", eks.state)
    try eks.kubectl("wait node --all --for=condition=Ready --timeout=60s")
  }
}
