import Wire

/// What the public DNS of the simulated Internet knows: AWS's service hosts, by their forms, and a handful of
/// names that people try. Everything else isn't there.
package enum PublicNames {
  private static let known: [(name: String, addresses: [String], six: [String], seconds: Int)] = [
    ("example.com", ["93.184.215.14"], ["2606:2800:21f:cb07:6820:80da:af6b:8b2c"], 3600),
    ("www.example.com", ["93.184.215.14"], ["2606:2800:21f:cb07:6820:80da:af6b:8b2c"], 3600),
    ("example.org", ["93.184.215.14"], ["2606:2800:21f:cb07:6820:80da:af6b:8b2c"], 3600),
    ("google.com", ["142.250.72.14"], ["2607:f8b0:4007:818::200e"], 300),
    ("www.google.com", ["142.250.72.4"], ["2607:f8b0:4007:80e::2004"], 300),
    ("github.com", ["140.82.112.3"], [], 60),
    ("amazon.com", ["205.251.242.103", "52.94.236.248", "54.239.28.85"], [], 900),
    ("aws.amazon.com", ["13.32.151.60"], [], 60),
    ("kubernetes.io", ["15.197.167.90", "3.33.186.135"], [], 300),
    ("registry.k8s.io", ["34.96.108.209"], ["2600:1901:0:bbc4::"], 3600),
    ("registry-1.docker.io", ["54.198.86.24", "54.236.113.205"], [], 60),
    ("auth.docker.io", ["54.198.86.24"], [], 60),
    ("quay.io", ["34.193.201.199", "54.144.203.57"], [], 60),
    ("one.one.one.one", ["1.1.1.1", "1.0.0.1"], ["2606:4700:4700::1111"], 300),
    ("dns.google", ["8.8.8.8", "8.8.4.4"], ["2001:4860:4860::8888"], 900),
  ]

  package static func answer(_ question: DNSQuestion) -> DNSReply {
    if let entry = known.first(where: { $0.name == question.name }) {
      switch question.type {
      case .a, .any:
        return DNSReply(answers: entry.addresses.map { DNSRecord(entry.name, .a, entry.seconds, $0) })
      case .aaaa where !entry.six.isEmpty:
        return DNSReply(answers: entry.six.map { DNSRecord(entry.name, .aaaa, entry.seconds, $0) })
      default: return DNSReply(authority: [soa(entry.name)])
      }
    }
    if let addresses = serviceHost(question.name) {
      guard question.type == .a || question.type == .any else { return DNSReply(authority: [soa("amazonaws.com")]) }
      return DNSReply(answers: addresses.map { DNSRecord(question.name, .a, 60, $0) })
    }
    return DNSReply(.nameError, authority: [soa(DNSName.labels(question.name).last ?? "")])
  }

  /// Whether a name ends as names of the Internet do, and none of a Service: in a domain of theirs.
  package static func isTopLevel(_ name: String) -> Bool {
    guard let last = name.split(separator: ".").last else { return false }
    return ["com", "org", "net", "io", "dev", "aws", "cloud", "app", "gov", "edu", "co"].contains(String(last))
  }

  /// That of a zone, as it stands beside a denial; registries keep it for 15 minutes.
  package static func soa(_ zone: String) -> DNSRecord {
    if zone == "amazonaws.com" {
      return DNSRecord(zone, .soa, 60, "ns-1.amzndns.com. root.amazon.com. 1 3600 900 7776000 60")
    }
    if zone.isEmpty || !zone.contains(".") {
      return DNSRecord(
        zone.isEmpty ? "" : zone, .soa, 900,
        "a.root-servers.net. nstld.verisign-grs.com. 2026112300 1800 900 604800 900")
    }
    return DNSRecord(zone, .soa, 900, "ns1.\(zone). hostmaster.\(zone). 1 7200 900 1209600 300")
  }

  /// Services whose hosts are `SERVICE.REGION.amazonaws.com`.
  private static let services: Set<String> = [
    "api.ecr", "autoscaling", "cloudformation", "dynamodb", "ec2", "ec2messages", "ecs", "eks", "eks-auth",
    "elasticfilesystem", "elasticloadbalancing", "fsx", "iam", "kms", "logs", "monitoring", "rds", "s3",
    "organizations", "secretsmanager", "sns", "sqs", "ssm", "ssmmessages", "sts", "xray", "cloudtrail", "events",
    "lambda",
  ]

  /// The host of EKS Auth, which has none but dual-stack ones.
  package static func eksAuth(_ region: String) -> String { "eks-auth.\(region).api.aws" }

  /// The host that SDKs call for a service, by the service's name in their models.
  package static func host(ofService service: String, _ region: String) -> String {
    switch service {
    case "iam": "iam.amazonaws.com"
    case "organizations": "organizations.us-east-1.amazonaws.com"
    case "ecr": "api.ecr.\(region).amazonaws.com"
    case "eks-auth": eksAuth(region)
    case "elbv2": "elasticloadbalancing.\(region).amazonaws.com"
    default: "\(service).\(region).amazonaws.com"
    }
  }

  /// Services that have interface endpoints, by the last part of their names: `ecr.api` of
  /// `com.amazonaws.us-east-1.ecr.api`.
  package static let endpointServices = [
    "autoscaling", "autoscaling-plans", "cloudformation", "ec2", "ec2messages", "ecr.api", "ecr.dkr", "eks", "eks-auth",
    "elasticfilesystem", "elasticloadbalancing", "events", "kms", "lambda", "logs", "monitoring", "rds", "s3",
    "secretsmanager", "sns", "sqs", "ssm", "ssmmessages", "sts", "xray",
  ]

  /// The public names that an interface endpoint of a service takes over in its VPC; `*` stands for what is before.
  package static func privateNames(ofEndpoint service: String, _ region: String) -> [String] {
    let domain = "\(region).amazonaws.com"
    switch service {
    case "ecr.api": return ["api.ecr.\(domain)"]
    case "ecr.dkr": return ["dkr.ecr.\(domain)", "*.dkr.ecr.\(domain)"]
    case "s3": return ["s3.\(domain)", "*.s3.\(domain)"]
    case "eks-auth": return [eksAuth(region)]
    default: return ["\(service).\(domain)"]
    }
  }

  /// The endpoint's service that takes over a host, `com.amazonaws.us-east-1.ecr.api` for one. Nil for hosts of other
  /// regions and of global services.
  package static func endpointService(ofHost host: String, _ region: String) -> String? {
    endpointServices.first { service in
      privateNames(ofEndpoint: service, region).contains {
        $0.hasPrefix("*") ? host.hasSuffix($0.dropFirst()) : host == $0
      }
    }.map { "com.amazonaws.\(region).\($0)" }
  }

  /// Hosts that a pull of an image asks, in their order: the registry, and for Amazon ECR the one that gives
  /// credentials and the bucket with the layers. None for registries of which nothing is known.
  package static func hosts(ofRegistry registry: String) -> [String] {
    if registry == "docker.io" { return ["registry-1.docker.io"] }
    let labels = registry.split(separator: ".").map(String.init)
    if labels.count == 6, labels[1] == "dkr", labels[2] == "ecr" {
      let region = labels[3]
      return [
        registry, "api.ecr.\(region).amazonaws.com", "prod-\(region)-starport-layer-bucket.s3.\(region).amazonaws.com",
      ]
    }
    return answer(DNSQuestion(registry, .a)).answers.isEmpty ? [] : [registry]
  }

  /// Public addresses of a host of AWS's: the same for the same name. Nil for names of no such form.
  package static func serviceHost(_ name: String) -> [String]? {
    let suffix = name.hasSuffix(".api.aws") ? ".api.aws" : ".amazonaws.com"
    guard name.hasSuffix(suffix) else { return nil }
    let host = String(name.dropLast(suffix.utf8.count))
    var labels = host.split(separator: ".").map(String.init)
    let isGlobal = ["sts", "iam", "s3", "ec2", "route53"].contains(host)
    if !isGlobal {
      guard let region = labels.popLast(), isRegion(region) else { return nil }
      let isRegistry = labels.count == 3 && labels[1] == "dkr" && labels[2] == "ecr"
      let isBucket = labels.last == "s3" && labels.count <= 3
      guard services.contains(labels.joined(separator: ".")) || isRegistry || isBucket else { return nil }
    }
    let hash = name.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    // Those of services with gateway endpoints stand in their prefix lists.
    if labels.last == "s3" || host == "s3" { return ["52.216.\(hash >> 8 & 255).\(max(hash & 255, 1))"] }
    if labels.last == "dynamodb" { return ["52.94.\(hash >> 8 & 3).\(max(hash & 255, 1))"] }
    return ["52.94.\(hash >> 8 & 255).\(max(hash & 255, 1))"]
  }

  /// `us-west-2`, `ap-southeast-1`, `us-gov-west-1`.
  static func isRegion(_ text: String) -> Bool {
    let parts = text.split(separator: "-")
    return (3...4).contains(parts.count) && parts.last.flatMap { Int($0) } != nil
      && parts.dropLast().allSatisfy { $0.allSatisfy(\.isLetter) } && parts[0].utf8.count == 2
  }
}

/// Resolvers of the Internet that anybody may ask.
package enum PublicServers {
  private static let addresses: Set<String> = [
    "1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "208.67.222.222", "208.67.220.220",
  ]

  package static func answers(_ server: String) -> Bool { addresses.contains(server) }
}
