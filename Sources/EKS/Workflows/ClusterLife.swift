import Wire
package import World

/// What EKS does to bring a cluster up, to change it and to take it down.
package struct ClusterLife: Component {
  package static let kind = "eks-cluster"

  enum Phase: String, Codable {
    case makingNetwork, startingAPIServer, installingAddons, active, deleting, failed
  }

  var name: String
  var phase = Phase.makingNetwork
  /// Objects of the default add-ons that are still to be put.
  var addonsLeft: [JSON] = []

  init(name: String) { self.name = name }

  package mutating func step(_ input: Input, _ context: Context) {
    guard let service = EKSService.of(context.world), let row = service.clusters[name] else { return context.stop() }
    switch input {
    case .start: context.wake("next", after: context.durations[.clusterCreate] / 3)
    case .wake("next"): proceed(service, row, context)
    case .kube(let tag, let reply) where tag == "addon": installed(reply, service, context)
    case .message("delete", _):
      phase = .deleting
      context.wake("next", after: context.durations[.clusterDelete])
    case .message("update", let id):
      context.send(context.id, "updated", id, after: context.durations[.clusterUpdate])
    case .message("updated", let id): finish(update: id.string ?? "", service)
    default: break
    }
  }

  private mutating func proceed(_ service: EKSService, _ row: ClusterRow, _ context: Context) {
    switch phase {
    case .makingNetwork:
      guard makeNetwork(service, row) else {
        phase = .failed
        return
      }
      phase = .startingAPIServer
      context.wake("next", after: context.durations[.clusterCreate] / 3)
    case .startingAPIServer:
      guard startAPIServer(service, context) else {
        phase = .failed
        return
      }
      phase = .installingAddons
      context.wake("next", after: context.durations[.clusterCreate] / 3)
    case .installingAddons:
      guard let facts = service.facts(name) else { return becomeActive(service) }
      // Without API servers, as in tests of EKS alone, there is nobody to put it.
      addonsLeft = context.world.kube.host == nil ? [] : [PodIdentityWebhookServer.object(facts)]
      if context.world.kube.host != nil { addonsLeft += VPCResourceWebhookServer.objects(facts) }
      addonsLeft += context.world.ports.addonObjects(AddonOrder(cluster: facts))
      for addon in row.installsAddons ? AddonOffer.selfManaged : [] {
        let version = AddonOffer.named(addon)?.defaultVersion(facts.version) ?? ""
        addonsLeft += context.world.ports.addonObjects(AddonOrder(cluster: facts, name: addon, version: version))
      }
      installNext(service, row, context)
    case .deleting: takeDown(service, row, context)
    case .active, .failed: break
    }
  }

  // MARK: - Up

  /// The cluster's security group and two to four interfaces in its subnets, each in another zone first.
  private func makeNetwork(_ service: EKSService, _ row: ClusterRow) -> Bool {
    let vpc = row.document["resourcesVpcConfig"]["vpcId"].string ?? ""
    let digits = service.world.newID { $0.letters(10, from: "0123456789") }
    let tags: JSON = [
      ["Key": .string("kubernetes.io/cluster/\(name)"), "Value": "owned"],
      ["Key": "aws:eks:cluster-name", "Value": .string(name)],
      ["Key": "Name", "Value": .string("eks-cluster-sg-\(name)-\(digits)")],
    ]
    let made = service.call(
      "ec2", "CreateSecurityGroup",
      [
        "GroupName": .string("eks-cluster-sg-\(name)-\(digits)"), "VpcId": .string(vpc),
        "Description":
          "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.",
        "TagSpecifications": [["ResourceType": "security-group", "Tags": tags]],
      ])
    guard let group = made.output?["GroupId"].string else { return fail(service, made.error) }
    service.clusters.update(name) { $0.document["resourcesVpcConfig"]["clusterSecurityGroupId"] = .string(group) }
    let rule = service.call(
      "ec2", "AuthorizeSecurityGroupIngress",
      [
        "GroupId": .string(group),
        "IpPermissions": [["IpProtocol": "-1", "UserIdGroupPairs": [["GroupId": .string(group)]]]],
      ])
    guard rule.error == nil else { return fail(service, rule.error) }

    if let error = makeInterfaces(service, in: row.subnets) { return fail(service, error) }
    return true
  }

  /// Interfaces of the control plane in two of the subnets, each in another zone first; the error that stopped them.
  func makeInterfaces(_ service: EKSService, in ids: [String]) -> AWSError? {
    guard let row = service.clusters[name] else { return nil }
    let described = service.call("ec2", "DescribeSubnets", ["SubnetIds": JSON(ids)])
    guard let subnets = described.output?["Subnets"].items else { return described.error }
    var zones: Set<String> = []
    var chosen: [String] = []
    for subnet in subnets where chosen.count < 2 && zones.insert(subnet["AvailabilityZone"].string ?? "").inserted {
      chosen.append(subnet["SubnetId"].string ?? "")
    }
    let groups = row.document["resourcesVpcConfig"]["securityGroupIds"].strings + [row.securityGroup]
    for subnet in chosen {
      let interface = service.call(
        "ec2", "CreateNetworkInterface",
        [
          "SubnetId": .string(subnet), "Groups": JSON(groups), "Description": .string("Amazon EKS \(name)"),
          "Ipv6AddressCount": row.isIPv6 ? 1 : .null,
        ])
      guard let output = interface.output?["NetworkInterface"] else { return interface.error }
      service.clusters.update(name) { row in
        row.interfaceIDs.append(output["NetworkInterfaceId"].string ?? "")
        row.interfaceAddresses.append(output["PrivateIpAddress"].string ?? "")
        if row.isIPv6 {
          row.interfaceIPv6 =
            (row.interfaceIPv6 ?? []) + output["Ipv6Addresses"].items.compactMap { $0["Ipv6Address"].string }
        }
      }
    }
    return nil
  }

  private func startAPIServer(_ service: EKSService, _ context: Context) -> Bool {
    guard let host = context.world.ports.clusters, let row = service.clusters[name] else { return false }
    do {
      let opened = try host.open(row.id, name: name)
      service.clusters.update(name) { row in
        row.document["endpoint"] = .string(opened.endpoint)
        row.document["certificateAuthority"] = ["data": .string(opened.certificateAuthority)]
        row.document["identity"] = ["oidc": ["issuer": .string(opened.issuer)]]
      }
      if let facts = service.facts(name) { context.world.ports.clusterCreated(facts) }
      return true
    } catch {
      return fail(service, AWSError(code: "InternalFailure", message: "\(error)", status: 500))
    }
  }

  private mutating func installNext(_ service: EKSService, _ row: ClusterRow, _ context: Context) {
    guard !addonsLeft.isEmpty else {
      if context.world.kube.host != nil {
        context.spawn(VPCResourceController.id(row.id), VPCResourceController(cluster: row.id, name: name))
        context.spawn(NetworkPolicyController.id(row.id), NetworkPolicyController(cluster: row.id))
      }
      return becomeActive(service)
    }
    let object = addonsLeft.removeFirst()
    context.submit(EKSUsers.bootstrap(row.id).clientSideApply(object), tag: "addon")
  }

  private mutating func installed(_ reply: KubeReply, _ service: EKSService, _ context: Context) {
    guard phase == .installingAddons, let row = service.clusters[name] else { return }
    if !reply.isSuccess, reply.reason != "AlreadyExists" {
      addonsLeft = []
      phase = .failed
      _ = fail(
        service,
        AWSError(code: "InternalFailure", message: "the default add-ons can't be put: \(reply.message)", status: 500))
      return
    }
    installNext(service, row, context)
  }

  private mutating func becomeActive(_ service: EKSService) {
    phase = .active
    service.clusters.update(name) { $0.status = "ACTIVE" }
    guard let row = service.clusters[name] else { return }
    // In modes with entries the creator gets one; else it is a mapping nobody sees.
    if row.mode != "CONFIG_MAP", row.document["accessConfig"]["bootstrapClusterCreatorAdminPermissions"].bool == true {
      addCreator(service, row)
    }
    ControlPlaneLog(service, row).started()
  }

  /// FAILED, with the health issue that EC2's error stands for.
  private func fail(_ service: EKSService, _ error: AWSError?) -> Bool {
    let code =
      switch error?.code {
      case "InsufficientFreeAddressesInSubnet": "InsufficientFreeAddresses"
      case "InvalidSubnetID.NotFound": "Ec2SubnetNotFound"
      case "InvalidGroup.NotFound": "Ec2SecurityGroupNotFound"
      case "InvalidVpcID.NotFound": "VpcNotFound"
      case "UnauthorizedOperation": "AccessDenied"
      default: "InternalFailure"
      }
    service.clusters.update(name) { row in
      row.status = "FAILED"
      row.document["health"] = [
        "issues": [
          ["code": .string(code), "message": .string(error?.message ?? ""), "resourceIds": JSON(row.subnets)]
        ]
      ]
    }
    return false
  }

  // MARK: - Changes

  private func finish(update id: String, _ service: EKSService) {
    guard let update = service.updates[Key.update(name, id)], let before = service.clusters[name] else { return }
    if let error = replaceInterfaces(for: update, service, before) {
      service.clusters.update(name) { row in
        row.status = "ACTIVE"
        row.currentUpdate = nil
      }
      service.updates.update(Key.update(name, id)) { row in
        row.document["status"] = "Failed"
        row.document["errors"] = [error]
      }
      return
    }
    service.clusters.update(name) { row in
      for field in update.change.fields { row.document[field.key] = field.value }
      row.status = "ACTIVE"
      row.currentUpdate = nil
    }
    service.updates.update(Key.update(name, id)) { $0.document["status"] = "Successful" }
    service.settleProviders(name, update.document["type"].string ?? "")
    guard let after = service.clusters[name], let facts = service.facts(name) else { return }
    if after.version != before.version || after.interfaceIDs != before.interfaceIDs {
      service.world.ports.clusterCreated(facts)
    }
    if after.document["logging"] != before.document["logging"] { ControlPlaneLog(service, after).started() }
    // The creator's hidden mapping becomes an entry when the cluster gets entries.
    if before.mode == "CONFIG_MAP", after.mode != "CONFIG_MAP",
      service.entries[Key.entry(name, after.creatorARN)] == nil
    {
      addCreator(service, after)
    }
  }

  /// The entry of whoever made the cluster: its administrator by an access policy.
  private func addCreator(_ service: EKSService, _ row: ClusterRow) {
    service.makeEntry(cluster: name, principal: row.creatorARN, id: row.creatorID, kind: .standard, managed: false)
    let now = service.timeNow
    service.entries.update(Key.entry(name, row.creatorARN)) { entry in
      entry.policies = [
        [
          "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
          "accessScope": ["type": "cluster", "namespaces": []], "associatedAt": now, "modifiedAt": now,
        ]
      ]
    }
  }

  // MARK: - Down

  private func takeDown(_ service: EKSService, _ row: ClusterRow, _ context: Context) {
    context.stop(VPCResourceController.id(row.id))
    context.stop(NetworkPolicyController.id(row.id))
    context.world.ports.clusterDeleted(row.id)
    context.world.ports.clusters?.close(row.id)
    for interface in row.interfaceIDs {
      _ = service.call("ec2", "DeleteNetworkInterface", ["NetworkInterfaceId": .string(interface)])
    }
    if !row.securityGroup.isEmpty {
      _ = service.call("ec2", "DeleteSecurityGroup", ["GroupId": .string(row.securityGroup)])
    }
    for (key, _) in service.entries.rows(prefix: "\(name)|") { service.entries[key] = nil }
    for (key, _) in service.updates.rows(prefix: "\(name)|") { service.updates[key] = nil }
    for (key, _) in service.addons.rows(prefix: "\(name)|") { service.addons[key] = nil }
    for (key, _) in service.records.rows(prefix: "\(name)|") { service.records[key] = nil }
    context.stop(FargateScheduler.id(name))
    service.clusters[name] = nil
    context.stop()
  }
}
