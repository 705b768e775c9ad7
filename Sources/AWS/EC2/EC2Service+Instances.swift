import Wire
import World

extension EC2Service {
  static var instanceOperations: [String: Operation<EC2Service>] {
    [
      "RunInstances": runInstances, "DescribeInstances": describeInstances,
      "DescribeInstanceStatus": describeInstanceStatus, "TerminateInstances": terminateInstances,
      "DescribeInstanceAttribute": describeInstanceAttribute, "ModifyInstanceMetadataOptions": modifyMetadataOptions,
      "GetConsoleOutput": getConsoleOutput,
    ]
  }

  static let instanceDescription = Description(
    list: "Instances", ids: "InstanceIds", id: "InstanceId", kind: "instance",
    filters: [
      "instance-state-name": "State.Name", "instance-state-code": "State.Code",
      "availability-zone": "Placement.AvailabilityZone", "private-dns-name": "PrivateDnsName",
      "ip-address": "PublicIpAddress", "dns-name": "PublicDnsName", "instance.group-id": "SecurityGroups.GroupId",
      "group-id": "SecurityGroups.GroupId", "instance.group-name": "SecurityGroups.GroupName",
      "iam-instance-profile.arn": "IamInstanceProfile.Arn",
      "network-interface.network-interface-id": "NetworkInterfaces.NetworkInterfaceId",
      "network-interface.subnet-id": "NetworkInterfaces.SubnetId",
      "network-interface.addresses.private-ip-address": "NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress",
    ])

  func json(_ instance: Instance) -> JSON {
    let devices = attached(to: instance.id)
    let primary = devices.first
    let publicIP = primary.flatMap { $0.publicIP ?? elasticAddress(of: $0)?.publicIP }
    let isThere = instance.isThere
    let groupList = JSON.array(
      (primary?.groups ?? []).map { ["GroupName": JSON(groups[$0]?.name), "GroupId": .string($0)] })
    var value: JSON = [
      "AmiLaunchIndex": .int(Int64(instance.launchIndex)), "ImageId": .string(instance.image),
      "InstanceId": .string(instance.id), "InstanceType": .string(instance.type), "KeyName": JSON(instance.keyName),
      "LaunchTime": .time(instance.startedAt ?? instance.launchedAt),
      "Monitoring": ["State": instance.detailedMonitoring ? "enabled" : "disabled"],
      "Placement": [
        "AvailabilityZone": .string(instance.zone), "AvailabilityZoneId": .string(zoneID(instance.zone)),
        "GroupName": "", "Tenancy": "default",
      ],
      "PrivateDnsName": .string(isThere ? instance.privateDNSName : ""),
      "PrivateIpAddress": isThere ? .string(instance.privateIP) : .null, "ProductCodes": [],
      "PublicDnsName": .string(publicIP.map { vpcs[instance.vpc]?.dnsHostnames == true ? publicName($0) : "" } ?? ""),
      "PublicIpAddress": JSON(publicIP), "Ipv6Address": isThere ? JSON(primary?.addresses6?.first) : .null,
      "State": ["Code": .int(instance.state.code), "Name": .string(instance.state.rawValue)],
      "StateTransitionReason": .string(
        instance.terminatedAt.map { "User initiated (\($0.rfc3339.replacingT) GMT)" } ?? ""),
      "SubnetId": isThere ? .string(instance.subnet) : .null, "VpcId": isThere ? .string(instance.vpc) : .null,
      "Architecture": .string(architecture(of: instance.type)),
    ]
    value["BlockDeviceMappings"] =
      isThere
      ? .array(
        [
          [
            "DeviceName": "/dev/xvda",
            "Ebs": [
              "AttachTime": .time(instance.launchedAt), "DeleteOnTermination": true, "Status": "attached",
              "VolumeId": .string(instance.volume),
            ],
          ]
        ] + blockDevices(of: instance.id)) : []
    value["ClientToken"] = .string(instance.clientToken ?? "")
    value["EbsOptimized"] = false
    value["EnaSupport"] = true
    value["Hypervisor"] = "xen"
    if let profile = instance.profile.flatMap({ sts.iam.profiles[$0] }) {
      value["IamInstanceProfile"] = ["Arn": .string(sts.iam.arn(of: profile)), "Id": .string(profile.id)]
    }
    value["NetworkInterfaces"] = .array(devices.map { json($0, of: true) })
    value["RootDeviceName"] = "/dev/xvda"
    value["RootDeviceType"] = "ebs"
    value["SecurityGroups"] = groupList
    value["SourceDestCheck"] = JSON(primary?.sourceDestCheck)
    if let reason = instance.stateReason {
      value["StateReason"] = ["Code": .string(reason.code), "Message": .string(reason.message)]
    }
    value["Tags"] = instance.tags.json
    value["VirtualizationType"] = "hvm"
    value["CpuOptions"] = ["CoreCount": 1, "ThreadsPerCore": 2]
    value["MetadataOptions"] = metadataOptions(instance)
    value["PrivateDnsNameOptions"] = [
      "HostnameType": "ip-name", "EnableResourceNameDnsARecord": false, "EnableResourceNameDnsAAAARecord": false,
    ]
    value["PlatformDetails"] = "Linux/UNIX"
    value["UsageOperation"] = "RunInstances"
    return value
  }

