import Evidence
import Mechanisms
import Testing
import Why
import Wire

/// Probes of pods with an interface of their own go by the VPC: what stops them there is no slowness of the program.
@Suite struct ProbeWayTests {
  private static let late =
    "Get \"http://10.0.1.140:8080/health\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"

  /// `groupAdmits`: a rule of the pod's group for the nodes' group. `demux`: the kernel's early demultiplexing is on.
  static func cluster(groupAdmits: Bool, demux: Bool, hasBranch: Bool = true, strict: Bool = true) -> Fixture {
    let spec: JSON = ["name": "c", "readinessProbe": ["httpGet": ["path": "/health", "port": 8080]]]
    var f = ContainerTests.pod(spec: spec, status: ContainerTests.running)
    ContainerTests.unhealthy(&f, "Readiness", late)
    let address = hasBranch ? "10.0.1.140" : "10.0.30.32"
    f.edit("kubernetes/pods", named: "web-1") { pod in
      pod["status"]["podIP"] = .string(address)
      pod["status"]["phase"] = "Running"
      guard hasBranch else { return }
      pod["metadata"]["annotations"]["vpc.amazonaws.com/pod-eni"] = .string(
        PodENI(eni: "eni-b", mac: "", address: address, vlan: 1, subnetCIDR: "10.0.1.0/24", association: "").text)
    }
    f.setSubnet(cidr: "10.0.1.0/24", free: 100)
    let network = TraceTests.healthy()
    f.files["aws/ec2/describe-route-tables"] = network["aws/ec2/describe-route-tables"]
    f.files["aws/ec2/describe-network-acls"] = network["aws/ec2/describe-network-acls"]
    f.edit("aws/ec2/describe-network-acls") {
      $0["NetworkAcls"][0]["Associations"] = [["SubnetId": "subnet-0c3"]]
    }
    f.files["aws/ec2/describe-nat-gateways"] = network["aws/ec2/describe-nat-gateways"]
    let all: JSON = ["IpProtocol": "-1", "IpRanges": [["CidrIp": "0.0.0.0/0"]]]
    let admitted: JSON = [
      "IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [["GroupId": "sg-node"]],
    ]
    f.files["aws/ec2/describe-security-groups"] = [
      "SecurityGroups": [
        [
          "GroupId": "sg-node", "VpcId": "vpc-1", "IpPermissionsEgress": [all],
          "IpPermissions": [["IpProtocol": "-1", "UserIdGroupPairs": [["GroupId": "sg-node"]]]],
        ],
        [
          "GroupId": "sg-pod", "VpcId": "vpc-1", "IpPermissionsEgress": [all],
          "IpPermissions": groupAdmits ? [admitted] : [],
        ],
      ]
    ]
    f.edit("aws/ec2/describe-network-interfaces") { answer in
      var interfaces = answer["NetworkInterfaces"].items
      for index in interfaces.indices { interfaces[index]["Groups"] = [["GroupId": "sg-node"]] }
      interfaces.append([
        "NetworkInterfaceId": "eni-b", "InterfaceType": "branch", "SubnetId": "subnet-0c3", "VpcId": "vpc-1",
        "Status": "in-use", "Description": "aws-k8s-branch-eni", "Groups": [["GroupId": "sg-pod"]], "TagSet": [],
        "PrivateIpAddresses": [["PrivateIpAddress": "10.0.1.140", "Primary": true]], "Ipv4Prefixes": [],
      ])
      answer["NetworkInterfaces"] = .array(interfaces)
    }
    var environment = [("ENABLE_POD_ENI", "true")]
    if !strict { environment.append(("POD_SECURITY_GROUP_ENFORCING_MODE", "standard")) }
    func settle(_ spec: inout JSON) {
      spec["containers"] = [
        [
          "name": "aws-node",
          "env": .array(environment.map { ["name": .string($0.0), "value": .string($0.1)] }),
        ]
      ]
      spec["initContainers"] = [
        [
          "name": "aws-vpc-cni-init",
          "env": [["name": "DISABLE_TCP_EARLY_DEMUX", "value": .string(demux ? "false" : "true")]],
        ]
      ]
    }
    f.edit("kubernetes/daemonsets.apps", named: "aws-node") { settle(&$0["spec"]["template"]["spec"]) }
    f.edit("kubernetes/pods") { list in
      var items = list["items"].items
      for index in items.indices where items[index]["metadata"]["labels"]["k8s-app"].string == "aws-node" {
        settle(&items[index]["spec"])
      }
      list["items"] = .array(items)
    }
    for path in ["kubernetes/services", "kubernetes/endpointslices.discovery.k8s.io"] where f.files[path] == nil {
      f.files[path] = ["kind": "List", "apiVersion": "v1", "items": []]
    }
    return f
  }

  @Test(arguments: [
    (false, true, "packets/group-ingress"), (true, true, "packets/tcp-early-demux"),
    (true, false, "application/probe-times-out"), (false, false, "packets/group-ingress"),
  ])
  func whatStopsAProbe(groupAdmits: Bool, demux: Bool, code: String) async throws {
    let answer = try await Self.cluster(groupAdmits: groupAdmits, demux: demux).ask("pod", "web-1", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == [code], "\(answer.summary) \(answer.gaps.map(\.gap))")
    if code.hasPrefix("packets/") { #expect(answer.roots.first?.cause.fixes.first?.command != nil) }
  }

  /// On the node's own pairs of interfaces no group decides, and in standard mode none between a node and its pods.
  @Test func onOneMachineNothingIsStopped() async throws {
    for f in [
      Self.cluster(groupAdmits: false, demux: true, hasBranch: false),
      Self.cluster(groupAdmits: false, demux: true, strict: false),
    ] {
      let answer = try await f.ask("pod", "web-1", namespace: "shop")
      #expect(answer.roots.map(\.cause.code) == ["application/probe-times-out"], "\(answer.gaps.map(\.gap))")
    }
  }

  @Test(arguments: [
    "aws/ec2/describe-security-groups", "aws/ec2/describe-network-interfaces", "aws/eks/describe-cluster--name=demo",
  ])
  func withoutTheDecidingReadNothingIsProved(path: String) async throws {
    var f = Self.cluster(groupAdmits: false, demux: false)
    f.remove(path)
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(answer.status == .unproven && answer.roots.isEmpty, "\(answer.summary) \(answer.roots.map(\.cause.code))")
  }
}
