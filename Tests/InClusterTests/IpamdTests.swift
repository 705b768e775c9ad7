import InCluster
import Testing
import Wire
import World

@Suite("ipamd")
struct IpamdTests {
  /// EC2 that remembers what it was asked.
  private final class RecordingEC2: AWSService {
    let name = "ec2"
    let modelled: Set<String> = [
      "DescribeNetworkInterfaces", "AssignPrivateIpAddresses", "DescribeSubnets", "CreateNetworkInterface",
      "DescribeInstances", "AttachNetworkInterface", "ModifyNetworkInterfaceAttribute", "DeleteNetworkInterface",
      "DetachNetworkInterface", "UnassignPrivateIpAddresses",
    ]
    var asked: [String] = []
    var denied: Set<String> = []
    var nextAddress = 50

    func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
      asked.append(request.operation)
      if denied.contains(request.operation) {
        throw AWSError(
          code: "UnauthorizedOperation", message: "You are not authorized to perform this operation.", status: 403)
      }
      func addresses(_ count: Int) -> [JSON] {
        (0..<count).map { _ in
          nextAddress += 1
          return ["PrivateIpAddress": .string("10.0.1.\(nextAddress)")]
        }
      }
      switch request.operation {
      case "DescribeNetworkInterfaces":
        return [
          "NetworkInterfaces": [
            [
              "NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.1.10", "SubnetId": "subnet-1",
              "Attachment": ["DeviceIndex": 0],
              "PrivateIpAddresses": [["Primary": true, "PrivateIpAddress": "10.0.1.10"]],
            ]
          ]
        ]
      case "AssignPrivateIpAddresses":
        return [
          "AssignedPrivateIpAddresses": .array(addresses(request.input["SecondaryPrivateIpAddressCount"].int ?? 0))
        ]
      case "DescribeSubnets":
        return [
          "Subnets": [
            [
              "SubnetId": "subnet-1", "VpcId": "vpc-1", "AvailabilityZone": "us-east-1a",
              "AvailableIpAddressCount": 200,
            ]
          ]
        ]
      case "CreateNetworkInterface":
        return [
          "NetworkInterface": [
            "NetworkInterfaceId": "eni-2", "PrivateIpAddress": "10.0.1.11", "SubnetId": "subnet-1",
            "PrivateIpAddresses": .array(addresses(request.input["SecondaryPrivateIpAddressCount"].int ?? 0)),
          ]
        ]
      case "DescribeInstances":
        return [
          "Reservations": [
            ["Instances": [["NetworkInterfaces": [["Attachment": ["DeviceIndex": 0]]]]]]
          ]
        ]
      case "AttachNetworkInterface": return ["AttachmentId": "eni-attach-1"]
      default: return .emptyObject
      }
    }
  }

  /// An API server that knows one node, and lets everything pass.
  private final class OneNode: KubernetesHost {
    unowned let world: World
    var events: [JSON] = []
    init(_ world: World) { self.world = world }

    func get(_ reference: ObjectReference) -> JSON? {
      reference.resource == "nodes" ? ["metadata": ["name": "n"], "status": ["capacity": ["pods": "29"]]] : nil
    }
    func list(cluster: String, resource: String, namespace: String) -> [JSON] {
      guard resource == "pods", namespace == "kube-system" else { return [] }
      return [["metadata": ["labels": ["k8s-app": "kube-proxy"]], "spec": ["nodeName": "n"]]]
    }
    func handle(_ request: KubeRequest, _ target: KubeReplyTarget) {
      if request.path.hasSuffix("/events"), case .json(let event) = request.body { events.append(event) }
      world.kube.answer(
        target, status: 200, headers: [:],
        body: get(ObjectReference(cluster: "demo", resource: "nodes", namespace: "", name: "n"))!)
    }
    func watch(
      cluster: String, resources: [String], credential: KubeRequest.Credential, component: ComponentID
    ) -> KubeReply { KubeReply(status: 200, body: .null) }
    func unwatch(cluster: String, component: ComponentID) {}
  }

  /// Stands for the kubelet: gives the token, and keeps what it is told.
  private struct Listener: Component {
    static let kind = "kubelet"
    var told: [String] = []
    var exits: [Int] = []
    var addresses: [String] = []
    var errors: [String] = []

    mutating func step(_ input: Input, _ context: Context) {
      guard case .message(let name, let value) = input else { return }
      switch name {
      case "token": context.send(ComponentID(value["program"].string!), "token", ["token": "t"])
      case "program": if let code = value["exit"].int { exits.append(code) }
      case "cni":
        if let address = value["address"].string { addresses.append(address) }
        if let error = value["error"].string { errors.append(error) }
      default: told.append(name)
      }
    }
  }

  private let ec2 = RecordingEC2()

  private func start(environment: [String: String] = [:]) throws -> (World, OneNode) {
    let world = try World(
      store: MemoryStore(), logFiles: MemoryLogFiles(),
      options: .init(seed: 1, start: Timestamp(rfc3339: "2026-11-22T12:00:00Z")!))
    InCluster.register(in: world)
    world.know(Listener.self, Starter.self)
    let host = OneNode(world)
    world.kube.host = host
    world.aws.register(ec2)
    world.aws.authenticate = { _ in
      .success(
        AWSPrincipal(kind: .assumedRole, account: "1", arn: "arn:aws:sts::1:assumed-role/n/i-1", userID: "A:i-1"))
    }
    world.ports.instanceCredentials = { _ in AWSCredentials(accessKeyID: "ASIA", secretAccessKey: "s") }
    world.ports.instanceMetadata = { _, path in
      switch path {
      case "meta-data/instance-type": "m5.large"
      case "meta-data/placement/availability-zone": "us-east-1a"
      case "meta-data/mac", "meta-data/network/interfaces/macs": "0a:00"
      case "meta-data/network/interfaces/macs/0a:00/vpc-id": "vpc-1"
      case "meta-data/network/interfaces/macs/0a:00/subnet-id": "subnet-1"
      case "meta-data/network/interfaces/macs/0a:00/interface-id": "eni-1"
      default: nil
      }
    }
    world.spawn("kubelet/i-1", Listener())
    var container: JSON = [
      "name": "aws-node", "image": "602401143452.dkr.ecr.us-east-1.amazonaws.com/amazon-k8s-cni:v1",
    ]
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
      container["env"].append(["name": .string(name), "value": .string(value)])
    }
    let pod: JSON = [
      "kind": "Pod", "metadata": ["name": "aws-node-x", "namespace": "kube-system", "uid": "u"],
      "spec": ["containers": [container]],
    ]
    world.spawn("starter/1", Starter(pod: pod))
    return (world, host)
  }

  /// Starts the program as a kubelet does.
  private struct Starter: Component {
    static let kind = "starter"
    var pod: JSON
    mutating func step(_ input: Input, _ context: Context) {
      _ = context.world.nodes.startProgram(
        NodeHooks.Launch(
          cluster: "demo", instanceID: "i-1", nodeName: "n", region: "us-east-1", container: "aws-node",
          containerID: "c", pod: pod, kubelet: "kubelet/i-1"), context)
    }
  }

  private func run(_ world: World, _ time: Duration) {
    _ = world.runEvents(until: world.now + time, limit: 100_000)
    world.commit()
  }

  private func add(_ world: World, _ uid: String) {
    world.schedule("ipamd/i-1", .message("add", ["uid": .string(uid), "sandbox": .string("s-\(uid)")]), at: world.now)
  }

  @Test("It fills the primary interface at its start, and takes a second one with the first pod")
  func grows() throws {
    let (world, _) = try start()
    run(world, .seconds(1))
    #expect(ec2.asked == ["DescribeNetworkInterfaces", "AssignPrivateIpAddresses"])
    #expect(world.state(of: "kubelet/i-1", as: Listener.self)?.told == ["cni-config"])
    run(world, .seconds(20))
    #expect(ec2.asked.count == 2)
    #expect(world.isIdle)
    add(world, "p1")
    run(world, .seconds(10))
    #expect(world.state(of: "kubelet/i-1", as: Listener.self)?.addresses == ["10.0.1.51"])
    #expect(
      Array(ec2.asked.dropFirst(2)) == [
        "DescribeSubnets", "CreateNetworkInterface", "DescribeInstances", "AttachNetworkInterface",
        "ModifyNetworkInterfaceAttribute",
      ])
    #expect(world.isIdle)
    let count = ec2.asked.count
    run(world, .seconds(3600))
    #expect(ec2.asked.count == count)
  }

  @Test("WARM_IP_TARGET asks for single addresses")
  func warmTarget() throws {
    let (world, _) = try start(environment: ["WARM_IP_TARGET": "5"])
    run(world, .seconds(1))
    add(world, "p1")
    run(world, .seconds(10))
    #expect(ec2.asked == ["DescribeNetworkInterfaces", "AssignPrivateIpAddresses", "AssignPrivateIpAddresses"])
  }

  @Test("Without permission it says which, ends, and never makes the node ready")
  func denied() throws {
    ec2.denied = ["DescribeNetworkInterfaces"]
    let (world, host) = try start()
    run(world, .seconds(30))
    let listener = try #require(world.state(of: "kubelet/i-1", as: Listener.self))
    #expect(listener.exits == [1])
    #expect(listener.told.isEmpty)
    #expect(
      host.events.first?["message"].string
        == "Unauthorized operation: failed to call ec2:DescribeNetworkInterfaces due to missing permissions. Please refer https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/iam-policy.md to attach relevant policy to IAM role"
    )
    #expect(host.events.first?["reason"].string == "MissingIAMPermissions")
    #expect(world.isIdle)
    let lines = world.logs.read("node/demo/i-1/ipamd").map(\.text)
    #expect(lines.contains { $0.contains("Failed to call ec2:DescribeNetworkInterfaces") })
  }

  @Test("A running one that EC2 refuses asks on every five seconds, and the world is idle")
  func refused() throws {
    let (world, host) = try start()
    run(world, .seconds(1))
    ec2.denied = ["CreateNetworkInterface"]
    add(world, "p1")
    run(world, .seconds(60))
    #expect(ec2.asked.count { $0 == "CreateNetworkInterface" } >= 10)
    #expect(host.events.contains { $0["message"].string?.contains("ec2:CreateNetworkInterface") == true })
    #expect(world.isIdle)
    ec2.denied = []
    run(world, .seconds(10))
    #expect(ec2.asked.last == "ModifyNetworkInterfaceAttribute")
  }
}