  private func metadataOptions(_ instance: Instance) -> JSON {
    [
      "State": "applied", "HttpTokens": instance.tokensRequired ? "required" : "optional",
      "HttpPutResponseHopLimit": .int(Int64(instance.hopLimit)), "HttpEndpoint": "enabled",
      "HttpProtocolIpv6": "disabled", "InstanceMetadataTags": "disabled",
    ]
  }

  private func reservation(_ instances: [(Instance, JSON)]) -> JSON {
    let first = instances[0].0
    return [
      "ReservationId": .string(first.reservation), "OwnerId": .string(world.account), "Groups": [],
      "RequesterId": JSON(first.requester), "Instances": .array(instances.map(\.1)),
    ]
  }

  private func describeInstances(_ request: AWSRequest) throws(AWSError) -> JSON {
    let answer = try describe(
      Self.instanceDescription, described(instances, Self.instanceDescription, request).map(json), request)
    // Instances of one launch are told together.
    var order: [String] = []
    var byReservation: [String: [(Instance, JSON)]] = [:]
    for value in answer["Instances"].items {
      guard let row = instances[value["InstanceId"].string ?? ""] else { continue }
      if byReservation[row.reservation] == nil { order.append(row.reservation) }
      byReservation[row.reservation, default: []].append((row, value))
    }
    return ["Reservations": .array(order.map { reservation(byReservation[$0]!) }), "NextToken": answer["NextToken"]]
  }

  private func describeInstanceStatus(_ request: AWSRequest) throws(AWSError) -> JSON {
    let all = request.input["IncludeAllInstances"].bool == true
    let rows = instances.filter { all || $0.state == .running }.map { instance -> JSON in
      let checks: JSON = [
        "Details": [["Name": "reachability", "Status": "passed"]], "Status": "ok",
      ]
      return [
        "AvailabilityZone": .string(instance.zone), "InstanceId": .string(instance.id),
        "InstanceState": ["Code": .int(instance.state.code), "Name": .string(instance.state.rawValue)],
        "InstanceStatus": instance.state == .running ? checks : ["Status": "not-applicable"],
        "SystemStatus": instance.state == .running ? checks : ["Status": "not-applicable"],
      ]
    }
    var what = Self.instanceDescription
    what.list = "InstanceStatuses"
    what.filters = ["instance-state-name": "InstanceState.Name", "instance-state-code": "InstanceState.Code"]
    for id in request.input["InstanceIds"].strings where instances[id] == nil { throw .notFound("instance", id) }
    var request = request
    let wanted = request.input["InstanceIds"].strings
    request.call.input["InstanceIds"] = .null
    let shown = rows.filter { wanted.isEmpty || wanted.contains($0["InstanceId"].string ?? "") }
    return try describe(what, shown, request)
  }

