import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// Private networks and names: cases of the field, made by public calls, asked, cured by the printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct NetworkScenarioTests {
  @Test func whatStopsAPull() async throws {
    let scene = try await IdentityScene(nodes: 1)
    try await anEndpointThatAdmitsNobody(scene)
    await scene.end()
  }

  /// The registry's name leads to an interface in the VPC, whose group lets nobody in.
  private func anEndpointThatAdmitsNobody(_ scene: IdentityScene) async throws {
    let subnets = try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"].items
    let vpc = subnets[0]["VpcId"]
    let group = try await scene.call(
      "ec2", "CreateSecurityGroup", ["VpcId": vpc, "GroupName": "endpoints", "Description": "d"])["GroupId"]
    let made = try await scene.call(
      "ec2", "CreateVpcEndpoint",
      [
        "VpcId": vpc, "VpcEndpointType": "Interface", "ServiceName": "com.amazonaws.us-east-1.ecr.dkr",
        "SubnetIds": JSON(subnets.compactMap { $0["SubnetId"].string }), "SecurityGroupIds": [group],
        "PrivateDnsEnabled": true,
      ])["VpcEndpoint"]
    let id = made["VpcEndpointId"]
    try await scene.until("an endpoint") {
      try await scene.call("ec2", "DescribeVpcEndpoints", ["VpcEndpointIds": [id]])["VpcEndpoints"][0]["State"]
        .string?.lowercased() == "available"
    }
    try scene.kubectl("run late --image=602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/thing:v1")
    var told = ""
    try await scene.until("a pull that fails") {
      told = try scene.kubectl("get events --field-selector involvedObject.name=late,reason=Failed")
      return told.contains("i/o timeout")
    }
    // An address of the VPC, not of the Internet.
    #expect(told.contains("dial tcp 172.31."), "\(told)")
    let answer = try await scene.subject("pod", "late")
    #expect(scene.roots(answer) == ["packets/group-ingress"], "\(answer.summary) \(answer.chain)")
    #expect(answer.roots.first?.cause.entity.name == group.string)
    try scene.cure(answer)
    try scene.advance("2m")
    try scene.kubectl("wait --for=condition=Ready pod/late --timeout=20s")
  }

  /// Pods that look names up.
  private static func askers(_ count: Int, _ script: String, extra: String = "") -> String {
    """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: askers}
    spec:
      replicas: \(count)
      selector: {matchLabels: {app: askers}}
      template:
        metadata: {labels: {app: askers}}
        spec:
          terminationGracePeriodSeconds: 1
          \(extra)
          containers: [{name: c, image: nginx, command: [bash, -c, '\(script); sleep infinity']}]
    """
  }

  /// A node with a kernel that loses one of two queries now and then: five seconds, and no longer with the printed
  /// option.
  @Test func queriesThatRace() async throws {
    let scene = try await IdentityScene(nodes: 1, version: "1.32")
    let script = "#!/bin/bash\namazon-linux-extras install -y kernel-5.4\nreboot\n"
    let mime =
      "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"==B==\"\n\n--==B==\nContent-Type: text/x-shellscript; charset=\"us-ascii\"\n\n\(script)\n--==B==--\n"
    try await scene.call(
      "ec2", "CreateLaunchTemplate",
      ["LaunchTemplateName": "old", "LaunchTemplateData": ["UserData": .string(Base64.encode(Array(mime.utf8)))]])
    let subnets = JSON(
      try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"].items.compactMap { $0["SubnetId"].string })
    try await scene.call(
      "eks", "CreateNodegroup",
      [
        "clusterName": "demo", "nodegroupName": "old", "nodeRole": "arn:aws:iam::000000000000:role/node",
        "subnets": subnets, "instanceTypes": ["m5.large"], "amiType": "AL2_x86_64", "labels": ["kernel": "old"],
        "launchTemplate": ["name": "old", "version": "1"],
        "scalingConfig": ["minSize": 1, "maxSize": 1, "desiredSize": 1],
      ])
    try await scene.until("the node") { try !scene.kubectl("get nodes -l kernel=old -o name").isEmpty }
    try scene.kubectl("wait node -l kernel=old --for=condition=Ready --timeout=60s")
    let node = try scene.kubectl("get nodes -l kernel=old -o jsonpath={.items[0].metadata.name}")
    let loop = "while true; do getent hosts kubernetes.default.svc.cluster.local. >/dev/null; sleep 0.1; done"
    try scene.kubectl(
      "apply -f -", input: Self.askers(1, loop, extra: "nodeSelector: {kernel: old}"))
    try scene.kubectl("rollout status deploy/askers --timeout=60s")
    func lost(_ time: String = "8s") throws -> String {
      try scene.advance(time)
      return try scene.eks.ekswhy("shell", "node/\(node)", "--", "conntrack", "-S").output
    }
    try await scene.until("a datagram that is lost") {
      let told = try lost()
      return told.contains("insert_failed=") && !told.contains("insert_failed=0")
    }
    var asker = try scene.kubectl("get pod -l app=askers -o jsonpath={.items[0].metadata.name}")
    let logs = try scene.nodeLogs(node, ["conntrack.txt": "conntrack -S"])
    let blind = try await scene.name("kubernetes.default", from: asker)
    #expect(blind.roots.isEmpty && blind.gaps.contains { $0.gap.read.contains("conntrack -S") }, "\(blind.gaps)")
    let answer = try await scene.name("kubernetes.default", from: asker, nodeLogs: logs)
    #expect(scene.roots(answer) == ["names/conntrack-race"], "\(answer.summary) \(answer.chain) \(answer.gaps)")
    try scene.cure(answer)
    try scene.kubectl("rollout status deploy/askers --timeout=60s")
    let before = try lost()
    #expect(try lost("20s") == before)
    asker = try scene.kubectl(
      "get pod -l app=askers --field-selector status.phase=Running -o jsonpath={.items[0].metadata.name}")
    let cured = try await scene.name("kubernetes.default", from: asker, nodeLogs: logs)
    #expect(cured.status == .healthy, "\(cured.summary) \(cured.chain)")
    await scene.end()
  }

  /// Security groups for pods, with what their controller remembers too well.
  @Test func branchesThatDoNotCome() async throws {
    let scene = try await IdentityScene(nodes: 1, version: "1.36")
    try await scene.call(
      "iam", "AttachRolePolicy",
      ["RoleName": "cluster", "PolicyArn": "arn:aws:iam::aws:policy/AmazonEKSVPCResourceController"])
    try scene.kubectl("-n kube-system set env ds/aws-node ENABLE_POD_ENI=true")
    try scene.kubectl("-n kube-system rollout status ds/aws-node --timeout=60s")
    try scene.advance("60s")
    let group = try await scene.call("ec2", "CreateSecurityGroup", ["GroupName": "pods", "Description": "d"])["GroupId"]
    let policy: JSON = [
      "apiVersion": "vpcresources.k8s.aws/v1beta1", "kind": "SecurityGroupPolicy", "metadata": ["name": "web"],
      "spec": ["podSelector": ["matchLabels": ["app": "web"]], "securityGroups": ["groupIds": [group]]],
    ]
    try scene.kubectl("apply -f -", input: policy.text())
    try await anAnnotationThatIsTakenAway(scene)
    await scene.end()
  }

  private static let stripping = """
    apiVersion: admissionregistration.k8s.io/v1
    kind: MutatingAdmissionPolicy
    metadata: {name: tidy}
    spec:
      failurePolicy: Fail
      reinvocationPolicy: Never
      matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [pods]}]}
      matchConditions:
      - {name: annotated, expression: "has(object.metadata.annotations) && 'vpc.amazonaws.com/pod-eni' in object.metadata.annotations"}
      mutations:
      - patchType: JSONPatch
        jsonPatch: {expression: '[JSONPatch{op: "remove", path: "/metadata/annotations/" + jsonpatch.escapeKey("vpc.amazonaws.com/pod-eni")}]'}
    ---
    apiVersion: admissionregistration.k8s.io/v1
    kind: MutatingAdmissionPolicyBinding
    metadata: {name: tidy}
    spec: {policyName: tidy}
    """

  private func anAnnotationThatIsTakenAway(_ scene: IdentityScene) async throws {
    try scene.kubectl("apply -f -", input: Self.stripping)
    try scene.kubectl("create deployment web --image=nginx")
    try scene.advance("90s")
    let pod = try scene.kubectl("get pod -l app=web -o jsonpath={.items[0].metadata.name}")
    #expect(
      try scene.kubectl("get events --field-selector reason=BranchAllocationFailed").contains(
        "cannot create new eni entry already exist"))
    try scene.kubectl("delete mutatingadmissionpolicybinding,mutatingadmissionpolicy tidy")
    // What was made before stays without its annotation.
    try scene.advance("90s")
    let answer = try await scene.subject("pod", pod)
    #expect(scene.roots(answer) == ["addresses/branch-cache-clash"], "\(answer.summary) \(answer.chain) \(answer.gaps)")
    try scene.cure(answer)
    try scene.advance("120s")
    try scene.kubectl("wait pod -l app=web --for=condition=Ready --timeout=20s")
  }

  /// An agent of before v1.0.4 holds policies against the kubelet of its own node.
  @Test func anOldAgentStopsProbes() async throws {
    let scene = try await IdentityScene(nodes: 1)
    let image = try scene.kubectl(
      "-n kube-system get ds aws-node -o jsonpath={.spec.template.spec.containers[1].image}")
    let old = image.split(separator: ":").dropLast().joined(separator: ":") + ":v1.0.2-eksbuild.1"
    try scene.kubectl("-n kube-system set image ds/aws-node aws-eks-nodeagent=\(old)")
    try scene.kubectl(
      "-n kube-system patch configmap amazon-vpc-cni -p '{\"data\":{\"enable-network-policy-controller\":\"true\"}}'")
    try scene.kubectl(
      "-n kube-system patch ds aws-node --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/template/spec/containers/1/args/1\",\"value\":\"--enable-network-policy=true\"}]'"
    )
    try scene.kubectl("-n kube-system rollout status ds/aws-node --timeout=60s")
    let objects = """
      apiVersion: v1
      kind: Pod
      metadata: {name: web, labels: {app: web}}
      spec: {containers: [{name: web, image: nginx, readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 2, timeoutSeconds: 1}}]}
      ---
      apiVersion: networking.k8s.io/v1
      kind: NetworkPolicy
      metadata: {name: closed}
      spec: {podSelector: {matchLabels: {app: web}}}
      """
    try scene.kubectl("apply -f -", input: objects)
    try await scene.until("a pod that is not Ready") {
      try scene.advance("10s")
      let told = try scene.kubectl("get events --field-selector reason=Unhealthy")
      let ready = try scene.kubectl("get pod web -o jsonpath={.status.containerStatuses[0].ready}")
      return told.contains("Client.Timeout exceeded") && ready == "false"
    }
    let answer = try await scene.subject("pod", "web")
    #expect(scene.roots(answer) == ["packets/old-policy-agent"], "\(answer.summary) \(answer.chain)")
    try scene.cure(answer)
    try scene.kubectl("-n kube-system rollout status ds/aws-node --timeout=60s")
    try scene.advance("30s")
    try scene.kubectl("wait --for=condition=Ready pod/web --timeout=20s")
    await scene.end()
  }
}
