import Evidence
import Foundation
import Mechanisms
import Testing
import Why
import Wire

/// Why names resolve, in how many queries, and why not.
@Suite struct NameTests {
  static let corefile =
    ".:53 {\n    errors\n    health\n    ready\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n      pods insecure\n      fallthrough in-addr.arpa ip6.arpa\n    }\n    forward . /etc/resolv.conf\n    cache 30\n    loop\n    reload\n    loadbalance\n}\n"

  static func list(_ items: [JSON]) -> JSON { ["kind": "List", "apiVersion": "v1", "items": .array(items)] }

  static func service(_ name: String, _ namespace: String, ip: String, app: String, port: Int = 80) -> JSON {
    [
      "metadata": ["name": .string(name), "namespace": .string(namespace)],
      "spec": [
        "type": "ClusterIP", "clusterIP": .string(ip), "selector": ["app": .string(app)],
        "ports": [["name": "p", "port": .int(Int64(port)), "protocol": "TCP"]],
      ],
    ]
  }

  static func slice(_ service: String, _ namespace: String, _ endpoints: [(pod: String, address: String, ready: Bool)])
    -> JSON
  {
    [
      "metadata": [
        "name": .string(service + "-x"), "namespace": .string(namespace),
        "labels": ["kubernetes.io/service-name": .string(service)],
      ],
      "ports": [["name": "p", "port": 80, "protocol": "TCP"]],
      "endpoints": .array(
        endpoints.map { endpoint in
          [
            "addresses": [.string(endpoint.address)], "conditions": ["ready": .bool(endpoint.ready)],
            "targetRef": ["kind": "Pod", "name": .string(endpoint.pod)],
          ]
        }),
    ]
  }

