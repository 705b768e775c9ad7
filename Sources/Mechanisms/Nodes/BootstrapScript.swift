package import Wire

/// A call of `/etc/eks/bootstrap.sh` of Amazon Linux 2, with its options (amazon-eks-ami, `files/bootstrap.sh`).
package struct BootstrapScript: Sendable, Equatable {
  package static let path = "/etc/eks/bootstrap.sh"

  package var clusterName = ""
  /// Empty where the script is to ask EKS for it.
  package var apiServerEndpoint = ""
  /// Base64; empty where the script is to ask EKS for it.
  package var certificateAuthority = ""
  package var clusterDNS = ""
  package var serviceIPv4CIDR = ""
  package var serviceIPv6CIDR = ""
  package var ipFamily = ""
  package var containerRuntime = "containerd"
  package var usesMaxPods = true
  package var attempts = 3
  package var kubeletExtraArguments: [String] = []

  /// The endpoint and the CA were given, so that EKS needn't be asked.
  package var knowsCluster: Bool { !apiServerEndpoint.isEmpty && !certificateAuthority.isEmpty }

  /// The words after the script's name.
  package init(_ words: some Sequence<String>) {
    var rest = Array(words)[...]
    var names: [String] = []
    while let word = rest.popFirst() {
      func value() -> String { rest.popFirst() ?? "" }
      switch word {
      case "--use-max-pods": usesMaxPods = value() == "true"
      case "--b64-cluster-ca": certificateAuthority = value()
      case "--apiserver-endpoint": apiServerEndpoint = value()
      case "--kubelet-extra-args": kubeletExtraArguments = value().split(separator: " ").map(String.init)
      case "--aws-api-retry-attempts": attempts = Int(value()) ?? 3
      case "--container-runtime": containerRuntime = value()
      case "--dns-cluster-ip": clusterDNS = value()
      case "--ip-family": ipFamily = value()
      case "--service-ipv4-cidr": serviceIPv4CIDR = value()
      case "--service-ipv6-cidr": serviceIPv6CIDR = value()
      case "--pause-container-version", "--pause-container-account", "--enable-docker-bridge", "--docker-config-json",
        "--containerd-config-file", "--enable-local-outpost", "--cluster-id", "--mount-bpf-fs", "--local-disks":
        _ = value()
      default: names.append(word)
      }
    }
    clusterName = names.first ?? ""
  }

  /// The last call in user data: the whole of it, or the shell parts of a MIME message; nil without any.
  package init?(userData text: String) {
    let scripts = MIMEMessage.bodies(text).filter { $0.type.isEmpty || $0.type.contains("shellscript") }.map(\.body)
    let calls = scripts.flatMap(ShellWords.commands).compactMap { words -> ArraySlice<String>? in
      guard let at = words.firstIndex(where: { $0.hasSuffix(BootstrapScript.path) }) else { return nil }
      return words[(at + 1)...]
    }
    guard let last = calls.last else { return nil }
    self.init(last)
  }

  /// Puts in what EKS said of the cluster where it wasn't given.
  package mutating func learn(_ cluster: JSON) {
    apiServerEndpoint = cluster["endpoint"].string ?? apiServerEndpoint
    certificateAuthority = cluster["certificateAuthority"].string ?? certificateAuthority
    if serviceIPv4CIDR.isEmpty { serviceIPv4CIDR = cluster["serviceIPv4CIDR"].string ?? "" }
    if serviceIPv6CIDR.isEmpty { serviceIPv6CIDR = cluster["serviceIPv6CIDR"].string ?? "" }
  }

  /// What the script ends with before it asks anybody; nil for nothing.
  package var fault: String? {
    if clusterName.isEmpty { return "ERROR: cluster name is not defined!" }
    if containerRuntime != "containerd" {
      return "ERROR: containerd is the only supported container runtime as of Kubernetes version 1.24"
    }
    if !ipFamily.isEmpty, ipFamily != "ipv4", ipFamily != "ipv6" {
      return "ERROR: Invalid --ip-family. Only ipv4 or ipv6 are allowed"
    }
    if !serviceIPv6CIDR.isEmpty, ipFamily == "ipv4" {
      return "ERROR: --ip-family should be ipv6 when --service-ipv6-cidr is specified"
    }
    if ipFamily == "ipv6", serviceIPv6CIDR.isEmpty, clusterDNS.isEmpty {
      return "ERROR: One of --service-ipv6-cidr or --dns-cluster-ip must be provided when --ip-family is ipv6"
    }
    return nil
  }

  package static let exhausted = "ERROR: Exhausted retries while describing cluster!"
  /// Nothing of the instance calls the script: no kubelet is started.
  package static let missing = "user data doesn't call \(path)"

  /// Seconds before the next DescribeCluster: `(5 << (1 + attempt))` and up to ten more.
  package static func pause(afterAttempt attempt: Int) -> Int { 5 << (1 + attempt) }

  /// Where services have their DNS: as given, as the cluster's range says, else by the VPC's ranges.
  package func dns(vpcRanges: [String]) -> String {
    if !clusterDNS.isEmpty { return clusterDNS }
    let range = serviceIPv6CIDR.isEmpty ? serviceIPv4CIDR : serviceIPv6CIDR
    if !range.isEmpty { return Bootstrap.clusterDNS(serviceCIDR: range) }
    return vpcRanges.contains { $0.hasPrefix("10.") } ? "172.20.0.10" : "10.100.0.10"
  }

  /// One line as the script writes it to standard error.
  package static func logLine(_ text: String, at civilTime: String) -> String {
    "\(civilTime) [eks-bootstrap] \(text)"
  }
}
