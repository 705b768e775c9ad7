import Mechanisms
import Testing

/// Amazon Linux 2 and Bottlerocket: what their user data says.
@Suite struct BootstrapScriptTests {
  private static let managed = """
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="//"

    --//
    Content-Type: text/cloud-config

    runcmd: [ls]
    --//
    Content-Type: text/x-shellscript; charset="us-ascii"

    #!/bin/bash
    set -ex
    B64_CLUSTER_CA=Q0E=
    API_SERVER_URL=https://ABC.gr7.us-east-1.eks.amazonaws.com
    K8S_CLUSTER_DNS_IP=10.100.0.10
    /etc/eks/bootstrap.sh demo --kubelet-extra-args '--node-labels=a=b,c=d --max-pods=29' --b64-cluster-ca $B64_CLUSTER_CA --apiserver-endpoint $API_SERVER_URL --dns-cluster-ip $K8S_CLUSTER_DNS_IP --use-max-pods false

    --//--
    """

  @Test func aManagedGroupsScript() throws {
    let script = try #require(BootstrapScript(userData: Self.managed))
    #expect(script.clusterName == "demo")
    #expect(script.certificateAuthority == "Q0E=")
    #expect(script.apiServerEndpoint == "https://ABC.gr7.us-east-1.eks.amazonaws.com")
    #expect(script.clusterDNS == "10.100.0.10")
    #expect(script.kubeletExtraArguments == ["--node-labels=a=b,c=d", "--max-pods=29"])
    #expect(!script.usesMaxPods)
    #expect(script.knowsCluster)
    #expect(script.fault == nil)
    let config = try #require(NodeConfig(userData: Self.managed, system: .al2))
    #expect(Bootstrap.clusterDNS(config) == "10.100.0.10")
    #expect(NodeSystem(writtenIn: Self.managed) == .al2)
  }

  @Test(
    arguments: [
      ("#!/bin/bash\nset -o xtrace\n/etc/eks/bootstrap.sh demo\ncfn-signal --exit-code $?", "demo", nil),
      (
        "#!/bin/bash\nNAME='my cluster'\n/etc/eks/bootstrap.sh \"${NAME}\" \\\n  --ip-family ipv4 # why", "my cluster",
        nil
      ),
      ("export C=x\nsudo /etc/eks/bootstrap.sh --use-max-pods false \"$C\" || exit 1", "x", nil),
      ("/etc/eks/bootstrap.sh", "", "ERROR: cluster name is not defined!"),
      ("/etc/eks/bootstrap.sh $UNSET", "", "ERROR: cluster name is not defined!"),
      (
        "/etc/eks/bootstrap.sh c --container-runtime dockerd", "c",
        "ERROR: containerd is the only supported container runtime as of Kubernetes version 1.24"
      ),
      ("/etc/eks/bootstrap.sh c --ip-family ipv5", "c", "ERROR: Invalid --ip-family. Only ipv4 or ipv6 are allowed"),
      (
        "/etc/eks/bootstrap.sh c --ip-family ipv4 --service-ipv6-cidr fd30::/108", "c",
        "ERROR: --ip-family should be ipv6 when --service-ipv6-cidr is specified"
      ),
      (
        "/etc/eks/bootstrap.sh c --ip-family ipv6", "c",
        "ERROR: One of --service-ipv6-cidr or --dns-cluster-ip must be provided when --ip-family is ipv6"
      ),
    ] as [(String, String, String?)])
  func calls(_ text: String, _ name: String, _ fault: String?) throws {
    let script = try #require(BootstrapScript(userData: text))
    #expect(script.clusterName == name)
    #expect(script.fault == fault)
    #expect(!script.knowsCluster)
  }

  @Test func withoutACallThereIsNothing() {
    #expect(BootstrapScript(userData: "#!/bin/bash\n# /etc/eks/bootstrap.sh demo\necho hello") == nil)
    #expect(NodeConfig.fault(userData: "#!/bin/bash", system: .al2) == BootstrapScript.missing)
  }

  @Test(
    arguments: [
      ("", [], "10.100.0.10"), ("", ["10.0.0.0/16"], "172.20.0.10"),
      ("", ["192.168.0.0/16", "10.1.0.0/16"], "172.20.0.10"),
      ("--service-ipv4-cidr 172.20.0.0/16", [], "172.20.0.10"), ("--dns-cluster-ip 1.2.3.4", ["10.0.0.0/8"], "1.2.3.4"),
      ("--ip-family ipv6 --service-ipv6-cidr fd30:1c53:5f8a::/108", [], "fd30:1c53:5f8a::a"),
    ] as [(String, [String], String)])
  func dns(_ options: String, _ ranges: [String], _ address: String) throws {
    let script = try #require(BootstrapScript(userData: "/etc/eks/bootstrap.sh c \(options)"))
    #expect(script.dns(vpcRanges: ranges) == address)
  }

  /// Seconds before each new try, without the jitter.
  @Test func pauses() { #expect((0..<3).map(BootstrapScript.pause(afterAttempt:)) == [10, 20, 40]) }

  @Test func bottlerocket() throws {
    let text = """
      # of a managed group
      [settings.kubernetes]
      "cluster-name" = "demo"
      api-server = "https://ABC" # the endpoint
      cluster-certificate = 'Q0E='
      "cluster-dns-ip" = "10.100.0.10"
      "max-pods" = 29
      [settings.kubernetes.node-labels]
      "eks.amazonaws.com/nodegroup" = "ng=1#x"
      [settings.kubernetes.node-taints]
      dedicated = ["web:NoSchedule", "web:NoExecute"]
      [settings.host-containers.admin]
      enabled = true
      """
    let settings = try #require(BottlerocketSettings(userData: text))
    #expect(settings.clusterName == "demo")
    #expect(settings.fault == nil)
    #expect(settings.maxPods == 29)
    #expect(settings.nodeLabels.map(\.1) == ["ng=1#x"])
    #expect(settings.nodeTaints.map(\.effect) == ["NoSchedule", "NoExecute"])
    let config = try #require(NodeConfig(userData: text, system: .bottlerocket))
    #expect(config.kubeletFlags.contains("--register-with-taints=dedicated=web:NoSchedule,dedicated=web:NoExecute"))
    #expect(NodeSystem(writtenIn: text) == .bottlerocket)
    let dotted = try #require(BottlerocketSettings(userData: "settings.kubernetes.cluster-name = \"x\""))
    #expect(dotted.clusterName == "x")
    #expect(dotted.fault == "settings.kubernetes.api-server is not set")
    #expect(BottlerocketSettings(userData: "[settings.ntp]\ntime-servers = []") == nil)
  }

  @Test(
    arguments: [
      ("amazon-eks-node-1.32-v20251101", .al2), ("amazon-eks-arm64-node-1.30-v20251101", .al2),
      ("amazon-eks-node-al2023-x86_64-standard-1.34-v20251101", .al2023),
      ("bottlerocket-aws-k8s-1.34-x86_64-v1.50.0-abc", .bottlerocket), ("golden-image", nil),
    ] as [(String, NodeSystem?)])
  func systemOfAnImage(_ name: String, _ system: NodeSystem?) { #expect(NodeSystem(imageName: name) == system) }
}
