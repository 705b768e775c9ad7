import Mechanisms
import Wire

/// Why EC2 refuses to launch an instance, as the text of an Auto Scaling activity tells it.
struct LaunchRefusal: Sendable {
  enum Kind: String, Sendable, CaseIterable {
    case instanceProfile = "instance-profile-missing"
    case capacity = "insufficient-capacity"
    case image = "image-missing"
    case addresses = "subnet-without-addresses"
    case quota = "instance-quota"
    case securityGroup = "security-group-missing"
    case keyPair = "key-pair-missing"
    case template = "launch-template-missing"
    case key = "volume-key-unusable"
    case denied = "launch-denied"
    case other = "launch-refused"

    /// What stands in a text of that kind.
    var texts: [String] {
      switch self {
      case .instanceProfile: ["Invalid IAM Instance Profile"]
      case .capacity: ["InsufficientInstanceCapacity", "do not have sufficient", "UnfulfillableCapacity"]
      case .image: ["InvalidAMIID", "The image id"]
      case .addresses: ["InsufficientFreeAddressesInSubnet", "not enough free addresses"]
      case .quota: ["VcpuLimitExceeded", "vCPU capacity than your current", "InstanceLimitExceeded"]
      case .securityGroup: ["InvalidGroup.NotFound", "The security group"]
      case .keyPair: ["InvalidKeyPair.NotFound", "The key pair"]
      case .template: ["InvalidLaunchTemplate", "launch template"]
      case .key: ["InvalidKMSKey", "Client.InternalError"]
      case .denied: ["UnauthorizedOperation", "not authorized to perform"]
      case .other: []
      }
    }
  }

  var kind: Kind
  var message: String

  init(_ message: String) {
    self.message = message
    kind = Kind.allCases.first { $0.texts.contains { message.contains($0) } } ?? .other
  }

  /// What stands in the first parentheses after `Value`: the profile that isn't there.
  private var value: String? {
    guard let start = message.firstRange(of: "Value (")?.upperBound else { return nil }
    let rest = message[start...].prefix { $0 != ")" }
    return rest.split(separator: "/").last.map(String.init)
  }

  /// The root, for a group whose instances have that role.
  func root(
    _ group: Entity, role: String?, _ evidence: [Exhibit], verify: String, _ world: Investigation
  ) -> RootCause {
    let text = Ages.shortened(message, 160)
    if kind == .instanceProfile, let name = value {
      return LaunchRefusal.missingProfile(name, role: role, evidence, verify: verify, world)
    }
    return RootCause(
      "nodes/\(kind.rawValue)", layer: .aws, entity: group,
      statement: "EC2 refuses to launch instances for \(group.name): \(text)", evidence: evidence,
      fixes: [Fix(advice, owner: "hand", touches: [group.title], verify: verify)])
  }

  private var advice: String {
    switch kind {
    case .capacity:
      "let the group take further instance types or zones: EC2 has no room for this one there now; it tries again by itself"
    case .image: "name an image that exists in the launch template"
    case .addresses: "free addresses in the subnet, or give the group a larger one"
    case .quota: "ask for a higher quota of vCPUs for that family (Service Quotas, EC2), or end instances"
    case .securityGroup: "name security groups that exist in the launch template"
    case .keyPair: "name a key pair that exists, or none"
    case .template: "give the group a launch template and version that exist"
    case .key: "let the service-linked role of EC2 Auto Scaling use the key that encrypts the volumes (a grant)"
    case .denied: "let the service-linked role of EC2 Auto Scaling do what EC2 names, and pass the role of the nodes"
    case .instanceProfile, .other: "remove what EC2 names as the reason; the Auto Scaling group tries again by itself"
    }
  }

  static func missingProfile(
    _ name: String, role: String?, _ evidence: [Exhibit], verify: String, _ world: Investigation
  ) -> RootCause {
    let aws = world.target.awsOptions
    let profile = Shell.quote(name)
    let fix = role.map { role in
      Fix(
        "makes the instance profile again, with the role of the group's nodes; the Auto Scaling group tries again by itself",
        command:
          "aws iam create-instance-profile --instance-profile-name \(profile)\(aws) && aws iam add-role-to-instance-profile --instance-profile-name \(profile) --role-name \(Shell.quote(ARN.parse(role)?.name ?? role))\(aws)",
        owner: "hand", touches: ["instance-profile/\(name)"],
        undo:
          "aws iam remove-role-from-instance-profile --instance-profile-name \(profile) --role-name \(Shell.quote(ARN.parse(role)?.name ?? role))\(aws) && aws iam delete-instance-profile --instance-profile-name \(profile)\(aws)",
        verify: verify, expectWithin: "10m")
    }
    return RootCause(
      "nodes/\(Kind.instanceProfile.rawValue)", layer: .aws, entity: Entity("InstanceProfile", name),
      statement: "there is no instance profile \(name), with which the instances are launched", evidence: evidence,
      fixes: [
        fix
          ?? Fix(
            "name an instance profile that exists, by its name or its whole ARN, in the launch template", owner: "hand",
            touches: ["instance-profile/\(name)"], verify: verify)
      ])
  }
}