  /// A cluster with CoreDNS, a service `web` in `shop`, a headless one `peers`, and a pod that asks.
  static func cluster(corefile: String = NameTests.corefile, dnsReady: Bool = true) -> Fixture {
    var f = Fixture.healthy()
    f.files["kubernetes/namespaces"] = list(
      ["default", "kube-system", "shop"].map { ["metadata": ["name": .string($0)]] })
    f.files["kubernetes/services"] = list([
      service("kube-dns", "kube-system", ip: "10.100.0.10", app: "coredns", port: 53),
      service("web", "shop", ip: "10.100.7.7", app: "web"), service("peers", "shop", ip: "None", app: "peers"),
    ])
    f.files["kubernetes/endpointslices.discovery.k8s.io"] = list([
      slice("kube-dns", "kube-system", [("coredns-1", "10.0.30.50", dnsReady)]),
      slice("peers", "shop", [("peers-0", "10.0.30.60", false)]),
    ])
    f.files["kubernetes/deployments.apps"] = list([
      [
        "metadata": ["name": "coredns", "namespace": "kube-system"],
        "spec": ["replicas": 2, "template": ["spec": ["dnsPolicy": "Default"]]],
      ]
    ])
    f.add(
      "kubernetes/configmaps",
      ["metadata": ["name": "coredns", "namespace": "kube-system"], "data": ["Corefile": .string(corefile)]])
    var dns = Fixture.pod("coredns-1", "kube-system", node: 1, app: "coredns", address: "10.0.30.50", ready: dnsReady)
    dns["spec"]["dnsPolicy"] = "Default"
    if !dnsReady {
      dns["status"]["containerStatuses"][0]["restartCount"] = 6
      dns["status"]["containerStatuses"][0]["state"] = [
        "waiting": ["reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"]
      ]
      dns["status"]["containerStatuses"][0]["lastState"] = [
        "terminated": ["exitCode": 1, "reason": "Error", "finishedAt": "2026-11-22T12:03:00Z"]
      ]
    }
    f.add("kubernetes/pods", dns)
    f.add("kubernetes/pods", Fixture.pod("peers-0", "shop", node: 1, app: "peers", address: "10.0.30.60", ready: false))
    var client = Fixture.pod("client", "shop", node: 1, app: "client", address: "10.0.30.70")
    client["spec"]["dnsPolicy"] = "ClusterFirst"
    f.add("kubernetes/pods", client)
    f.files["kubernetes/logs/kube-system/coredns-1/coredns"] = "CoreDNS-1.11.4\n"
    f.edit("kubernetes/nodes") { list in
      var items = list["items"].items
      for index in items.indices { items[index]["status"]["nodeInfo"]["kernelVersion"] = "6.1.158" }
      list["items"] = .array(items)
    }
    f.files["aws/ec2/describe-vpcs"] = [
      "Vpcs": [["VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "DhcpOptionsId": "dopt-1"]]
    ]
    f.files["aws/ec2/describe-dhcp-options"] = [
      "DhcpOptions": [
        [
          "DhcpOptionsId": "dopt-1",
          "DhcpConfigurations": [
            ["Key": "domain-name", "Values": [["Value": "ec2.internal"]]],
            ["Key": "domain-name-servers", "Values": [["Value": "AmazonProvidedDNS"]]],
          ],
        ]
      ]
    ]
    for name in ["enableDnsSupport", "enableDnsHostnames"] {
      f.files["aws/ec2/describe-vpc-attribute--attribute=\(name.lowercased()),vpcid=vpc-1"] = [
        name.prefix(1).uppercased() + name.dropFirst(): ["Value": true]
      ]
      f.files["aws/ec2/describe-vpc-attribute--attribute=\(name),vpcid=vpc-1"] = [
        name.prefix(1).uppercased() + name.dropFirst(): ["Value": true]
      ]
    }
    f.files["aws/ec2/describe-vpc-endpoints"] = ["VpcEndpoints": []]
    return f
  }

  static func ask(_ f: Fixture, _ name: String, from asker: String? = "client") async throws -> Answer {
    try await f.ask { why in
      try await why.ask(Subject(kind: "name", name: name, namespace: "shop", asker: asker))
    }
  }

  /// The article's figures: what each name costs.
  @Test(arguments: [
    ("web", "10.100.7.7", "2 queries"), ("web.shop", "10.100.7.7", "4 queries"),
    ("web.shop.svc.cluster.local", "10.100.7.7", "10 queries"),
    ("web.shop.svc.cluster.local.", "10.100.7.7", "2 queries"),
    ("sts.us-east-1.amazonaws.com", "its public address", "10 queries"),
    ("sts.us-east-1.amazonaws.com.", "its public address", "2 queries"),
  ])
  func aNameThatResolvesIsToldWithItsQueries(_ name: String, _ address: String, _ count: String) async throws {
    let answer = try await Self.ask(Self.cluster(), name)
    #expect(answer.status == .healthy, "\(answer.gaps.map(\.gap))")
    #expect(answer.summary.hasSuffix("gets \(address) in \(count)"), "\(answer.summary)")
    #expect(answer.chain.first?.code == "names/answered")
  }

  @Test func aServiceOfAnotherNamespaceIsNamed() async throws {
    var f = Self.cluster()
    f.edit("kubernetes/services") { list in
      list["items"].append(Self.service("cart", "default", ip: "10.100.7.9", app: "cart"))
    }
    let answer = try await Self.ask(f, "cart")
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "names/nothing-of-that-name")
    #expect(root.fixes.first?.statement == "ask for cart.default")
    #expect(try await Self.ask(f, "cart.default").status == .healthy)
  }

  @Test func aHeadlessServiceWithoutReadyEndpointsLeadsToItsPods() async throws {
    let answer = try await Self.ask(Self.cluster(), "peers")
    #expect(answer.chain.first?.code == "names/missing")
    #expect(answer.chain.first?.statement.contains("none is ready") == true)
    #expect(answer.chain.contains { $0.entity.name == "peers-0" } || answer.status == .unproven)
    var f = Self.cluster()
    f.edit("kubernetes/endpointslices.discovery.k8s.io") { list in
      list["items"] = .array(list["items"].items.filter { $0["metadata"]["name"].string != "peers-x" })
    }
    let empty = try await Self.ask(f, "peers")
    #expect(empty.roots.first?.cause.code == "names/no-pods-selected")
  }

  @Test func aCorefileThatIsRefusedIsTheRoot() async throws {
    let broken = Self.corefile.replacing("forward .", with: "forwrd .")
    let answer = try await Self.ask(Self.cluster(corefile: broken, dnsReady: false), "web")
    #expect(answer.status == .failing)
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "names/corefile-refused")
    #expect(root.statement.contains("/etc/coredns/Corefile:9 - Error during parsing: Unknown directive 'forwrd'"))
    #expect(root.evidence.first?.text.contains("`forwrd . /etc/resolv.conf`") == true)
  }

  @Test func aLoopIsTheRoot() async throws {
    let looping = Self.corefile.replacing("/etc/resolv.conf", with: "127.0.0.1")
    let answer = try await Self.ask(Self.cluster(corefile: looping, dnsReady: false), "web")
    #expect(answer.roots.first?.cause.code == "names/dns-loop")
  }

  @Test func coreDNSScaledToNothing() async throws {
    var f = Self.cluster(dnsReady: false)
    f.edit("kubernetes/pods") { list in
      list["items"] = .array(list["items"].items.filter { $0["metadata"]["name"].string != "coredns-1" })
    }
    f.edit("kubernetes/deployments.apps", named: "coredns") { $0["spec"]["replicas"] = 0 }
    let answer = try await Self.ask(f, "web")
    #expect(answer.roots.first?.cause.code == "names/dns-scaled-down")
    #expect(answer.roots.first?.cause.fixes.first?.command?.contains("scale deployment coredns") == true)
  }

  @Test func theVPCsResolverIsSwitchedOff() async throws {
    var f = Self.cluster()
    for path in f.files.keys
    where path.contains("attribute=enablednssupport") || path.contains("attribute=enableDnsSupport") {
      f.files[path] = ["EnableDnsSupport": ["Value": false]]
    }
    let answer = try await Self.ask(f, "sts.us-east-1.amazonaws.com")
    #expect(answer.roots.first?.cause.code == "names/dns-support-off", "\(answer.summary) \(answer.gaps.map(\.gap))")
    // What is the cluster's own resolves all the same.
    #expect(try await Self.ask(f, "web").status == .healthy)
  }

