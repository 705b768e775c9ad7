import Evidence
import Foundation
import Testing
import Wire

/// Pods on Fargate, made by the real clients: how one comes up, what keeps one from it, and what is answered.
@Suite(.serialized, .enabled(if: Clients.both))
struct FargateTests {
  /// A cluster without nodes, two private subnets behind a NAT gateway, and a pod execution role.
  struct Ground {
    let cluster: QuickCluster
    let subnets: [String]
    let routeTable: String
    var eks: LocalEKSProcess { cluster.eks }
    static let role = "arn:aws:iam::000000000000:role/pods"

    init() async throws {
      cluster = try await QuickCluster(nodes: 0)
      let environment = cluster.eks.environment
      let client = AWSClient(
        region: "us-east-1", chain: CredentialChain(profile: nil, environment: environment), roleARN: nil,
        endpoint: environment["AWS_ENDPOINT_URL"], timeoutSeconds: 30)
      func call(_ service: String, _ operation: String, _ input: JSON) async throws -> JSON {
        try await client.call(service: service, operation: operation, input: input)
      }
      let trust: JSON = [
        "Version": "2012-10-17",
        "Statement": [
          [
            "Effect": "Allow", "Principal": ["Service": "eks-fargate-pods.amazonaws.com"], "Action": "sts:AssumeRole",
            "Condition": [
              "ArnLike": ["aws:SourceArn": "arn:aws:eks:us-east-1:000000000000:fargateprofile/demo/*"]
            ],
          ]
        ],
      ]
      _ = try await call("iam", "CreateRole", ["RoleName": "pods", "AssumeRolePolicyDocument": .string(trust.text())])
      let open = try await call("ec2", "DescribeSubnets", [:])["Subnets"][0]
      let table = try await call("ec2", "CreateRouteTable", ["VpcId": open["VpcId"]])["RouteTable"]["RouteTableId"]
      let address = try await call("ec2", "AllocateAddress", ["Domain": "vpc"])["AllocationId"]
      let gateway = try await call(
        "ec2", "CreateNatGateway", ["SubnetId": open["SubnetId"], "AllocationId": address])["NatGateway"]
      _ = try await call(
        "ec2", "CreateRoute",
        [
          "RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": gateway["NatGatewayId"],
        ])
      var made: [String] = []
      for (cidr, zone) in [("172.31.200.0/24", "us-east-1a"), ("172.31.201.0/28", "us-east-1b")] {
        let subnet = try await call(
          "ec2", "CreateSubnet",
          ["VpcId": open["VpcId"], "CidrBlock": .string(cidr), "AvailabilityZone": .string(zone)])["Subnet"]["SubnetId"]
        _ = try await call("ec2", "AssociateRouteTable", ["RouteTableId": table, "SubnetId": subnet])
        made.append(subnet.string ?? "")
      }
      await client.close()
      subnets = made
      routeTable = table.string ?? ""
    }

    func kubectl(_ line: String, input: String? = nil) throws -> Outcome {
      try eks.kubectlOutcome(line, input: input, environment: ["KUBECONFIG": "\(eks.state)/kubeconfig"])
    }

    func json(_ line: String) throws -> JSON { try JSON.parse(try kubectl("\(line) -o json").output) }

    func profile(_ name: String, _ selectors: String, subnets: [String]? = nil) throws {
      try eks.aws(
        "eks create-fargate-profile --cluster-name demo --fargate-profile-name \(name) --pod-execution-role-arn \(Self.role) --subnets \((subnets ?? self.subnets).joined(separator: " ")) --selectors \(selectors)"
      )
      try eks.aws("eks wait fargate-profile-active --cluster-name demo --fargate-profile-name \(name)")
    }

    func why(_ line: String) throws -> JSON {
      let outcome = try Shell.run(
        LocalEKSProcess.binary, line.split(separator: " ").map(String.init) + ["-o", "json"],
        environment: eks.environment.merging(["KUBECONFIG": "\(eks.state)/kubeconfig"]) { $1 })
      return try JSON.parse(outcome.output)
    }
  }

