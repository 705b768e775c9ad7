import Evidence
import Mechanisms
import Testing
import Why
import Wire

/// `ekswhy trace` on bundles: a cluster of two nodes in two subnets, well until a test breaks it.
@Suite struct TraceTests {
  typealias Files = [String: JSON]

  private static func list(_ items: [JSON]) -> JSON { ["kind": "List", "apiVersion": "v1", "items": .array(items)] }

  private static func node(_ name: String, _ instance: String, _ address: String, _ zone: String) -> JSON {
    [
      "metadata": [
        "name": .string(name),
        "labels": ["eks.amazonaws.com/nodegroup": "ng1", "topology.kubernetes.io/zone": .string(zone)],
      ],
      "spec": ["providerID": .string("aws:///\(zone)/\(instance)")],
      "status": ["addresses": [["type": "InternalIP", "address": .string(address)]], "nodeInfo": ["osImage": "x"]],
    ]
  }

  private static func pod(_ name: String, _ node: String, _ address: String) -> JSON {
    [
      "metadata": ["name": .string(name), "namespace": "shop"],
      "spec": [
        "nodeName": .string(node),
        "containers": [["name": "app", "ports": [["name": "http", "containerPort": 8080]]]],
      ], "status": ["phase": "Running", "podIP": .string(address)],
    ]
  }

  private static func eni(
    _ id: String, _ subnet: String, _ instance: String, _ addresses: [String], group: String = "sg-node"
  ) -> JSON {
    [
      "NetworkInterfaceId": .string(id), "SubnetId": .string(subnet), "VpcId": "vpc-1", "Status": "in-use",
      "Description": "", "Groups": [["GroupId": .string(group), "GroupName": .string(group)]],
      "Attachment": ["InstanceId": .string(instance), "DeviceIndex": 0, "Status": "attached"],
      "PrivateIpAddresses": .array(
        addresses.enumerated().map { ["PrivateIpAddress": .string($0.element), "Primary": .bool($0.offset == 0)] }),
      "Ipv4Prefixes": [], "TagSet": [], "SourceDestCheck": true,
    ]
  }

  private static func slice(_ service: String, _ endpoints: [(String, String?)], port: Int, name: String) -> JSON {
    [
      "metadata": [
        "name": .string("\(service)-x"), "namespace": "shop",
        "labels": ["kubernetes.io/service-name": .string(service)],
      ], "addressType": "IPv4",
      "ports": [["name": .string(name), "port": .int(Int64(port)), "protocol": "TCP"]],
      "endpoints": .array(
        endpoints.map { address, node in
          ["addresses": [.string(address)], "nodeName": JSON(node), "conditions": ["ready": true]]
        }),
    ]
  }

