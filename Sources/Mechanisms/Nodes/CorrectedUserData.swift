package import Wire

/// User data that joins a cluster, made of what a machine was given: what names the cluster is replaced, and what the
/// kubelet was told is kept as far as it starts with it.
package struct CorrectedUserData: Sendable {
  package var cluster: String
  package var endpoint: String
  /// Base64.
  package var certificateAuthority: String
  package var serviceCIDR: String

  package init(cluster: String, endpoint: String, certificateAuthority: String, serviceCIDR: String) {
    self.cluster = cluster
    self.endpoint = endpoint
    self.certificateAuthority = certificateAuthority
    self.serviceCIDR = serviceCIDR
  }

  /// Of a cluster as DescribeCluster shows it.
  package init?(describe item: JSON) {
    guard let name = item["name"].string, let endpoint = item["endpoint"].string,
      let authority = item["certificateAuthority"]["data"].string
    else { return nil }
    self.init(
      cluster: name, endpoint: endpoint, certificateAuthority: authority,
      serviceCIDR: item["kubernetesNetworkConfig"]["serviceIpv4Cidr"].string
        ?? item["kubernetesNetworkConfig"]["serviceIpv6Cidr"].string ?? "")
  }

  package func text(of old: String, system: NodeSystem) -> String {
    switch system {
    case .al2023: nodeConfig(old)
    case .al2: script(old)
    case .bottlerocket: settings(old)
    }
  }

  /// The labels that a kubelet may set, of those that were wanted.
  private func allowed(_ flags: [String]) -> [String] {
    flags.compactMap { flag in
      guard flag.hasPrefix("--node-labels=") else { return flag }
      let labels = Bootstrap.nodeLabels([flag]).filter { NodeLabels.kubeletError([$0.0]) == nil }
      return labels.isEmpty ? nil : "--node-labels=" + labels.map { "\($0.0)=\($0.1)" }.joined(separator: ",")
    }
  }

  private func nodeConfig(_ old: String) -> String {
    let known = NodeConfig(userData: old)
    var document = NodeConfig.document(
      cluster: cluster, endpoint: endpoint, certificateAuthority: certificateAuthority, cidr: serviceCIDR,
      nodeLabels: [])
    var kubelet = JSON.emptyObject
    if let known {
      if !known.kubeletConfig.isNull { kubelet["config"] = known.kubeletConfig }
      let flags = allowed(known.kubeletFlags)
      if !flags.isEmpty { kubelet["flags"] = JSON(flags) }
    }
    document["spec"]["kubelet"] = kubelet.fields.isEmpty ? .null : kubelet
    return MIMEMessage.text(["Content-Type: application/node.eks.aws\n\n---\n\(document.text())\n"])
  }

  private func script(_ old: String) -> String {
    let flags = allowed(BootstrapScript(userData: old)?.kubeletExtraArguments ?? [])
    let extra = flags.isEmpty ? "" : " --kubelet-extra-args '\(flags.joined(separator: " "))'"
    return
      "#!/bin/bash\n\(BootstrapScript.path) \(cluster) --apiserver-endpoint \(endpoint) --b64-cluster-ca \(certificateAuthority)\(extra)\n"
  }

  private func settings(_ old: String) -> String {
    var lines = [
      "[settings.kubernetes]", "\"cluster-name\" = \"\(cluster)\"", "\"api-server\" = \"\(endpoint)\"",
      "\"cluster-certificate\" = \"\(certificateAuthority)\"",
    ]
    let known = BottlerocketSettings(userData: old)
    if let pods = known?.maxPods { lines.append("\"max-pods\" = \(pods)") }
    let labels = (known?.nodeLabels ?? []).filter { NodeLabels.kubeletError([$0.0]) == nil }
    if !labels.isEmpty {
      lines.append("[settings.kubernetes.node-labels]")
      lines += labels.map { "\"\($0.0)\" = \"\($0.1)\"" }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