  private func terminateInstances(_ request: AWSRequest) throws(AWSError) -> JSON {
    let ids = request.input["InstanceIds"].strings
    for id in ids { _ = try instance(id) }
    var changes: [JSON] = []
    for id in ids {
      let before = instances[id]!.state
      if instances[id]!.isThere {
        let reason: JSON = [
          "code": "Client.UserInitiatedShutdown", "text": "Client.UserInitiatedShutdown: User initiated shutdown",
        ]
        let wasOff = before == .stopped
        // The component only counts the time; the state changes with the answer.
        shutDown(id, reason)
        world.schedule(InstanceLife.id(id), .message(wasOff ? "discard" : "terminate", .null), at: world.now)
      }
      let after = instances[id]!.state
      changes.append([
        "CurrentState": ["Code": .int(after.code), "Name": .string(after.rawValue)], "InstanceId": .string(id),
        "PreviousState": ["Code": .int(before.code), "Name": .string(before.rawValue)],
      ])
    }
    return ["TerminatingInstances": .array(changes)]
  }

  private func describeInstanceAttribute(_ request: AWSRequest) throws(AWSError) -> JSON {
    let instance = try instance(request.input["InstanceId"].string)
    var answer: JSON = ["InstanceId": .string(instance.id)]
    switch request.input["Attribute"].string {
    case "userData": answer["UserData"] = ["Value": JSON(instance.userData)]
    case "instanceType": answer["InstanceType"] = ["Value": .string(instance.type)]
    case "disableApiTermination": answer["DisableApiTermination"] = ["Value": false]
    case "disableApiStop": answer["DisableApiStop"] = ["Value": false]
    case "instanceInitiatedShutdownBehavior": answer["InstanceInitiatedShutdownBehavior"] = ["Value": "stop"]
    case "sourceDestCheck":
      answer["SourceDestCheck"] = ["Value": JSON(primaryInterface(of: instance.id)?.sourceDestCheck)]
    case "groupSet": answer["Groups"] = json(instance)["SecurityGroups"]
    default: break
    }
    return answer
  }

  /// What cloud-init printed at the start: the last 64 KiB of it, as EC2 keeps them.
  private func getConsoleOutput(_ request: AWSRequest) throws(AWSError) -> JSON {
    let instance = try instance(request.input["InstanceId"].string)
    let streams = world.logs.streams(prefix: "node/").filter { $0.hasSuffix("/\(instance.id)/cloud-init-output") }
    let records = streams.flatMap(world.logs.read)
    var answer: JSON = [
      "InstanceId": .string(instance.id), "Timestamp": .time(records.last?.at ?? instance.launchedAt),
    ]
    let text = Array(records.map { $0.text + "\r\n" }.joined().utf8)
    if !text.isEmpty { answer["Output"] = .string(Base64.encode(Array(text.suffix(64 << 10)))) }
    return answer
  }

  private func modifyMetadataOptions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let instance = try instance(request.input["InstanceId"].string)
    instances.update(instance.id) {
      if let limit = request.input["HttpPutResponseHopLimit"].int { $0.hopLimit = limit }
      if let tokens = request.input["HttpTokens"].string { $0.tokensRequired = tokens == "required" }
    }
    return [
      "InstanceId": .string(instance.id), "InstanceMetadataOptions": metadataOptions(instances[instance.id]!),
    ]
  }
}

extension String {
  /// `2026-11-22 12:04:15` of `2026-11-22T12:04:15Z`.
  var replacingT: String { String(map { $0 == "T" ? " " : $0 }).filter { $0 != "Z" } }
}
