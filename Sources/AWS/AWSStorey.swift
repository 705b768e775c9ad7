package import Wire
package import World

/// The AWS services of the account, standing on the world's AWS pipeline.
///
/// Made once per process, after the world and before ``World/restore()``; a new world is furnished with
/// what every account has: an administrator, a default VPC, service-linked roles as they are needed.
package final class AWSStorey {
  package let iam: IAMService
  package let sts: STSService
  package let ec2: EC2Service
  package let autoScaling: AutoScalingService
  package let logs: LogsService
  package let cloudTrail: CloudTrailService
  package let kms: KMSService
  package let organizations: OrganizationsService
  package let secrets: any SecretKeeper

  package init(world: World, secrets: any SecretKeeper) {
    self.secrets = secrets
    iam = IAMService(world: world, secrets: secrets)
    sts = STSService(world: world, iam: iam, secrets: secrets)
    ec2 = EC2Service(world: world, sts: sts)
    autoScaling = AutoScalingService(world: world)
    logs = LogsService(world: world)
    cloudTrail = CloudTrailService(world: world)
    kms = KMSService(world: world, iam: iam)
    organizations = OrganizationsService(world: world, iam: iam)
    world.know(InstanceLife.self, VolumeChange.self, AutoScalingGroupLife.self)
    let services: [any AWSService] = [
      iam, sts, S3Service(iam: iam), ec2, autoScaling, logs, cloudTrail, kms, organizations,
      CloudWatchService(world: world, ec2: ec2),
    ]
    for service in services { world.aws.register(service) }
    world.aws.authenticate = { [sts] in sts.authenticate($0) }
    world.aws.authorize = { [iam] in iam.authorize($0, $1) }
    world.aws.record = { [cloudTrail] in cloudTrail.record($0, $1) }
    let ec2 = Reference(ec2)
    iam.endpoint = { ec2.value?.endpoint(of: $0) }
    cloudTrail.endpoint = { ec2.value?.endpoint(of: $0)?.id }
    world.ports.instanceCredentials = { ec2.value?.credentials(ofInstance: $0) }
    world.ports.instanceOff = { [unowned world] in
      world.schedule(InstanceLife.id($0), .message("off", .null), at: world.now)
    }
    world.ports.instanceMetadata = { ec2.value?.metadata(ofInstance: $0, $1) }
    world.ports.instanceMetadataOptions = { ec2.value?.metadataOptions(ofInstance: $0) }
    world.ports.names.vpc = { ec2.value?.names(ofVPC: $0) }
    let packets = world.ports.packets
    packets.fabric = { ec2.value?.fabric(ofVPC: $0) }
    packets.interfaces = { ec2.value?.interfacesShown(ofInstance: $0) ?? [] }
    packets.primary = { ec2.value?.firstInterfaceShown($0) }
    packets.interface = { ec2.value?.interfaceShown(vpc: $0, $1) }
    packets.generation = { ec2.value?.networkGeneration ?? 0 }
    packets.shape = { ec2.value?.networkShape(ofInstance: $0) ?? "" }
    world.ports.credentialsFault = { [sts] in sts.fault(of: $0, for: $1) }
    world.ports.deliverLog = { [logs] in logs.deliver($0, $1, $2) }
    if !world.isResumed {
      iam.furnish()
      self.ec2.furnish()
    }
  }

  /// Whether calls are refused that come faster than AWS takes them.
  package func limitRates(_ isOn: Bool, in world: World) {
    let rates = isOn ? RequestRates() : nil
    world.aws.throttle = { rates?.refuse($0) }
  }

  private struct Reference {
    weak var value: EC2Service?
    init(_ value: EC2Service) { self.value = value }
  }

  /// Access key of the administrator, that `ekswhy env` exports.
  package var administratorKey: String { iam.administratorKey }
}

/// Keeps what belongs to access keys apart from the world's state: secrets and session tokens, made from
/// the system's randomness.
package protocol SecretKeeper: AnyObject {
  /// Makes and keeps secret (and for temporary keys session token) of an access key.
  func make(accessKeyID: String, temporary: Bool) -> AWSCredentials
  /// What was made for that key; nil for a key this local EKS never gave out.
  func credentials(of accessKeyID: String) -> AWSCredentials?
  func forget(accessKeyID: String)
}

/// A keeper that forgets with the process and whose secrets follow from the ids, for tests.
package final class MemorySecretKeeper: SecretKeeper {
  private var kept: [String: AWSCredentials] = [:]

  package init() {}

  package func make(accessKeyID: String, temporary: Bool) -> AWSCredentials {
    let made = AWSCredentials(
      accessKeyID: accessKeyID, secretAccessKey: "secret-of-\(accessKeyID)",
      sessionToken: temporary ? "token-of-\(accessKeyID)" : nil)
    kept[accessKeyID] = made
    return made
  }

  package func credentials(of accessKeyID: String) -> AWSCredentials? { kept[accessKeyID] }
  package func forget(accessKeyID: String) { kept[accessKeyID] = nil }
}
