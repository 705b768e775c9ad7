package import Wire

/// What nodeadm, or another system's bootstrap, makes of an instance and its user data (amazon-eks-ami, `nodeadm`).
package enum Bootstrap {
  /// The instance, as metadata and EC2 tell it.
  package struct Instance: Sendable, Equatable {
    package var id: String
    package var type: String
    package var region: String
    package var zone: String
    package var address: IPv4Address
    package var ipv6: IPv6Address?
    package var privateDNSName: String

    package init(
      id: String, type: String, region: String, zone: String, address: IPv4Address, ipv6: IPv6Address? = nil,
      privateDNSName: String
    ) {
      self.id = id
      self.type = type
      self.region = region
      self.zone = zone
      self.address = address
      self.ipv6 = ipv6
      self.privateDNSName = privateDNSName
    }
  }

  package struct File: Sendable, Equatable {
    package var path: String
    package var text: String
  }

  /// What every system's bootstrap asks EC2 as the node's role, and the policy of AWS's that allows it.
  package static let instanceCall = "ec2:DescribeInstances"
  package static let managedPolicy = "AmazonEKSWorkerNodePolicy"

  package static let caPath = "/etc/kubernetes/pki/ca.crt"
  package static let kubeconfigPath = "/var/lib/kubelet/kubeconfig"
  package static let configPath = "/etc/kubernetes/kubelet/config.json"
  package static let dropInPath = "/etc/kubernetes/kubelet/config.json.d/40-nodeadm.conf"
  package static let environmentPath = "/etc/eks/kubelet/environment"
  package static let providerConfigPath = "/etc/eks/image-credential-provider/config.json"

  /// The tenth address of the services' block: `10.100.0.10` of `10.100.0.0/16`, `…::a` of an IPv6 one.
  package static func clusterDNS(serviceCIDR: String) -> String {
    let address = serviceCIDR.prefix { $0 != "/" }
    if address.contains(":") { return "\(address)a" }
    guard let dot = address.lastIndex(of: ".") else { return "" }
    return "\(address[..<dot]).10"
  }

  package static func clusterDNS(_ config: NodeConfig) -> String {
    config.clusterDNS.isEmpty ? clusterDNS(serviceCIDR: config.cidr) : config.clusterDNS
  }

  package static func nodeName(_ instance: Instance, _ config: NodeConfig) -> String {
    NodeName.of(
      privateDNSName: instance.privateDNSName, instanceID: instance.id, instanceIDNodeName: config.instanceIDNodeName)
  }

  /// The node's own address in the cluster: of the family that the Services have.
  package static func nodeIP(_ instance: Instance, _ config: NodeConfig) -> String {
    config.isIPv6 ? instance.ipv6.map(\.description) ?? "" : "\(instance.address)"
  }

  /// The kubelet's flags, the user's last: the last of a name wins.
  package static func kubeletFlags(_ instance: Instance, _ config: NodeConfig) -> [String] {
    switch config.system {
    case .al2: return scriptFlags(instance, config)
    case .bottlerocket: return bottlerocketFlags(instance, config)
    case .al2023: break
    }
    return [
      "--cloud-provider=external",
      "--config=\(configPath)",
      "--config-dir=/etc/kubernetes/kubelet/config.json.d",
      "--hostname-override=\(nodeName(instance, config))",
      "--image-credential-provider-bin-dir=/etc/eks/image-credential-provider",
      "--image-credential-provider-config=\(providerConfigPath)",
      "--kubeconfig=\(kubeconfigPath)",
      "--node-ip=\(nodeIP(instance, config))",
      "--runtime-cgroups=/runtime.slice/containerd.service",
    ] + config.kubeletFlags
  }

  /// Of Amazon Linux 2: the unit's, those of `10-kubelet-args.conf`, those of `30-kubelet-extra-args.conf`.
  private static func scriptFlags(_ instance: Instance, _ config: NodeConfig) -> [String] {
    [
      "--config=/etc/kubernetes/kubelet/kubelet-config.json", "--kubeconfig=\(kubeconfigPath)",
      "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
      "--image-credential-provider-config=\(providerConfigPath)",
      "--image-credential-provider-bin-dir=/etc/eks/image-credential-provider", "--node-ip=\(nodeIP(instance, config))",
      "--pod-infra-container-image=602401143452.dkr.ecr.\(instance.region).amazonaws.com/eks/pause:3.5", "--v=2",
      "--hostname-override=\(instance.privateDNSName)", "--cloud-provider=external",
    ] + config.kubeletFlags
  }

  /// Of Bottlerocket's unit, as far as they matter to the cluster.
  private static func bottlerocketFlags(_ instance: Instance, _ config: NodeConfig) -> [String] {
    [
      "--cloud-provider=external", "--kubeconfig=/etc/kubernetes/kubelet/kubeconfig",
      "--config=/etc/kubernetes/kubelet/config",
      "--container-runtime-endpoint=unix:///run/containerd/containerd.sock", "--node-ip=\(nodeIP(instance, config))",
      "--hostname-override=\(instance.privateDNSName)",
    ] + config.kubeletFlags
  }

  /// The last value of a flag.
  package static func flag(_ name: String, _ flags: [String]) -> String? {
    flags.last { $0.hasPrefix("--\(name)=") }.map { String($0.dropFirst(name.utf8.count + 3)) }
  }

  /// The labels of `--node-labels`, in their order.
  package static func nodeLabels(_ flags: [String]) -> [(String, String)] {
    (flag("node-labels", flags) ?? "").split(separator: ",").map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    }
  }

  /// The taints of `--register-with-taints`: `key=value:effect`.
  package static func registerTaints(_ flags: [String], _ config: NodeConfig) -> [Taint] {
    let fromConfig = config.kubeletConfig["registerWithTaints"].items.map {
      Taint(key: $0["key"].string ?? "", value: $0["value"].string ?? "", effect: $0["effect"].string ?? "")
    }
    return fromConfig
      + (flag("register-with-taints", flags) ?? "").split(separator: ",").compactMap { text in
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let pair = text[..<colon].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return Taint(
          key: String(pair.first ?? ""), value: pair.count > 1 ? String(pair[1]) : "",
          effect: String(text[text.index(after: colon)...]))
      }
  }

  /// Pods that the node will take: the user's setting, else nodeadm's formula.
  package static func maxPods(_ instance: Instance, _ config: NodeConfig) -> Int {
    flag("max-pods", config.kubeletFlags).flatMap { Int($0) } ?? config.kubeletConfig["maxPods"].int
      ?? MaxPods.nodeadm(instance.type)
  }

  /// `/etc/kubernetes/kubelet/config.json`.
  package static func kubeletConfig(_ instance: Instance, _ config: NodeConfig) -> JSON {
    let pods = MaxPods.nodeadm(instance.type)
    let cores = InstanceLimits.named(instance.type)?.vCPUs ?? 2
    return [
      "address": "0.0.0.0",
      "authentication": [
        "x509": ["clientCAFile": .string(caPath)], "webhook": ["enabled": true, "cacheTTL": "2m0s"],
        "anonymous": ["enabled": false],
      ],
      "authorization": [
        "mode": "Webhook", "webhook": ["cacheAuthorizedTTL": "5m0s", "cacheUnauthorizedTTL": "30s"],
      ],
      "cgroupDriver": "systemd", "cgroupRoot": "/",
      "clusterDNS": [.string(clusterDNS(config))], "clusterDomain": "cluster.local",
      "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
      "evictionHard": ["memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%"],
      "featureGates": ["RotateKubeletServerCertificate": true], "hairpinMode": "hairpin-veth",
      "kubeReserved": [
        "cpu": "\(MaxPods.kubeReservedCPU(vCPUs: cores))m", "ephemeral-storage": "1Gi",
        "memory": "\(MaxPods.kubeReservedMemory(maxPods: pods))Mi",
      ],
      "kubeReservedCgroup": "/runtime", "logging": ["verbosity": 2], "maxPods": JSON(pods),
      "protectKernelDefaults": true,
      "providerID": .string(NodeName.providerID(zone: instance.zone, instanceID: instance.id)), "readOnlyPort": 0,
      "serializeImagePulls": false, "serverTLSBootstrap": true, "systemReservedCgroup": "/system",
      "kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1",
    ]
  }

  /// The user and the plugin of the kubeconfig.
  package static func tokenCommand(_ config: NodeConfig, region: String) -> [String] {
    config.system.tokenCommand(cluster: config.clusterName, region: region)
  }

  /// The files that nodeadm writes, in its order.
  package static func files(_ instance: Instance, _ config: NodeConfig) -> [File] {
    let command = tokenCommand(config, region: instance.region)
    let kubeconfig = """
      ---
      apiVersion: v1
      kind: Config
      clusters:
        - name: kubernetes
          cluster:
            certificate-authority: \(caPath)
            server: \(config.apiServerEndpoint)
      current-context: kubelet
      contexts:
        - name: kubelet
          context:
            cluster: kubernetes
            user: kubelet
      users:
        - name: kubelet
          user:
            exec:
              apiVersion: client.authentication.k8s.io/v1beta1
              command: \(command[0])
              args:
      \(command.dropFirst().map { "          - \"\($0)\"" }.joined(separator: "\n"))

      """
    var files = [
      File(path: caPath, text: config.certificateAuthority),
      File(path: kubeconfigPath, text: kubeconfig),
      File(path: configPath, text: kubeletConfig(instance, config).text(.init(indent: 4))),
    ]
    if !config.kubeletConfig.isNull {
      var dropIn = config.kubeletConfig
      dropIn["kind"] = "KubeletConfiguration"
      dropIn["apiVersion"] = "kubelet.config.k8s.io/v1beta1"
      files.append(File(path: dropInPath, text: dropIn.text(.init(indent: 4))))
    }
    files.append(
      File(
        path: environmentPath,
        text: "NODEADM_KUBELET_ARGS=\(kubeletFlags(instance, config).joined(separator: " "))\n"))
    return files
  }

  /// Lines of nodeadm's log as it goes.
  package static let milestones = [
    "Checking user is root..", "Loading configuration..", "Enriching configuration..", "Fetching kubelet version..",
    "Fetching instance details..", "Instance details populated", "Loaded configuration", "Validating configuration..",
    "Creating daemon manager..", "Configuring daemons...", "Setup IP for node", "Writing kubelet config to file..",
    "Running daemons...", "Ensuring daemon is running..", "done!",
  ]

  /// The labels that EKS puts on nodes of a managed group.
  package static func managedLabels(
    nodegroup: String, image: String, capacityType: String, launchTemplate: (id: String, version: String)
  ) -> [(String, String)] {
    [
      ("eks.amazonaws.com/nodegroup-image", image), ("eks.amazonaws.com/capacityType", capacityType),
      ("eks.amazonaws.com/nodegroup", nodegroup),
      ("eks.amazonaws.com/sourceLaunchTemplateId", launchTemplate.id),
      ("eks.amazonaws.com/sourceLaunchTemplateVersion", launchTemplate.version),
    ]
  }
}
