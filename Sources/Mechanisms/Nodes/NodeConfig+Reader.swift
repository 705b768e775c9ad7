package import Wire

extension NodeConfig {
  /// The NodeConfig documents of user data: the whole, or parts of a MIME message, in their order.
  package static func documents(userData text: String) -> [JSON] {
    parts(text).compactMap { try? YAML.parse($0) }.filter { $0["kind"].string == "NodeConfig" }
  }

  /// From user data as nodeadm reads it, later documents over earlier ones; nil without any.
  package init?(userData text: String) {
    let documents = NodeConfig.documents(userData: text)
    guard !documents.isEmpty else { return nil }
    self.init(documents: documents)
  }

  /// What a machine with that system makes of its user data; nil where there is nothing in it for it. Of Amazon
  /// Linux 2 what stands in the script's call, which may leave out what it asks EKS for.
  package init?(userData text: String, system: NodeSystem, vpcRanges: [String] = []) {
    switch system {
    case .al2023:
      self.init(userData: text)
    case .al2:
      guard let script = BootstrapScript(userData: text) else { return nil }
      self.init(script, vpcRanges: vpcRanges)
    case .bottlerocket:
      guard let settings = BottlerocketSettings(userData: text) else { return nil }
      self.init(settings)
    }
  }

  /// As the script of Amazon Linux 2 takes them.
  package init(_ script: BootstrapScript, vpcRanges: [String]) {
    self.init(documents: [])
    system = .al2
    clusterName = script.clusterName
    apiServerEndpoint = script.apiServerEndpoint
    certificateAuthority = script.certificateAuthority
    cidr = script.serviceIPv6CIDR.isEmpty ? script.serviceIPv4CIDR : script.serviceIPv6CIDR
    clusterDNS = script.dns(vpcRanges: vpcRanges)
    kubeletFlags = script.kubeletExtraArguments
    // The kubelet's own default.
    if !script.usesMaxPods { kubeletConfig = ["maxPods": 110] }
  }

  init(_ settings: BottlerocketSettings) {
    self.init(documents: [])
    system = .bottlerocket
    clusterName = settings.clusterName
    apiServerEndpoint = settings.apiServer
    certificateAuthority = settings.certificateAuthority
    clusterDNS = settings.clusterDNS.first ?? ""
    var flags: [String] = []
    if !settings.hostnameOverride.isEmpty { flags.append("--hostname-override=\(settings.hostnameOverride)") }
    if !settings.nodeLabels.isEmpty {
      flags.append("--node-labels=" + settings.nodeLabels.map { "\($0.0)=\($0.1)" }.joined(separator: ","))
    }
    if !settings.nodeTaints.isEmpty {
      let taints = settings.nodeTaints.map { "\($0.key)=\($0.value):\($0.effect)" }
      flags.append("--register-with-taints=\(taints.joined(separator: ","))")
    }
    kubeletFlags = flags
    var config = JSONObject()
    if let maxPods = settings.maxPods { config.append("maxPods", JSON(maxPods)) }
    if !settings.shutdownGrace.isEmpty {
      config.append("shutdownGracePeriod", .string(settings.shutdownGrace))
      config.append("shutdownGracePeriodCriticalPods", .string(settings.shutdownGraceCritical))
    }
    let pods = settings.staticPods.filter { settings.enabledPods.contains($0.key) }.sorted { $0.key < $1.key }
    if !pods.isEmpty {
      config.append("staticPodPath", "/etc/kubernetes/static-pods")
      var manifests = JSONObject()
      for (name, text) in pods {
        manifests.append(name, .string(String(decoding: Base64.decode(text) ?? [], as: UTF8.self)))
      }
      config.append("staticPods", .object(manifests))
    }
    if !config.isEmpty { kubeletConfig = .object(config) }
  }

  /// Why a machine with that system does not come so far as to start its kubelet; nil for nothing. What the script
  /// of Amazon Linux 2 asks EKS for is another matter.
  package static func fault(userData text: String, system: NodeSystem) -> String? {
    switch system {
    case .al2023:
      guard let config = NodeConfig(userData: text) else { return missing }
      return config.fault
    case .al2:
      guard let script = BootstrapScript(userData: text) else { return BootstrapScript.missing }
      return script.fault
    case .bottlerocket:
      guard let settings = BottlerocketSettings(userData: text) else { return BottlerocketSettings.missing }
      return settings.fault
    }
  }

  /// Bodies of the parts that may be NodeConfigs.
  private static func parts(_ text: String) -> [String] {
    MIMEMessage.bodies(text).filter { $0.type.isEmpty || $0.type.contains("application/node.eks.aws") }.map(\.body)
  }
}