  static func healthy() -> Files {
    var f: Files = [:]
    f["aws/eks/describe-cluster--name=demo"] = [
      "cluster": [
        "name": "demo", "arn": "arn:aws:eks:us-east-1:111122223333:cluster/demo", "status": "ACTIVE",
        "resourcesVpcConfig": [
          "vpcId": "vpc-1", "endpointPublicAccess": true, "endpointPrivateAccess": false,
          "publicAccessCidrs": ["203.0.113.0/24"],
        ],
      ]
    ]
    f["aws/ec2/describe-vpcs"] = ["Vpcs": [["VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"]]]
    f["aws/ec2/describe-subnets"] = [
      "Subnets": [
        ["SubnetId": "subnet-a", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"],
        ["SubnetId": "subnet-b", "VpcId": "vpc-1", "CidrBlock": "10.0.2.0/24"],
      ]
    ]
    f["aws/ec2/describe-route-tables"] = [
      "RouteTables": [
        [
          "RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [["Main": true]],
          "Routes": [
            ["DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"],
            ["DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"],
          ],
        ]
      ]
    ]
    var entries: [JSON] = []
    for egress in [true, false] {
      entries.append([
        "RuleNumber": 100, "Egress": .bool(egress), "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "0.0.0.0/0",
      ])
    }
    f["aws/ec2/describe-network-acls"] = [
      "NetworkAcls": [
        [
          "NetworkAclId": "acl-1", "VpcId": "vpc-1", "Entries": .array(entries),
          "Associations": [["SubnetId": "subnet-a"], ["SubnetId": "subnet-b"]],
        ]
      ]
    ]
    let all: JSON = ["IpProtocol": "-1", "IpRanges": [["CidrIp": "0.0.0.0/0"]]]
    f["aws/ec2/describe-security-groups"] = [
      "SecurityGroups": [
        [
          "GroupId": "sg-node", "VpcId": "vpc-1", "IpPermissionsEgress": [all],
          "IpPermissions": [["IpProtocol": "-1", "UserIdGroupPairs": [["GroupId": "sg-node"]]]],
        ],
        ["GroupId": "sg-other", "VpcId": "vpc-1", "IpPermissionsEgress": [all], "IpPermissions": []],
      ]
    ]
    f["aws/ec2/describe-nat-gateways"] = ["NatGateways": []]
    f["aws/ec2/describe-instances"] = [
      "Reservations": [
        [
          "Instances": [
            ["InstanceId": "i-1", "VpcId": "vpc-1", "MetadataOptions": ["HttpPutResponseHopLimit": 1]],
            ["InstanceId": "i-2", "VpcId": "vpc-1", "MetadataOptions": ["HttpPutResponseHopLimit": 2]],
          ]
        ]
      ]
    ]
    f["aws/ec2/describe-network-interfaces"] = [
      "NetworkInterfaces": [
        eni("eni-1", "subnet-a", "i-1", ["10.0.1.10", "10.0.1.20"]),
        eni("eni-2", "subnet-b", "i-2", ["10.0.2.10", "10.0.2.20"]),
      ]
    ]
    f["kubernetes/nodes"] = list([
      node("n1", "i-1", "10.0.1.10", "us-east-1a"), node("n2", "i-2", "10.0.2.10", "us-east-1b"),
    ])
    f["kubernetes/pods"] = list([pod("a", "n1", "10.0.1.20"), pod("b", "n2", "10.0.2.20")])
    f["kubernetes/services"] = list([
      [
        "metadata": ["name": "web", "namespace": "shop"],
        "spec": [
          "type": "ClusterIP", "clusterIP": "10.100.0.20",
          "ports": [["name": "http", "port": 80, "protocol": "TCP"]],
        ],
      ]
    ])
    f["kubernetes/endpointslices.discovery.k8s.io"] = list([
      slice("web", [("10.0.1.20", "n1"), ("10.0.2.20", "n2")], port: 8080, name: "http")
    ])
    f["kubernetes/daemonsets.apps"] = list(
      ["aws-node", "kube-proxy"].map { name in
        [
          "metadata": ["name": .string(name), "namespace": "kube-system"],
          "spec": ["template": ["spec": ["containers": [["name": .string(name), "env": []]]]]],
        ]
      })
    return f
  }

  private func trace(
    _ files: Files, _ from: String, _ to: String, _ transport: Transport = .tcp
  ) async throws -> TraceReport {
    let source = BundleSource(files: files, manifest: ["capturedAt": "2026-11-22T12:04:15Z"])
    let reader = EvidenceReader(source)
    let target = Target(cluster: "demo", account: "111122223333", region: "us-east-1")
    let world = Investigation(reader, target: target, now: await reader.now())
    return try await Tracer(world, namespace: "shop", transport: transport).trace(
      from: TraceEnd(from)!, to: TraceEnd(to)!)
  }

  private func edit(_ files: inout Files, _ path: String, _ change: (inout JSON) -> Void) {
    var value = files[path] ?? .null
    change(&value)
    files[path] = value
  }

  @Test func whatWorksIsToldHopByHop() async throws {
    let report = try await trace(Self.healthy(), "pod/a", "pod/b")
    #expect(report.answer.status == .healthy, "\(report.text)")
    #expect(report.exitStatus == 0)
    #expect(report.paths.count == 1)
    #expect(report.text.contains("pod/a reaches pod/b:8080, and is answered"))
    #expect(report.text.contains("sg-node lets it out"))
    let service = try await trace(Self.healthy(), "pod/a", "svc/web")
    #expect(service.answer.status == .healthy, "\(service.text)")
    #expect(service.paths.map(\.share) == [0.5, 0.5])
  }

  @Test func aGroupThatDeniesIsTheRootAndHasAFix() async throws {
    var files = Self.healthy()
    edit(&files, "aws/ec2/describe-network-interfaces") {
      $0["NetworkInterfaces"][1]["Groups"] = [["GroupId": "sg-other"]]
    }
    let report = try await trace(files, "pod/a", "pod/b")
    #expect(report.answer.status == .failing && report.exitStatus == 1)
    #expect(report.answer.roots.map(\.cause.code) == ["packets/group-ingress"])
    let command = report.answer.roots[0].cause.fixes[0].command ?? ""
    #expect(command.contains("authorize-security-group-ingress --group-id sg-other"))
    #expect(command.contains("IpProtocol=tcp,FromPort=8080,ToPort=8080,UserIdGroupPairs=[{GroupId=sg-node}]"))
    // Of a service the half fails that leads there.
    let service = try await trace(files, "pod/a", "svc/web")
    #expect(service.answer.summary.contains("by 1 of 2 ways; 50% of connections fail: connections time out"))
  }

  @Test func withoutTheDecidingReadNothingIsProved() async throws {
    var files = Self.healthy()
    edit(&files, "aws/ec2/describe-network-interfaces") {
      $0["NetworkInterfaces"][1]["Groups"] = [["GroupId": "sg-other"]]
    }
    files["aws/ec2/describe-security-groups"] = nil
    let report = try await trace(files, "pod/a", "pod/b")
    #expect(report.answer.status == .unproven && report.exitStatus == 2)
    #expect(report.answer.roots.isEmpty)
    #expect(report.answer.gaps.contains { $0.gap.read.hasPrefix("ec2:DescribeSecurityGroups") && $0.isDeciding })
  }

  @Test func anACLForgetsTheWayBack() async throws {
    var files = Self.healthy()
    edit(&files, "aws/ec2/describe-network-acls") { acls in
      acls["NetworkAcls"][0]["Associations"] = [["SubnetId": "subnet-a"]]
      acls["NetworkAcls"].append([
        "NetworkAclId": "acl-2", "VpcId": "vpc-1", "Associations": [["SubnetId": "subnet-b"]],
        "Entries": [
          [
            "RuleNumber": 100, "Egress": false, "RuleAction": "allow", "Protocol": "6", "CidrBlock": "10.0.0.0/16",
            "PortRange": ["From": 8080, "To": 8080],
          ]
        ],
      ])
    }
    let report = try await trace(files, "pod/a", "pod/b")
    #expect(report.answer.roots.map(\.cause.code) == ["packets/acl-egress"], "\(report.text)")
    #expect(report.text.contains("arrives; the answer stops on its way back"))
    #expect(report.answer.roots[0].cause.fixes[0].command?.contains("--port-range From=1024,To=65535") == true)
  }

  @Test func servicesWithoutEndpoints() async throws {
    var files = Self.healthy()
    edit(&files, "kubernetes/endpointslices.discovery.k8s.io") { $0["items"] = [] }
    let none = try await trace(files, "pod/a", "svc/web:80")
    #expect(none.answer.roots.map(\.cause.code) == ["packets/no-endpoints"])
    #expect(none.answer.summary.contains("connections are refused"))
    files = Self.healthy()
    edit(&files, "kubernetes/services") { $0["items"][0]["spec"]["internalTrafficPolicy"] = "Local" }
    edit(&files, "kubernetes/endpointslices.discovery.k8s.io") {
      $0["items"][0]["endpoints"] = [$0["items"][0]["endpoints"][1]]
    }
    let local = try await trace(files, "pod/a", "svc/web:80")
    #expect(local.answer.roots.map(\.cause.code) == ["packets/no-local-endpoints"])
    #expect(local.answer.roots[0].cause.statement.contains("internalTrafficPolicy Local and no endpoint on node n1"))
  }

  @Test func metadataAndTheAPIServer() async throws {
    let metadata = try await trace(Self.healthy(), "pod/a", "imds")
    #expect(metadata.answer.roots.map(\.cause.code) == ["packets/metadata-hop-limit"])
    #expect(try await trace(Self.healthy(), "pod/b", "imds").answer.status == .healthy)
    #expect(try await trace(Self.healthy(), "node/n1", "imds").answer.status == .healthy)
    // No public address, so nothing gets out of an Internet gateway.
    let endpoint = try await trace(Self.healthy(), "node/n1", "apiserver")
    #expect(endpoint.answer.roots.map(\.cause.code) == ["packets/no-public-address"], "\(endpoint.text)")
    var files = Self.healthy()
    edit(&files, "aws/ec2/describe-network-interfaces") {
      $0["NetworkInterfaces"][0]["PrivateIpAddresses"][0]["Association"] = ["PublicIp": "198.51.100.7"]
    }
    let denied = try await trace(files, "node/n1", "apiserver")
    #expect(denied.answer.roots.map(\.cause.code) == ["packets/public-access"], "\(denied.text)")
    edit(&files, "aws/eks/describe-cluster--name=demo") {
      $0["cluster"]["resourcesVpcConfig"]["publicAccessCidrs"] = ["0.0.0.0/0"]
    }
    #expect(try await trace(files, "node/n1", "apiserver").answer.status == .healthy)
  }

  @Test func endsAreReadAsWritten() {
    #expect(TraceEnd("pod/a")?.kind == .pod("a"))
    #expect(TraceEnd("svc/web:http")?.portName == "http")
    #expect(TraceEnd("10.0.0.1:443") == TraceEnd("10.0.0.1:443"))
    #expect(TraceEnd("imds")?.kind == .metadata)
    #expect(TraceEnd("deployment/x") == nil)
    #expect(TraceEnd("nonsense") == nil)
  }
}
