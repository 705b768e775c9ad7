import Mechanisms
import Wire
package import World

/// EKS, put together: the service on the AWS pipeline, its workflows, and the authenticator and authoriser
/// that its clusters' API servers ask.
package final class EKSStorey {
  package let service: EKSService
  /// Origins printed by `ekswhy env`: tokens for them are accepted besides those for STS's true names.
  package var localOrigins: [String] = []

  package init(world: World) {
    service = EKSService(world: world)
    world.know(ClusterLife.self, NodegroupLife.self, AddonLife.self, FargateLife.self, FargateScheduler.self)
    world.know(VPCResourceController.self, TrunkInterface.self, NetworkPolicyController.self)
    world.aws.register(service)
    world.aws.register(EKSAuthService(eks: service))
    world.kube.reviewIAMToken = { [unowned self] cluster, token, clock in
      guard let row = service.clusters.first(where: { $0.id == cluster }) else { return .denied }
      return Authenticator(service: service, row: row, localOrigins: localOrigins).review(token, clock: clock)
    }
    let ports = world.ports
    ports.controlPlaneWebhook = { [service] cluster, url, review in
      guard let row = service.clusters.first(where: { $0.id == cluster }) else { return nil }
      switch url {
      case PodIdentityWebhookServer.url: return PodIdentityWebhookServer(service: service, row: row).review(review)
      case FargateWebhookServer.url: return FargateWebhookServer(service: service, row: row).review(review)
      case let url where VPCResourceWebhookServer.urls.contains(url):
        return VPCResourceWebhookServer(service: service, row: row).review(url, review)
      default: return nil
      }
    }
    // A machine of Fargate has its pod execution role's credentials, not an instance's.
    let ofInstances = ports.instanceCredentials
    ports.instanceCredentials = { [service] id in
      service.machines[id].map(service.credentials(of:)) ?? ofInstances(id)
    }
    ports.accessPolicyAllows = { [service] in service.accessPolicyReason($0, $1, $2) }
    ports.admitsOutside = { [service] in service.admitsOutside($0, $1) }
    ports.identityProvider = { [service] in service.identityProvider(clusterID: $0) }
    ports.audit = { [service] cluster, event in
      guard let row = service.clusters.first(where: { $0.id == cluster }), row.logs("audit") else { return }
      ControlPlaneLog(service, row).audit(event())
    }
    ports.lifecycleAction = { [service] notice in
      let name = notice["AutoScalingGroupName"].string
      guard let group = service.nodegroups.first(where: { $0.autoScalingGroup == name }) else { return }
      world.schedule(
        ComponentID("eks-nodegroup/\(group.cluster)/\(group.name)"), .message("hook", notice), at: world.now)
    }
    ports.names.endpoints = { [service] in service.endpointNames }
    let ofNetworks = ports.packets.generation
    ports.packets.generation = { [service] in ofNetworks() &+ service.clusters.changes }
    ports.clusterID = { [service] in service.clusters[$0]?.id }
    ports.clusterStatus = { [service] in
      service.clusters.all.map { row in
        [
          "name": .string(row.name), "id": .string(row.id), "status": .string(row.status),
          "version": .string(row.version), "endpoint": row.document["endpoint"],
        ]
      }
    }
  }

  /// Id of the cluster that issues tokens under that name.
  package func clusterID(issuer: String) -> String? {
    service.clusters.first { $0.document["identity"]["oidc"]["issuer"].string == issuer }?.id
  }

  /// Facts of the cluster whose API server answers at an endpoint.
  package func facts(endpoint: String) -> ClusterFacts? {
    service.clusters.first { $0.document["endpoint"].string == endpoint }.flatMap { service.facts($0.name) }
  }
}

extension EKSService {
  /// The service of a world, for its workflows.
  static func of(_ world: World) -> EKSService? { world.aws.services["eks"] as? EKSService }

  /// The true names of the clusters' endpoints.
  var endpointNames: [EndpointName] {
    clusters.all.map { row in
      let access = row.document["resourcesVpcConfig"]
      let admits = access["publicAccessCidrs"].strings.compactMap { CIDR($0) }
      return EndpointName(
        host: EndpointName.host(id: row.id, region: world.region), cluster: row.name,
        vpc: access["vpcId"].string ?? "", isPublic: access["endpointPublicAccess"].bool ?? true,
        isPrivate: access["endpointPrivateAccess"].bool ?? false, addresses: row.interfaceAddresses,
        admits: admits.isEmpty ? [.everything] : admits)
    }
  }

  /// Whether somebody outside of the VPC gets through to the endpoint.
  func admitsOutside(_ clusterID: String, _ address: String) -> Bool {
    guard let access = clusters.first(where: { $0.id == clusterID })?.document["resourcesVpcConfig"],
      let from = IPv4Address(address)
    else { return true }
    return !EndpointAdmission.decide(
      .init(
        isPublic: .known(access["endpointPublicAccess"].bool ?? true),
        admits: .known(access["publicAccessCidrs"].strings.compactMap { CIDR($0) }), from: .known(from))
    ).isNo
  }

  /// What the insides of a cluster need to know of it.
  func facts(_ cluster: String) -> ClusterFacts? {
    guard let row = clusters[cluster] else { return nil }
    let document = row.document
    return ClusterFacts(
      id: row.id, name: row.name, account: world.account, region: world.region, version: row.version,
      platformVersion: document["platformVersion"].string ?? "",
      serviceCIDR: row.serviceBlock,
      vpcID: document["resourcesVpcConfig"]["vpcId"].string ?? "", endpoint: document["endpoint"].string ?? "",
      certificateAuthority: document["certificateAuthority"]["data"].string ?? "",
      issuer: document["identity"]["oidc"]["issuer"].string ?? "", controlPlaneAddresses: row.interfaceAddresses,
      controlPlaneIPv6: row.interfaceIPv6)
  }
}
