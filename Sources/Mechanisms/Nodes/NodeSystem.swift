/// The operating system of a node's image, which says how the node learns of its cluster.
package enum NodeSystem: String, Codable, Sendable, CaseIterable {
  /// Amazon Linux 2023: nodeadm reads NodeConfigs.
  case al2023
  /// Amazon Linux 2: user data is a script that calls `/etc/eks/bootstrap.sh`.
  case al2
  /// Bottlerocket: user data is TOML with settings.
  case bottlerocket

  /// By the name that EKS gives its images; nil for somebody else's.
  package init?(imageName: String) {
    if imageName.hasPrefix("bottlerocket-") {
      self = .bottlerocket
    } else if imageName.hasPrefix("amazon-eks-node-al2023-") {
      self = .al2023
    } else if imageName.hasPrefix("amazon-eks-node-") || imageName.hasPrefix("amazon-eks-arm64-node-")
      || imageName.hasPrefix("amazon-eks-gpu-node-")
    {
      self = .al2
    } else {
      return nil
    }
  }

  /// What user data is written for; nil where it names none of their programs.
  package init?(writtenIn text: String) {
    if text.contains("node.eks.aws") {
      self = .al2023
    } else if BootstrapScript(userData: text) != nil {
      self = .al2
    } else if BottlerocketSettings(userData: text) != nil {
      self = .bottlerocket
    } else {
      return nil
    }
  }

  /// The program that makes the kubelet's tokens, with its arguments.
  package func tokenCommand(cluster: String, region: String) -> [String] {
    switch self {
    case .al2023: ["aws", "eks", "get-token", "--cluster-name", cluster, "--region", region]
    case .al2, .bottlerocket: ["/usr/bin/aws-iam-authenticator", "token", "-i", cluster, "--region", region]
    }
  }

  /// As `status.nodeInfo` has them. Releases of the systems themselves are examples.
  package var osImage: String {
    switch self {
    case .al2023: "Amazon Linux 2023.9.20251117"
    case .al2: "Amazon Linux 2"
    case .bottlerocket: "Bottlerocket OS 1.50.0 (aws-k8s)"
    }
  }
  package var kernel: String {
    switch self {
    case .al2023: "6.1.158-178.288.amzn2023.x86_64"
    case .al2: "5.10.245-241.976.amzn2.x86_64"
    case .bottlerocket: "6.12.53"
    }
  }

  /// The kernel that an instance runs: Amazon Linux 2 boots another where user data installs one of
  /// its extras and boots again.
  package func kernel(userData text: String) -> String {
    guard self == .al2, text.contains("amazon-linux-extras") else { return kernel }
    let scripts = MIMEMessage.bodies(text).filter { $0.type.isEmpty || $0.type.contains("shellscript") }.map(\.body)
    let commands = scripts.flatMap(ShellWords.commands)
    guard commands.contains(where: { $0.contains("reboot") }) else { return kernel }
    let installed = commands.filter { words in
      words.contains { $0.hasSuffix("amazon-linux-extras") } && words.contains("install")
    }
    let topics = installed.flatMap { $0 }.compactMap { NodeSystem.extraKernels[$0] }
    return topics.last ?? kernel
  }

  /// Kernels among the extras of Amazon Linux 2, by topic. Their releases are examples.
  private static let extraKernels = [
    "kernel-5.4": "5.4.301-224.462.amzn2.x86_64", "kernel-5.10": "5.10.245-241.976.amzn2.x86_64",
    "kernel-5.15": "5.15.195-132.189.amzn2.x86_64",
  ]

  package var runtime: String {
    switch self {
    case .al2023: "containerd://2.1.4"
    case .al2: "containerd://1.7.28"
    case .bottlerocket: "containerd://2.1.4+bottlerocket"
    }
  }
}
