/// The EC2 calls of ipamd, which the role of `aws-node` must be allowed (amazon-vpc-cni-k8s, `docs/iam-policy.md`).
package enum VPCCNICalls {
  /// The managed policy that allows them all.
  package static let managedPolicy = "AmazonEKS_CNI_Policy"

  /// Without these it never becomes ready.
  package static let atStart = [
    "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeNetworkInterfaces",
  ]

  /// With these it grows and shrinks its pool.
  package static let atWork = [
    "ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface", "ec2:CreateTags",
    "ec2:DeleteNetworkInterface", "ec2:DescribeSubnets", "ec2:DetachNetworkInterface",
    "ec2:ModifyNetworkInterfaceAttribute", "ec2:UnassignPrivateIpAddresses",
  ]

  package static let all = atStart + atWork

  /// In an IPv6 cluster it asks for one prefix at its start; no managed policy of AWS's allows that.
  package static let prefixCall = "ec2:AssignIpv6Addresses"

  package static func atStart(isIPv6: Bool) -> [String] { isIPv6 ? atStart + [prefixCall] : atStart }
  package static func all(isIPv6: Bool) -> [String] { isIPv6 ? atStart + [prefixCall, "ec2:CreateTags"] : all }

  /// Whether a line of ipamd's log tells that EC2 asked it to slow down.
  package static func isThrottled(_ line: String) -> Bool {
    ["RequestLimitExceeded", "Throttling"].contains { line.contains($0) }
  }

  /// A resource of the kind that the call is authorised on.
  package static func resource(of action: String, region: String, account: String) -> String {
    action.hasPrefix("ec2:Describe") ? "*" : "arn:aws:ec2:\(region):\(account):network-interface/eni-0"
  }

  /// The action that an event `MissingIAMPermissions` says was refused.
  package static func refusedAction(inEvent message: String) -> String? {
    guard let start = message.firstRange(of: "failed to call ") else { return nil }
    let word = message[start.upperBound...].prefix { $0 != " " && $0 != "," }
    return word.isEmpty ? nil : word.contains(":") ? String(word) : "ec2:\(word)"
  }
}
