import Mechanisms
import Testing
import Wire

@Suite struct PodResolverTests {
  static let node = ResolverConfiguration(
    nameservers: ["192.168.0.2"], searches: ["eu-west-1.compute.internal"], options: ["timeout:2", "attempts:5"])

  static func facts(_ spec: JSON, clusterDNS: [String] = ["10.100.0.10"]) -> PodResolver.Facts {
    .read(
      pod: ["metadata": ["namespace": "default"], "spec": spec], source: .world, clusterDNS: .known(clusterDNS),
      node: .known(node))
  }

  static func text(_ spec: JSON) -> String? { PodResolver.decide(facts(spec)).value?.configuration.text }

  @Test func clusterFirst() {
    #expect(
      Self.text([:])
        == "search default.svc.cluster.local svc.cluster.local cluster.local eu-west-1.compute.internal\nnameserver 10.100.0.10\noptions ndots:5\n"
    )
  }

  @Test(arguments: [["dnsPolicy": "Default"] as JSON, ["hostNetwork": true]])
  func nodesOwn(_ spec: JSON) {
    #expect(
      Self.text(spec) == "search eu-west-1.compute.internal\nnameserver 192.168.0.2\noptions timeout:2 attempts:5\n")
  }

  @Test func hostNetworkWithClusterDNS() {
    #expect(
      Self.text(["hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"])?.contains("10.100.0.10") == true)
  }

  @Test func configOverAndBeside() {
    let config: JSON = [
      "nameservers": ["1.1.1.1"], "searches": ["example.com", "cluster.local"],
      "options": [["name": "ndots", "value": "2"], ["name": "edns0"]],
    ]
    #expect(
      Self.text(["dnsConfig": config])
        == "search default.svc.cluster.local svc.cluster.local cluster.local eu-west-1.compute.internal example.com\nnameserver 10.100.0.10\nnameserver 1.1.1.1\noptions ndots:2 edns0\n"
    )
    #expect(
      Self.text(["dnsPolicy": "None", "dnsConfig": config])
        == "search example.com cluster.local\nnameserver 1.1.1.1\noptions ndots:2 edns0\n")
  }

  @Test func limitsAreTold() {
    let many = (0..<40).map { JSON.string("d\($0).example.com") }
    let outcome = PodResolver.decide(
      Self.facts(["dnsConfig": ["searches": .array(many), "nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3"]]])
    ).value!
    #expect(outcome.configuration.searches.count == 32)
    #expect(outcome.configuration.nameservers == ["10.100.0.10", "1.1.1.1", "2.2.2.2"])
    #expect(outcome.events.map(\.reason) == ["DNSConfigForming", "DNSConfigForming"])
    #expect(
      outcome.events[0].message
        == "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 10.100.0.10 1.1.1.1 2.2.2.2"
    )
    #expect(
      outcome.events[1].message.hasPrefix(
        "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: default.svc.cluster.local "
      ))
  }

  @Test func missingClusterDNS() {
    let outcome = PodResolver.decide(Self.facts([:], clusterDNS: [])).value!
    #expect(outcome.configuration == Self.node)
    #expect(outcome.events[0].reason == "MissingClusterDNS")
    #expect(
      outcome.events[0].nodeMessage
        == "kubelet does not have ClusterDNS IP configured and cannot create Pod using \"ClusterFirst\" policy. Falling back to \"Default\" policy."
    )
  }

  @Test func optionsOfDHCP() {
    let dhcp: JSON = [
      "DhcpConfigurations": [
        ["Key": "domain-name", "Values": [["Value": "corp.example"]]],
        ["Key": "domain-name-servers", "Values": [["Value": "10.9.0.1"], ["Value": "AmazonProvidedDNS"]]],
      ]
    ]
    let node = ResolverConfiguration.node(region: "us-west-2", vpcBlock: CIDR("10.0.0.0/16"), dhcp: dhcp)
    #expect(node == ResolverConfiguration(nameservers: ["10.9.0.1", "10.0.0.2"], searches: ["corp.example"]))
    #expect(ResolverConfiguration.node(region: "us-east-1", vpcBlock: nil).searches == ["ec2.internal"])
  }
}