  @Test func anEndpointsPrivateNameLeadsToItsInterfaces() async throws {
    var f = Self.cluster()
    f.files["aws/ec2/describe-vpc-endpoints"] = [
      "VpcEndpoints": [
        [
          "VpcEndpointId": "vpce-1", "VpcEndpointType": "Interface", "VpcId": "vpc-1", "PrivateDnsEnabled": true,
          "ServiceName": "com.amazonaws.us-east-1.sts", "NetworkInterfaceIds": ["eni-e"],
          "DnsEntries": [
            ["DnsName": "vpce-1-x.sts.us-east-1.vpce.amazonaws.com"], ["DnsName": "sts.us-east-1.amazonaws.com"],
          ],
        ]
      ]
    ]
    f.edit("aws/ec2/describe-network-interfaces") { answer in
      answer["NetworkInterfaces"].append([
        "NetworkInterfaceId": "eni-e", "VpcId": "vpc-1", "SubnetId": "subnet-0c3", "PrivateIpAddress": "10.0.1.77",
      ])
    }
    let answer = try await Self.ask(f, "sts.us-east-1.amazonaws.com")
    #expect(answer.summary.contains("gets 10.0.1.77 in 10 queries"), "\(answer.summary)")
    #expect(
      answer.chain.first?.statement.contains("the private DNS of vpce-1 answers") == true,
      "\(answer.chain.map(\.statement))")
    // The global name is another one.
    #expect(try await Self.ask(f, "sts.amazonaws.com").summary.contains("its public address"))
  }

  @Test func withoutTheDecidingReadNothingIsProved() async throws {
    var f = Self.cluster()
    f.remove("kubernetes/services")
    let answer = try await Self.ask(f, "web.shop")
    #expect(answer.status == .unproven)
    #expect(answer.gaps.contains { $0.gap.read.contains("services") })
    var g = Self.cluster()
    g.remove("aws/ec2/describe-vpc-endpoints")
    let outside = try await Self.ask(g, "sts.us-east-1.amazonaws.com")
    #expect(outside.status == .unproven)
    #expect(outside.gaps.contains { $0.gap.read.contains("DescribeVpcEndpoints") })
  }

  @Test func loudEventsChangeNothing() async throws {
    var f = Self.cluster()
    f.add(
      "kubernetes/events",
      [
        "metadata": ["name": "e1", "namespace": "shop"], "reason": "FailedScheduling", "type": "Warning",
        "message": "0/2 nodes are available", "involvedObject": ["kind": "Pod", "name": "other", "namespace": "shop"],
        "lastTimestamp": "2026-11-22T12:04:00Z",
      ])
    #expect(try await Self.ask(f, "web").status == .healthy)
  }

  @Test func aPodThatIsNotThere() async throws {
    await #expect(throws: QuestionError.self) { try await Self.ask(Self.cluster(), "web", from: "nobody") }
  }

  /// CoreDNS's log tells of queries without an answer; the node's counter that its interface dropped them.
  @Test(arguments: [(7, ["names/dns-on-one-node"]), (0, []), (nil, [])] as [(Int?, [String])])
  func allNameServersBehindOneInterface(dropped: Int?, roots: [String]) async throws {
    var f = Self.cluster()
    var second = Fixture.pod("coredns-2", "kube-system", node: 1, app: "coredns", address: "10.0.30.51")
    second["spec"]["dnsPolicy"] = "Default"
    f.add("kubernetes/pods", second)
    f.edit("kubernetes/endpointslices.discovery.k8s.io") { list in
      list["items"][0] = Self.slice(
        "kube-dns", "kube-system", [("coredns-1", "10.0.30.50", true), ("coredns-2", "10.0.30.51", true)])
    }
    f.files["kubernetes/logs/kube-system/coredns-1/coredns"] =
      "[ERROR] plugin/errors: 2 example.com. A: read udp 10.0.30.50:40000->10.0.0.2:53: i/o timeout\n"
    f.files["kubernetes/logs/kube-system/coredns-2/coredns"] = "CoreDNS-1.11.4\n"
    var logs: NodeLogs?
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    if let dropped {
      let node = "\(folder)/\(Fixture.nodeName(1))"
      try FileManager.default.createDirectory(atPath: node, withIntermediateDirectories: true)
      try "NIC statistics:\n     linklocal_allowance_exceeded: \(dropped)\n".write(
        toFile: "\(node)/ethtool.txt", atomically: true, encoding: .utf8)
      logs = try NodeLogs(folder: folder)
    }
    let answer = try await f.ask(nodeLogs: logs) { why in
      try await why.ask(Subject(kind: "name", name: "example.com", namespace: "shop", asker: "client"))
    }
    #expect(answer.roots.map(\.cause.code) == roots, "\(answer.summary) \(answer.gaps.map(\.gap))")
    #expect(answer.chain.contains { $0.code == "names/upstream-times-out" })
    #expect(answer.gaps.contains { $0.gap.read.contains("ethtool -S") } == (dropped == nil))
  }
}
