import Mechanisms
import Testing
import Wire

@Suite struct NodesTests {
  @Test(arguments: [
    ("us-east-1", "ip-10-0-1-23.ec2.internal"), ("eu-west-1", "ip-10-0-1-23.eu-west-1.compute.internal"),
  ])
  func privateNames(region: String, name: String) {
    let address = IPv4Address("10.0.1.23")!
    #expect(NodeName.privateDNSName(address: address, instanceID: "i-0a", region: region) == name)
    #expect(
      NodeName.privateDNSName(address: address, instanceID: "i-0a", region: "us-east-1", hostnameType: .resource)
        == "i-0a.ec2.internal")
    #expect(NodeName.instanceID(providerID: "aws:///us-east-1a/i-0a") == "i-0a")
  }

  @Test(arguments: [
    ("10.100.0.0/16", "10.100.0.10"), ("172.20.0.0/16", "172.20.0.10"),
    ("fd30:1c53:5f8a::/108", "fd30:1c53:5f8a::a"),
  ])
  func clusterDNS(cidr: String, address: String) { #expect(Bootstrap.clusterDNS(serviceCIDR: cidr) == address) }

  static let instance = Bootstrap.Instance(
    id: "i-0123456789abcdef0", type: "m5.large", region: "us-east-1", zone: "us-east-1a",
    address: IPv4Address("10.0.1.23")!, privateDNSName: "ip-10-0-1-23.ec2.internal")

  static let config = NodeConfig(documents: [
    NodeConfig.document(
      cluster: "demo", endpoint: "https://x", certificateAuthority: "Y2E=", cidr: "10.100.0.0/16",
      nodeLabels: [("eks.amazonaws.com/nodegroup", "ng")]),
    ["kind": "NodeConfig", "spec": ["kubelet": ["config": ["maxPods": 20]]]],
  ])

  @Test func nodeadm() {
    #expect(Self.config.fault == nil)
    #expect(NodeConfig(documents: []).fault == "Name is missing in cluster configuration")
    #expect(Bootstrap.maxPods(Self.instance, Self.config) == 20)
    let flags = Bootstrap.kubeletFlags(Self.instance, Self.config)
    #expect(Bootstrap.flag("hostname-override", flags) == "ip-10-0-1-23.ec2.internal")
    #expect(Bootstrap.nodeLabels(flags).map(\.0) == ["eks.amazonaws.com/nodegroup"])
    let kubelet = Bootstrap.kubeletConfig(Self.instance, Self.config)
    #expect(kubelet["kubeReserved"]["memory"].string == "574Mi")
    #expect(kubelet["providerID"].string == "aws:///us-east-1a/i-0123456789abcdef0")
    #expect(
      Bootstrap.files(Self.instance, Self.config).map(\.path) == [
        "/etc/kubernetes/pki/ca.crt", "/var/lib/kubelet/kubeconfig", "/etc/kubernetes/kubelet/config.json",
        "/etc/kubernetes/kubelet/config.json.d/40-nodeadm.conf", "/etc/eks/kubelet/environment",
      ])
  }

  @Test func readiness() {
    func verdict(network: Bool) -> Verdict<Void, Because> {
      NodeReadiness.decide(
        .init(runtimeIsUp: .known(true), hasNetworkConfig: .known(network), hasCSINode: .known(true)))
    }
    #expect(NodeReadiness.condition(verdict(network: true)).reason == "KubeletReady")
    #expect(
      NodeReadiness.condition(verdict(network: false)).message
        == "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"
    )
  }

  @Test func lifecycle() {
    func decide(status: Int64?, lease: Int64?, created: Int64 = 0) -> Verdict<Void, Because> {
      NodeLifecycle.decide(
        .init(
          now: .known(Timestamp(seconds: 1000)), created: .known(Timestamp(seconds: created)),
          lastStatus: .known(status.map { Timestamp(seconds: $0) }),
          lastRenewal: .known(lease.map { Timestamp(seconds: $0) }), ready: .known("True")))
    }
    #expect(decide(status: 700, lease: 990).isYes, "a fresh lease is enough")
    #expect(NodeLifecycle.unknownReason(decide(status: 700, lease: 949)) == "NodeStatusUnknown")
    #expect(decide(status: 700, lease: 950).isYes)
    #expect(NodeLifecycle.unknownReason(decide(status: nil, lease: nil)) == "NodeStatusNeverUpdated")
    #expect(NodeLifecycle.unknownReason(decide(status: nil, lease: nil, created: 950)) == nil)
    #expect(NodeLifecycle.taints(ready: "Unknown").map(\.key).first == "node.kubernetes.io/unreachable")
  }

  @Test(arguments: [
    (true, "10.80.0.5", "mi-a", nil), (false, "10.80.0.5", "mi-a", "nodes/kubelet-csr/hybrid-label"),
    (true, "10.81.0.5", "mi-a", "nodes/kubelet-csr/hybrid-address"),
    (true, "10.80.0.5", "host", "nodes/kubelet-csr/hybrid-name"),
  ])
  func servingCertificatesOfHybridNodes(isLabelled: Bool, address: String, dnsName: String, code: String?) {
    let request = KubeletCSR.Request(
      username: "system:node:mi-a", groups: ["system:nodes"], usages: ["digital signature", "server auth"],
      commonName: "system:node:mi-a", organizations: ["system:nodes"], dnsNames: [dnsName], addresses: [address])
    let verdict = KubeletCSR.decide(
      .init(
        request: .known(request), mayServe: .known(true), instanceNames: .known([]),
        hybrid: .known(.init(isLabelled: isLabelled, networks: ["10.80.0.0/16"]))))
    #expect(code == nil ? verdict.value == .issued : verdict.reasons.last?.code == code)
  }

  @Test func servingCertificates() {
    var request = KubeletCSR.Request(
      username: "system:node:a", groups: ["system:nodes"], usages: ["digital signature", "server auth"],
      commonName: "system:node:a", organizations: ["system:nodes"], dnsNames: ["a"], addresses: ["10.0.0.1"])
    func decide(_ names: [String]) -> Verdict<KubeletCSR.Outcome, Because> {
      KubeletCSR.decide(
        .init(request: .known(request), mayServe: .known(true), instanceNames: .known(names)))
    }
    #expect(decide(["a", "10.0.0.1"]).value == .issued)
    #expect(decide(["a"]).value == .approved)
    request.username = "test"
    #expect(decide(["a", "10.0.0.1"]).isNo)
    request.usages = ["client auth"]
    #expect(
      decide([]).reasons.last?.text == "usages did not match [digital signature key encipherment server auth]")
  }

  @Test(arguments: [
    ("dial tcp 10.0.0.1:443: i/o timeout", JoinSequence.Step.connect),
    ("level=warning msg=\"access denied\" error=\"identity is not mapped\"", .mapping),
    ("nodes \"x\" is forbidden: node \"y\" is not allowed to modify node \"x\"", .identity),
    ("x509: certificate signed by unknown authority", .certificate),
  ])
  func symptoms(line: String, step: JoinSequence.Step) { #expect(JoinSymptoms.step(of: line) == step) }

  @Test func theFirstFailingStepIsLast() {
    var facts = JoinSequence.Facts.unknown(.hidden)
    #expect(!JoinSequence.decide(facts).gaps.isEmpty)
    facts.nodeExists = .known(false)
    facts.username = .known(nil)
    let verdict = JoinSequence.decide(facts)
    #expect(verdict.reasons.map(\.code) == ["nodes/join/register", "nodes/join/mapping"])
  }

  @Test func registration() {
    let node = NodeRegistration.node(
      name: "a", arch: "amd64", providerID: "aws:///z/i-1", labels: [("x", "y")], taints: [])
    #expect(node["metadata"]["labels"]["x"].string == "y")
    #expect(node["spec"]["taints"][0]["key"].string == "node.cloudprovider.kubernetes.io/uninitialized")
    #expect((0..<8).map { NodeRegistration.retryDelay(attempt: $0) }.last == .seconds(7))
    #expect(NodeRegistration.retryDelay(attempt: 0) == .milliseconds(100))
  }

  @Test func labelsOfTheKubelet() {
    #expect(NodeLabels.kubeletError(["team", "node.kubernetes.io/x"]) == nil)
    #expect(
      NodeLabels.kubeletError(["node-role.kubernetes.io/x"])?.hasPrefix(
        "failed to validate kubelet flags: unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [node-role.kubernetes.io/x]\n"
      ) == true)
  }

  static func node(ready: String, message: String, taints: JSON = []) -> JSON {
    [
      "metadata": ["name": "a"], "spec": ["taints": taints],
      "status": ["conditions": [["type": "Ready", "status": .string(ready), "message": .string(message)]]],
    ]
  }

  @Test func readingReadiness() {
    func decide(_ ready: String, _ message: String) -> Verdict<Void, Because> {
      NodeReadiness.decide(NodeReadiness.Facts(node: Self.node(ready: ready, message: message)))
    }
    #expect(decide("True", NodeReadiness.readyMessage).isYes)
    #expect(decide("False", NodeReadiness.networkNotReady).reasons.map(\.code) == ["nodes/readiness/network"])
    let silent = "PLEG is not healthy: pleg was last seen active 5m2s ago; threshold is 3m0s"
    #expect(decide("False", silent).reasons.map(\.text) == [silent])
    #expect(!decide("Unknown", "Kubelet stopped posting node status.").gaps.isEmpty)
  }

  @Test func readingAJoin() {
    var facts = JoinSequence.Facts.unknown(.hidden)
    facts.read(node: Self.node(ready: "False", message: NodeReadiness.networkNotReady))
    #expect(JoinSequence.decide(facts).reasons.map(\.code) == ["nodes/join/network"])
    facts = .unknown(.hidden)
    facts.read(node: nil)
    facts.read(log: ["msg=\"access denied\" error=\"identity is not mapped\"", "nothing"])
    #expect(JoinSequence.decide(facts).reasons.last?.code == "nodes/join/mapping")
    facts = .unknown(.hidden)
    facts.read(log: ["all is well"])
    #expect(!JoinSequence.decide(facts).gaps.isEmpty, "no line proves nothing")
    facts.read(userData: "#!/bin/sh", system: .al2023)
    #expect(JoinSequence.decide(facts).reasons.last?.text == "its bootstrap gave up: \(NodeConfig.missing)")
    facts = .unknown(.hidden)
    facts.read(instance: ["InstanceId": "i-1"])
    #expect(JoinSequence.decide(facts).reasons.last?.code == "nodes/join/credentials")
  }

  @Test func readingARequest() {
    let csr: JSON = [
      "spec": [
        "signerName": "kubernetes.io/kubelet-serving", "username": "system:node:a",
        "usages": ["digital signature", "server auth"],
      ],
      "status": ["conditions": [["type": "Approved"]]],
    ]
    let subject = KubeletCSR.Subject(commonName: "system:node:a", organizations: ["system:nodes"], dnsNames: ["a"])
    #expect(KubeletCSR.Request(csr: csr, subject: subject).flatMap(KubeletCSR.fault) == nil)
    #expect(KubeletCSR.condition(csr: csr) == "Approved")
    #expect(KubeletCSR.condition(csr: .emptyObject) == "Pending")
    #expect(KubeletCSR.names(instance: ["PrivateDnsName": "a", "PrivateIpAddress": "10.0.0.1"]) == ["a", "10.0.0.1"])
  }

  @Test func taintsOfConditions() {
    #expect(NodeLifecycle.taints(ready: nil).map(\.effect) == ["NoSchedule"])
    #expect(
      NodeLifecycle.taints(ready: "True", pressures: ["DiskPressure"], isUnschedulable: true).map(\.key) == [
        "node.kubernetes.io/disk-pressure", "node.kubernetes.io/unschedulable",
      ])
  }
}
