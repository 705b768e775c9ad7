import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// Programs that end because somebody else failed them: made by public calls, asked, cured by the printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct ComplaintScenarioTests {
  private static let objects = """
    apiVersion: v1
    kind: Service
    metadata: {name: db}
    spec: {clusterIP: 10.100.7.8, selector: {app: db}, ports: [{port: 5432}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: wants-db}
    spec: {containers: [{name: c, image: nicolaka/netshoot, command: [sh, -c, "curl -sS http://10.100.7.8:5432 || exit 1"]}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: wants-name}
    spec: {containers: [{name: c, image: nicolaka/netshoot, command: [sh, -c, "curl -sS http://dbx:5432 || exit 1"]}]}

    """

  @Test func theirLastWordsLeadOn() async throws {
    let scene = try await IdentityScene(nodes: 1)
    try scene.kubectl("apply -f -", input: Self.objects)
    func crashed(_ pod: String, namespace: String = "default", container: Int = 0) async throws {
      try await scene.until("an end of \(pod)") {
        try scene.kubectl(
          "-n \(namespace) get pod \(pod) -o jsonpath={.status.containerStatuses[*].lastState.terminated.exitCode}"
        ).contains("1")
      }
    }
    try await crashed("wants-db")
    let db = try await scene.subject("pod", "wants-db")
    #expect(scene.roots(db) == ["packets/no-endpoints"], "\(db.summary) \(db.chain)")
    try await crashed("wants-name")
    let name = try await scene.subject("pod", "wants-name")
    #expect(scene.roots(name) == ["names/nothing-of-that-name"], "\(name.summary) \(name.chain)")

    // The policy agent that is to write to CloudWatch Logs, as a role that may not.
    for (index, value) in [(1, "--enable-network-policy=true"), (2, "--enable-cloudwatch-logs=true")] {
      try scene.kubectl(
        "-n kube-system patch ds aws-node --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/template/spec/containers/1/args/\(index)\",\"value\":\"\(value)\"}]'"
      )
    }
    try scene.advance("60s")
    let agent = try scene.kubectl(
      "-n kube-system get pod -l k8s-app=aws-node -o jsonpath={.items[0].metadata.name}")
    try await crashed(agent, namespace: "kube-system")
    let denied = try await scene.subject("pod", agent, namespace: "kube-system")
    #expect(scene.roots(denied) == ["identity/no-policy-allows-it"], "\(denied.summary) \(denied.chain)")
    try scene.cure(denied)
    try scene.advance("6m")
    try scene.kubectl("-n kube-system wait pod/\(agent) --for=condition=Ready --timeout=20s")
    await scene.end()
  }

  /// Nodes in the block that the API servers' machines have for themselves, and STS by its global name.
  @Test func waysThatLeadNowhere() async throws {
    let scene = try await IdentityScene(nodes: 1)
    let vpc = try await scene.call("ec2", "DescribeVpcs", [:])["Vpcs"][0]["VpcId"]
    try await scene.call("ec2", "AssociateVpcCidrBlock", ["VpcId": vpc, "CidrBlock": "172.17.0.0/20"])
    let known = try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"][0]
    let subnet = try await scene.call(
      "ec2", "CreateSubnet",
      ["VpcId": vpc, "CidrBlock": "172.17.1.0/24", "AvailabilityZone": known["AvailabilityZone"]])["Subnet"]["SubnetId"]
    try await scene.call(
      "ec2", "ModifySubnetAttribute", ["SubnetId": subnet, "MapPublicIpOnLaunch": ["Value": true]])
    try await scene.call(
      "eks", "CreateNodegroup",
      [
        "clusterName": "demo", "nodegroupName": "bridge", "nodeRole": "arn:aws:iam::000000000000:role/node",
        "subnets": [subnet], "instanceTypes": ["m5.large"],
        "scalingConfig": ["minSize": 1, "maxSize": 1, "desiredSize": 1],
      ])
    let selector = "eks.amazonaws.com/nodegroup=bridge"
    try await scene.until("a node") { try !scene.kubectl("get nodes -l \(selector) -o name").isEmpty }
    let node = try scene.kubectl("get nodes -l \(selector) -o jsonpath={.items[0].metadata.name}")
    try scene.kubectl("wait node/\(node) --for=condition=Ready --timeout=30s")
    let proxy = try scene.kubectl(
      "-n kube-system get pods -l k8s-app=kube-proxy --field-selector spec.nodeName=\(node) -o jsonpath={.items[0].metadata.name}"
    )
    let refused = try scene.eks.kubectlOutcome("-n kube-system logs \(proxy)", environment: scene.environment)
    #expect(refused.errors.contains(":10250: connect: no route to host"), "\(refused.all)")
    let bridge = try await scene.symptom(refused.errors)
    #expect(scene.roots(bridge) == ["packets/control-plane-bridge"], "\(bridge.summary) \(bridge.chain)")

    try await scene.update(["resourcesVpcConfig": ["endpointPrivateAccess": true]])
    let group = try await scene.call("eks", "DescribeCluster", ["name": "demo"])["cluster"]["resourcesVpcConfig"][
      "clusterSecurityGroupId"]
    try await scene.call(
      "ec2", "CreateVpcEndpoint",
      [
        "VpcId": vpc, "VpcEndpointType": "Interface", "ServiceName": "com.amazonaws.us-east-1.sts",
        "SubnetIds": [known["SubnetId"]], "SecurityGroupIds": [group], "PrivateDnsEnabled": true,
      ])
    try scene.kubectl("apply -f -", input: Self.asker)
    try await scene.until("an end") {
      try scene.kubectl("get pods -l app=asker -o jsonpath={.items[0].status.containerStatuses[0].restartCount}") != "0"
    }
    let table = try await scene.call("ec2", "DescribeRouteTables", [:])["RouteTables"][0]["RouteTableId"]
    try await scene.call("ec2", "DeleteRoute", ["RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"])
    let pod = try scene.kubectl("get pods -l app=asker -o jsonpath={.items[0].metadata.name}")
    let global = try await scene.subject("pod", pod)
    #expect(scene.roots(global) == ["packets/global-endpoint"], "\(global.summary) \(global.chain)")
    try scene.cure(global)
    let told = try scene.kubectl("get deployment asker -o jsonpath={.spec.template.spec.containers[0].env[0].value}")
    #expect(told == "regional")
    await scene.end()
  }

  private static let asker = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: asker}
    spec:
      selector: {matchLabels: {app: asker}}
      template:
        metadata: {labels: {app: asker}}
        spec:
          nodeSelector: {eks.amazonaws.com/nodegroup: ng1}
          containers:
          - name: c
            image: busybox:1.36
            command:
            - sh
            - -c
            - 'echo "Post \"https://sts.amazonaws.com/\": dial tcp 52.94.241.129:443: i/o timeout"; [ "$AWS_STS_REGIONAL_ENDPOINTS" = regional ] && sleep 9999; exit 1'
    """
}
