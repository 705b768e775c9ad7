import Foundation
import Testing
import Wire

/// Security groups for pods as an operator sets them up, by the real clients.
@Suite(.serialized, .enabled(if: Clients.both))
struct PodSecurityGroupTests {
  @Test func aPodGetsAnInterfaceOfItsOwn() async throws {
    let eks = try await QuickCluster(nodes: 1).eks
    func advance(_ time: String) throws { try eks.ekswhy("clock", "advance", time, "--state", eks.state) }
    func offered() throws -> String {
      try eks.kubectl("get nodes -o jsonpath={.items[0].status.allocatable.vpc\\.amazonaws\\.com/pod-eni}")
    }
    // Without the policy the cluster's role may not make the trunk.
    try eks.kubectl("-n kube-system set env ds/aws-node ENABLE_POD_ENI=true")
    try eks.kubectl("-n kube-system rollout status ds/aws-node --timeout=60s")
    try advance("10s")
    #expect(try eks.kubectl("get events -A").contains("has AmazonEKSVPCResourceController policy"))
    #expect(try offered().isEmpty)
    try eks.aws(
      "iam attach-role-policy --role-name cluster --policy-arn arn:aws:iam::aws:policy/AmazonEKSVPCResourceController")
    try advance("60s")
    #expect(try offered() == "9")

    let group = try eks.aws("ec2 create-security-group --group-name pods --description d")["GroupId"].string ?? ""
    let policy: JSON = [
      "apiVersion": "vpcresources.k8s.aws/v1beta1", "kind": "SecurityGroupPolicy", "metadata": ["name": "web"],
      "spec": ["podSelector": ["matchLabels": ["app": "web"]], "securityGroups": ["groupIds": [.string(group)]]],
    ]
    try eks.kubectl("apply -f -", input: policy.text())
    try eks.kubectl("run web --image=nginx --labels=app=web")
    try advance("90s")
    try eks.kubectl("wait pod/web --for=condition=Ready --timeout=60s")
    let pod = try JSON.parse(Array(try eks.kubectl("get pod web -o json").utf8))
    let text = pod["metadata"]["annotations"]["vpc.amazonaws.com/pod-eni"].string ?? ""
    let branch = try JSON.parse(Array(text.utf8))[0]
    #expect(pod["status"]["podIP"] == branch["privateIp"])
    let described = try eks.aws(
      "ec2 describe-network-interfaces --network-interface-ids \(branch["eniId"].string ?? "")")["NetworkInterfaces"][0]
    #expect(described["InterfaceType"] == "branch")
    #expect(described["Groups"][0]["GroupId"].string == group)
    // The annotation is the controller's alone.
    #expect(
      try eks.kubectlOutcome("annotate pod web --overwrite vpc.amazonaws.com/pod-eni=x").errors.contains(
        "annotation is not set by vpc-resource-controller"))
    // The branch outlives its pod by its cool-down.
    try eks.kubectl("delete pod web --grace-period=1")
    try advance("30s")
    func branches() throws -> Int {
      try eks.aws("ec2 describe-network-interfaces --filters Name=description,Values=aws-k8s-branch-eni")[
        "NetworkInterfaces"
      ].items.count
    }
    #expect(try branches() == 1)
    try advance("70s")
    #expect(try branches() == 0)
    try probes(eks, group: group, advance: advance)
  }

  /// In strict mode probes go by the VPC: the pod's groups must let the node in, and the node must not take the
  /// answer for its own before it is routed.
  private func probes(_ eks: LocalEKSProcess, group: String, advance: (String) throws -> Void) throws {
    let probed = """
      apiVersion: v1
      kind: Pod
      metadata: {name: probed, labels: {app: web}}
      spec: {containers: [{name: c, image: nginx, readinessProbe: {httpGet: {path: /, port: 80}}}]}
      """
    try eks.kubectl("apply -f -", input: probed)
    try advance("60s")
    let address = try eks.kubectl("get pod probed -o jsonpath={.status.podIP}")
    let events = try eks.kubectl("get events --field-selector involvedObject.name=probed,reason=Unhealthy")
    #expect(
      events.contains(
        "Readiness probe failed: Get \"http://\(address):80/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
      ), "\(events)")
    func isReady() throws -> Bool {
      try eks.kubectl("get pod probed -o jsonpath={.status.containerStatuses[0].ready}") == "true"
    }
    let nodes = try #require(
      try eks.aws("eks describe-cluster --name demo")["cluster"]["resourcesVpcConfig"]["clusterSecurityGroupId"].string)
    try eks.aws(
      "ec2 authorize-security-group-ingress --group-id \(group) --protocol tcp --port 80 --source-group \(nodes)")
    try advance("30s")
    #expect(try !isReady())
    try eks.kubectl("-n kube-system set env ds/aws-node -c aws-vpc-cni-init DISABLE_TCP_EARLY_DEMUX=true")
    try eks.kubectl("-n kube-system rollout status ds/aws-node --timeout=60s")
    try advance("30s")
    #expect(try isReady())
    try eks.aws(
      "ec2 revoke-security-group-ingress --group-id \(group) --protocol tcp --port 80 --source-group \(nodes)")
    try advance("60s")
    #expect(try !isReady())

    // What the node and AWS each show of it.
    let node = try eks.kubectl("get pod probed -o jsonpath={.spec.nodeName}")
    func onNode(_ words: String...) throws -> String { try eks.ekswhy(["shell", "node/\(node)", "--"] + words).output }
    let rules = try onNode("ip", "rule")
    #expect(rules.contains("10:\tfrom all iif vlan.eth."), "\(rules)")
    #expect(rules.contains("20:\tfrom all lookup local"), "\(rules)")
    let table = try #require(
      rules.split(separator: "\n").first { $0.contains("iif vlan.eth.") }?.split(separator: " ").last.map(String.init))
    let routes = try onNode("ip", "route", "show", "table", table)
    #expect(routes.contains("default via ") && routes.contains("\(address) dev vlan"), "\(routes)")

    // In standard mode what stays on the node is not asked by groups.
    try eks.kubectl("-n kube-system set env ds/aws-node POD_SECURITY_GROUP_ENFORCING_MODE=standard")
    try eks.kubectl("-n kube-system rollout status ds/aws-node --timeout=60s")
    try eks.kubectl("delete pod probed --grace-period=1")
    try eks.kubectl("apply -f -", input: probed)
    try advance("120s")
    #expect(try isReady())

    // A pod made while the controller may not patch pods has its interface once it may again.
    try eks.kubectl("delete clusterrolebinding vpc-resource-controller-rolebinding")
    try eks.kubectl("run late --image=nginx --labels=app=web")
    try advance("60s")
    #expect(try eks.kubectl("get pod late -o jsonpath={.status.podIP}").isEmpty)
    try eks.kubectl(
      "create clusterrolebinding vpc-resource-controller-rolebinding --clusterrole=vpc-resource-controller-role --user=eks:vpc-resource-controller"
    )
    try advance("60s")
    #expect(try !eks.kubectl("get pod late -o jsonpath={.status.podIP}").isEmpty)
    // A node that goes takes its CNINode along.
    try eks.kubectl("delete node \(node)")
    #expect(try !eks.kubectl("get cninodes").contains(node))
  }
}
