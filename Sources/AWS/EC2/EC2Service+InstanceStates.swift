import Mechanisms
package import Wire
import World

extension EC2Service {
  /// The group that an instance belongs to, if any.
  static let groupTag = "aws:autoscaling:groupName"

  func launched(_ id: String) {
    guard instances[id]?.state == .pending else { return }
    instances.update(id) {
      $0.state = .running
      $0.runningSince = world.now
    }
    world.ports.instanceRunning(id)
    tellGroup(id)
  }

  func shutDown(_ id: String, _ reason: JSON) {
    guard let instance = instances[id], instance.isThere else { return }
    instances.update(id) {
      $0.state = .shuttingDown
      $0.reasonCode = reason["code"].string
      $0.reasonText = reason["text"].string
    }
    tellGroup(id)
  }

  /// Its interfaces go with it; those not to be deleted stay behind, unattached.
  func terminated(_ id: String) {
    for interface in attached(to: id) {
      if interface.attachment?.deleteOnTermination == true {
        remove(interface.id)
      } else {
        interfaces.update(interface.id) { $0.attachment = nil }
      }
    }
    detachVolumes(of: id)
    instances.update(id) {
      $0.state = .terminated
      $0.terminatedAt = world.now
    }
    world.ports.instanceDiscarded(id)
    tellGroup(id)
  }

  func tellGroup(_ id: String) {
    guard let instance = instances[id], let group = instance.tags[Self.groupTag] else { return }
    world.schedule(
      AutoScalingGroupLife.id(group),
      .message("instance", ["id": .string(id), "state": .string(instance.state.rawValue)]), at: world.now)
  }

  // MARK: - What the instance's metadata service says

  /// The credentials that the metadata service hands out for the instance's role.
  package func credentials(ofInstance id: String) -> AWSCredentials? {
    guard let instance = instances[id], let profile = instance.profile,
      let (key, _) = sts.instanceCredentials(id, profile: profile)
    else { return nil }
    return sts.secrets.credentials(of: key)
  }

  /// How the instance's metadata service answers.
  func metadataOptions(ofInstance id: String) -> InstanceMetadata.Options? {
    instances[id].map { InstanceMetadata.Options(tokensRequired: $0.tokensRequired, hopLimit: $0.hopLimit) }
  }

  /// Metadata and user data by path below `/latest`; nil where there is none.
  package func metadata(ofInstance id: String, _ path: String) -> String? {
    guard let instance = instances[id] else { return nil }
    if path == "user-data" || path == "/latest/user-data" {
      return instance.userData.flatMap { Base64.decode($0) }.map { String(decoding: $0, as: UTF8.self) }
    }
    var path = path[...]
    for prefix in ["/latest/", "meta-data/", "/"] where path.hasPrefix(prefix) { path = path.dropFirst(prefix.count) }
    if path.hasPrefix("meta-data/") { path = path.dropFirst("meta-data/".count) }
    let devices = attached(to: id)
    guard let primary = devices.first else { return nil }
    switch path {
    case "instance-id": return id
    case "instance-type": return instance.type
    case "ami-id": return instance.image
    case "hostname", "local-hostname": return instance.privateDNSName
    case "local-ipv4": return instance.privateIP
    case "ipv6": return primary.addresses6?.first
    case "public-ipv4": return primary.publicIP ?? elasticAddress(of: primary)?.publicIP
    case "mac": return primary.mac
    case "placement/availability-zone": return instance.zone
    case "placement/availability-zone-id": return zoneID(instance.zone)
    case "placement/region": return world.region
    case "services/domain": return "amazonaws.com"
    case "reservation-id": return instance.reservation
    case "security-groups": return primary.groups.compactMap { groups[$0]?.name }.joined(separator: "\n")
    case "iam/info", "iam/security-credentials", "iam/security-credentials/":
      guard let profile = instance.profile.flatMap({ sts.iam.profiles[$0] }) else { return nil }
      if path.hasPrefix("iam/security") { return profile.roles.first }
      return JSON.object(
        JSONObject([
          ("Code", "Success"), ("InstanceProfileArn", .string(sts.iam.arn(of: profile))),
          ("InstanceProfileId", .string(profile.id)),
        ])
      ).text()
    case "network/interfaces/macs", "network/interfaces/macs/":
      return devices.map { "\($0.mac)/" }.joined(separator: "\n")
    case "block-device-mapping", "block-device-mapping/":
      return (["ami"] + blockDevices(of: id).indices.map { "ebs\($0 + 1)" } + ["root"]).joined(separator: "\n")
    case "tags/instance": return instance.tags.list.map(\.key).joined(separator: "\n")
    default: return interfaceMetadata(path, devices)
    }
  }

  private func interfaceMetadata(_ path: Substring, _ devices: [NetworkInterface]) -> String? {
    let parts = path.split(separator: "/").map(String.init)
    guard parts.count == 5, parts[0] == "network", parts[2] == "macs",
      let device = devices.first(where: { $0.mac == parts[3] }), let attachment = device.attachment
    else { return nil }
    let subnet = subnets[device.subnet]
    switch parts[4] {
    case "device-number": return String(attachment.device)
    case "interface-id": return device.id
    case "local-ipv4s": return ([device.primary] + device.secondaries).joined(separator: "\n")
    case "ipv4-prefix": return device.prefixes.isEmpty ? nil : device.prefixes.joined(separator: "\n")
    case "ipv6s": return device.addresses6?.joined(separator: "\n")
    case "ipv6-prefix": return device.prefixes6?.joined(separator: "\n")
    case "subnet-ipv6-cidr-blocks": return subnet?.block6?.cidr
    case "vpc-ipv6-cidr-blocks": return vpcs[device.vpc]?.blocks6?.map(\.cidr).joined(separator: "\n")
    case "subnet-id": return device.subnet
    case "subnet-ipv4-cidr-block": return subnet?.cidr
    case "vpc-id": return device.vpc
    case "vpc-ipv4-cidr-block": return vpcs[device.vpc]?.cidr
    case "vpc-ipv4-cidr-blocks": return vpcs[device.vpc]?.blocks.map(\.description).joined(separator: "\n")
    case "security-group-ids": return device.groups.joined(separator: "\n")
    case "owner-id": return world.account
    case "mac": return device.mac
    default: return nil
    }
  }
}