  @Test func aPodGetsAMachineOfItsOwn() async throws {
    let ground = try await Ground()
    try ground.profile("p", "namespace=default")
    #expect(try ground.kubectl("run web --image nginx").status == 0)
    #expect(try ground.kubectl("wait pod/web --for=condition=Ready --timeout=60s").status == 0)
    let pod = try ground.json("get pod web")
    #expect(pod["spec"]["schedulerName"].string == "fargate-scheduler")
    #expect(pod["spec"]["priorityClassName"].string == "system-node-critical")
    #expect(pod["metadata"]["labels"]["eks.amazonaws.com/fargate-profile"].string == "p")
    #expect(pod["metadata"]["annotations"]["CapacityProvisioned"].string == "0.25vCPU 0.5GB")
    #expect(pod["metadata"]["annotations"]["Logging"].string == "LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND")
    let address = try #require(pod["status"]["podIP"].string)
    #expect(pod["status"]["hostIP"].string == address)
    let name = try #require(pod["spec"]["nodeName"].string)
    #expect(name == "fargate-ip-\(address.replacing(".", with: "-")).ec2.internal")
    let node = try ground.json("get node \(name)")
    #expect(node["metadata"]["labels"]["eks.amazonaws.com/compute-type"].string == "fargate")
    #expect(
      node["spec"]["taints"].items.contains {
        $0["key"].string == "eks.amazonaws.com/compute-type" && $0["effect"].string == "NoSchedule"
      })
    #expect(!node["metadata"]["labels"].has("node.kubernetes.io/instance-type"))
    #expect(node["spec"]["providerID"].string?.hasSuffix("/\(name)") == true)
    let interface = try ground.eks.aws(
      "ec2 describe-network-interfaces --filters Name=private-ip-address,Values=\(address)")["NetworkInterfaces"][0]
    #expect(ground.subnets.contains(interface["SubnetId"].string ?? ""))
    #expect(interface["RequesterManaged"].bool == true)
    // Its kubelet's certificate comes a moment after the node.
    var said = try ground.kubectl("exec web -- echo hello")
    for _ in 0..<20 where said.status != 0 { said = try ground.kubectl("exec web -- echo hello") }
    #expect(said.output == "hello\n", "\(said.all)")
    let auth = try ground.json("-n kube-system get configmap aws-auth")["data"]["mapRoles"].string ?? ""
    #expect(auth.contains("username: system:node:{{SessionName}}"), "\(auth)")
    #expect(auth.contains("- system:node-proxier"))

    // What it can't run, and what is too large.
    #expect(try ground.kubectl("run root --image nginx --privileged").status == 0)
    let large: JSON = [
      "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "large"],
      "spec": ["containers": [["name": "a", "image": "nginx", "resources": ["requests": ["cpu": "17"]]]]],
    ]
    #expect(try ground.kubectl("apply -f -", input: large.text()).status == 0)
    #expect(
      try ground.kubectl(
        "wait pod/large --for=jsonpath={.status.conditions[0].reason}=POD_CPU_MEM_EXCEEDS_MAX_FARGATE_SIZE --timeout=30s"
      ).status == 0)
    let events = try ground.kubectl("get events --field-selector reason=FailedScheduling").output
    #expect(events.contains("Pod not supported on Fargate: invalid SecurityContext fields: Privileged"), "\(events)")
    #expect(events.contains("Your pod's cpu/memory requirements exceed the max Fargate configuration"))

    // What is answered.
    let healthy = try ground.why("pod/web")
    #expect(healthy["status"].string == "healthy", "\(healthy.text())")
    #expect(healthy.text().contains("it is on Fargate: profile p selects it by namespace default"))
    for (pod, code) in [("root", "scheduling/fargate-unsupported"), ("large", "scheduling/fargate-too-large")] {
      let answer = try ground.why("pod/\(pod)")
      #expect(answer["roots"][0]["code"].string == code, "\(answer.text())")
    }
    #expect(try ground.why("fargateprofile/p")["status"].string == "healthy")

    // With its profile the pod goes, and its machine.
    try ground.eks.aws("eks delete-fargate-profile --cluster-name demo --fargate-profile-name p")
    try ground.eks.aws("eks wait fargate-profile-deleted --cluster-name demo --fargate-profile-name p")
    #expect(try ground.json("get pods")["items"].items.isEmpty)
    let left = try ground.eks.aws(
      "ec2 describe-network-interfaces --filters Name=private-ip-address,Values=\(address)")["NetworkInterfaces"]
    #expect(left.items.isEmpty)
  }
}
