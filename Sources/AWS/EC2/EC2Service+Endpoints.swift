import Mechanisms
import Wire
import World

/// Ways out of a VPC to AWS's services that need no Internet.
extension EC2Service {
  static var endpointOperations: [String: Operation<EC2Service>] {
    [
      "CreateVpcEndpoint": createEndpoint, "DescribeVpcEndpoints": describeEndpoints,
      "DeleteVpcEndpoints": deleteEndpoints, "ModifyVpcEndpoint": modifyEndpoint,
      "DescribeVpcEndpointServices": describeEndpointServices, "DescribePrefixLists": describePrefixLists,
    ]
  }

  static let gatewayServices = ["dynamodb", "s3"]

  static let fullAccess =
    #"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#

  /// `ecr.api` of `com.amazonaws.us-east-1.ecr.api`; nil where the region has no such service.
  private func shortName(_ service: String, _ kind: VPCEndpoint.Kind) -> String? {
    let prefix = "com.amazonaws.\(world.region)."
    guard service.hasPrefix(prefix) else { return nil }
    let name = String(service.dropFirst(prefix.count))
    return (kind == .gateway ? Self.gatewayServices : PublicNames.endpointServices).contains(name) ? name : nil
  }

  /// The public names of a service that an endpoint takes over in its VPC.
  func privateNames(_ endpoint: VPCEndpoint) -> [String] {
    guard endpoint.kind == .interface, let name = shortName(endpoint.service, .interface) else { return [] }
    return PublicNames.privateNames(ofEndpoint: name, world.region)
  }

  private func dnsEntries(_ endpoint: VPCEndpoint) -> [JSON] {
    guard endpoint.kind == .interface, let name = shortName(endpoint.service, .interface) else { return [] }
    let tail = "\(name.split(separator: ".").reversed().joined(separator: ".")).\(world.region).vpce.amazonaws.com"
    var names = ["\(endpoint.id)-\(endpoint.nameSuffix).\(tail)"]
    for subnet in endpoint.subnets {
      guard let zone = subnets[subnet]?.zone else { continue }
      names.append("\(endpoint.id)-\(endpoint.nameSuffix)-\(zone).\(tail)")
    }
    if endpoint.privateDNS { names += privateNames(endpoint) }
    return names.enumerated().map { index, name in
      ["DnsName": .string(name), "HostedZoneId": index > endpoint.subnets.count ? "ZONEIDPENDING" : "Z7HUB22UULQXV"]
    }
  }

  func json(_ endpoint: VPCEndpoint) -> JSON {
    [
      "VpcEndpointId": .string(endpoint.id), "VpcEndpointType": .string(endpoint.kind.rawValue),
      "VpcId": .string(endpoint.vpc), "ServiceName": .string(endpoint.service), "State": "available",
      "PolicyDocument": .string(endpoint.policy), "RouteTableIds": JSON(endpoint.routeTables),
      "SubnetIds": JSON(endpoint.subnets), "NetworkInterfaceIds": JSON(endpoint.interfaces),
      "Groups": .array(
        endpoint.groups.map { ["GroupId": .string($0), "GroupName": JSON(groups[$0]?.name)] }),
      "IpAddressType": endpoint.kind == .interface ? "ipv4" : .null,
      "DnsOptions": endpoint.kind == .interface ? ["DnsRecordIpType": "ipv4"] : .null,
      "PrivateDnsEnabled": .bool(endpoint.privateDNS), "RequesterManaged": false,
      "DnsEntries": .array(dnsEntries(endpoint)), "CreationTimestamp": .time(endpoint.createdAt),
      "OwnerId": .string(world.account), "Tags": endpoint.tags.json, "ServiceRegion": .string(world.region),
    ]
  }

  /// The id of a gateway service's prefix list.
  func prefixList(_ name: String) -> String {
    var stream = RandomStream(seed: 0, entity: "prefix-list/\(world.region)/\(name)")
    return "pl-" + stream.hex(8)
  }

  static func prefixes(_ name: String) -> [String] {
    name == "s3"
      ? ["3.5.0.0/19", "16.182.0.0/16", "52.216.0.0/15", "54.231.0.0/16"] : ["3.218.180.0/22", "52.94.0.0/22"]
  }

  /// The endpoint through which a call from an address of a VPC reaches its service; nil for every other. Where two
  /// VPCs have the address it can't be told, and the call counts as coming by the Internet.
  func endpoint(of call: AWSCall) -> EndpointWay.Endpoint? {
    guard !endpoints.isEmpty, !call.sourceIP.isEmpty else { return nil }
    let model = AWSServiceModel.named(call.service)
    guard model?.globalEndpoint == nil || call.service == "sts" else { return nil }
    let here = interfaces.filter {
      $0.primary == call.sourceIP || $0.publicIP == call.sourceIP || $0.secondaries.contains(call.sourceIP)
    }
    guard let interface = here.first, here.allSatisfy({ $0.vpc == interface.vpc }) else { return nil }
    let table = subnets[interface.subnet].flatMap { self.table(of: $0) }
    var known: [EndpointWay.Endpoint] = []
    for endpoint in endpoints.all where endpoint.vpc == interface.vpc {
      if case .some(.some(let read)) = EndpointWay.Endpoint.read(json(endpoint)).value { known.append(read) }
    }
    let host = call.service == "eks-auth" ? call.service : model?.endpointPrefix ?? call.service
    return EndpointWay.decide(
      .init(
        host: .known(host), region: .known(call.region), endpoints: .known(known), routeTable: .known(table?.id ?? ""))
    ).value
  }

  /// Refuses a text that is no endpoint policy.
  private func check(policy text: String) throws(AWSError) {
    guard let document = try? PolicyDocument(text: text), !document.statements.isEmpty,
      document.statements.allSatisfy({ $0.principals != nil && $0.resources != nil })
    else { throw .ec2("InvalidPolicyDocument", "The policy document is not valid.") }
  }

  // MARK: - Life

  private func createEndpoint(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let vpc = try vpc(input["VpcId"].string)
    let service = input["ServiceName"].string ?? ""
    guard let kind = VPCEndpoint.Kind(rawValue: input["VpcEndpointType"].string ?? "Gateway") else {
      throw .ec2("UnsupportedOperation", "The local EKS has endpoints of the types Gateway and Interface.")
    }
    guard shortName(service, kind) != nil else {
      throw .ec2("InvalidServiceName", "The Vpc Endpoint Service '\(service)' does not exist")
    }
    if let policy = input["PolicyDocument"].string { try check(policy: policy) }
    var endpoint = VPCEndpoint(
      id: newID("vpce"), kind: kind, vpc: vpc.id, service: service,
      policy: input["PolicyDocument"].string ?? Self.fullAccess,
      createdAt: request.now, nameSuffix: world.newID { $0.letters(8, from: "0123456789abcdefghijklmnopqrstuvwxyz") },
      tags: newTags("vpc-endpoint", input))
    if kind == .gateway {
      try associate(&endpoint, input["RouteTableIds"].strings)
    } else {
      endpoint.privateDNS = input["PrivateDnsEnabled"].bool ?? true
      try checkPrivateDNS(endpoint, vpc)
      endpoint.groups = input["SecurityGroupIds"].strings
      if endpoint.groups.isEmpty, let standard = groups.first(where: { $0.vpc == vpc.id && $0.name == "default" }) {
        endpoint.groups = [standard.id]
      }
      try place(&endpoint, input["SubnetIds"].strings)
    }
    endpoints[endpoint.id] = endpoint
    var value = json(endpoint)
    if kind == .interface { value["State"] = "pending" }
    return ["VpcEndpoint": value, "ClientToken": input["ClientToken"]]
  }

  private func checkPrivateDNS(_ endpoint: VPCEndpoint, _ vpc: VPC) throws(AWSError) {
    guard endpoint.privateDNS else { return }
    guard vpc.dnsSupport, vpc.dnsHostnames else {
      throw .ec2(
        "InvalidParameter",
        "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for \(vpc.id)"
      )
    }
    let names = Set(privateNames(endpoint))
    let other = endpoints.first {
      $0.vpc == vpc.id && $0.id != endpoint.id && $0.privateDNS && !names.isDisjoint(with: privateNames($0))
    }
    guard other == nil else {
      throw .ec2(
        "InvalidParameter",
        "private-dns-enabled cannot be set because there is already a conflicting DNS domain for \(privateNames(endpoint)[0]) in the VPC \(vpc.id)"
      )
    }
  }

  /// Puts a route to a gateway endpoint into route tables.
  private func associate(_ endpoint: inout VPCEndpoint, _ ids: [String]) throws(AWSError) {
    let list = prefixList(shortName(endpoint.service, .gateway) ?? "")
    for id in ids {
      guard let table = routeTables[id] else { throw .notFound("routeTable", id) }
      guard table.vpc == endpoint.vpc else {
        throw .ec2("InvalidParameter", "Route table \(id) does not belong to VPC \(endpoint.vpc)")
      }
      guard !table.routes.contains(where: { $0.destination == list }) else {
        throw .ec2(
          "RouteAlreadyExists", "route table \(id) already has a route with destination-prefix-list-id \(list)")
      }
    }
    for id in ids {
      let route = RouteTable.Route(destination: list, endpoint: endpoint.id, origin: "CreateRoute")
      routeTables.update(id) { $0.routes.append(route) }
    }
    endpoint.routeTables += ids
  }

  private func withdraw(_ endpoint: inout VPCEndpoint, _ ids: [String]) {
    for id in ids { routeTables.update(id) { $0.routes.removeAll { $0.endpoint == endpoint.id } } }
    endpoint.routeTables.removeAll { ids.contains($0) }
  }

  /// Gives an interface endpoint an interface in each of the subnets.
  private func place(_ endpoint: inout VPCEndpoint, _ ids: [String]) throws(AWSError) {
    var zones = Set(endpoint.subnets.compactMap { subnets[$0]?.zone })
    for id in ids {
      let subnet = try subnet(id)
      guard subnet.vpc == endpoint.vpc else {
        throw .ec2("InvalidParameter", "Subnet \(id) does not belong to VPC \(endpoint.vpc)")
      }
      guard zones.insert(subnet.zone).inserted else {
        throw .ec2(
          "DuplicateSubnetsInSameZone",
          "Found another VPC endpoint subnet in the availability zone of \(id). VPC endpoint subnets should be in different availability zones supported by the VPC endpoint service."
        )
      }
    }
    for id in ids {
      var interface = try makeInterface(
        in: try subnet(id), description: "VPC Endpoint Interface \(endpoint.id)", groups: endpoint.groups,
        requester: "amazon-vpce")
      interface.kind = "vpc_endpoint"
      interface.attachment = .init(
        id: newID("ela-attach"), instance: nil, owner: "amazon-aws", device: 1, deleteOnTermination: false,
        attachedAt: world.now)
      interfaces[interface.id] = interface
      endpoint.interfaces.append(interface.id)
      endpoint.subnets.append(id)
    }
  }

  private func describeEndpoints(_ request: AWSRequest) throws(AWSError) -> JSON {
    try describe(
      .init(
        list: "VpcEndpoints", ids: "VpcEndpointIds", id: "VpcEndpointId", kind: "endpoint",
        filters: ["vpc-endpoint-state": "State"]), described(endpoints, Self.endpointDescription, request).map(json),
      request)
  }

  private static let endpointDescription = Description(
    list: "VpcEndpoints", ids: "VpcEndpointIds", id: "VpcEndpointId", kind: "endpoint")

  private func deleteEndpoints(_ request: AWSRequest) throws(AWSError) -> JSON {
    var failed: [JSON] = []
    for id in request.input["VpcEndpointIds"].strings {
      guard var endpoint = endpoints[id] else {
        let error = AWSError.notFound("endpoint", id)
        failed.append([
          "ResourceId": .string(id), "Error": ["Code": .string(error.code), "Message": .string(error.message)],
        ])
        continue
      }
      withdraw(&endpoint, endpoint.routeTables)
      for interface in endpoint.interfaces { remove(interface) }
      endpoints[id] = nil
    }
    return ["Unsuccessful": .array(failed)]
  }

  private func modifyEndpoint(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let id = input["VpcEndpointId"].string
    guard var endpoint = endpoints[id ?? ""] else { throw .notFound("endpoint", id) }
    if let policy = input["PolicyDocument"].string {
      try check(policy: policy)
      endpoint.policy = policy
    }
    if input["ResetPolicy"].bool == true { endpoint.policy = Self.fullAccess }
    if endpoint.kind == .gateway {
      withdraw(&endpoint, input["RemoveRouteTableIds"].strings)
      try associate(&endpoint, input["AddRouteTableIds"].strings)
    } else {
      if let on = input["PrivateDnsEnabled"].bool {
        endpoint.privateDNS = on
        try checkPrivateDNS(endpoint, try vpc(endpoint.vpc))
      }
      let removed = input["RemoveSecurityGroupIds"].strings
      for group in input["AddSecurityGroupIds"].strings { _ = try self.group(group) }
      endpoint.groups = endpoint.groups.filter { !removed.contains($0) } + input["AddSecurityGroupIds"].strings
      for subnet in input["RemoveSubnetIds"].strings {
        guard let at = endpoint.subnets.firstIndex(of: subnet) else { continue }
        remove(endpoint.interfaces[at])
        endpoint.interfaces.remove(at: at)
        endpoint.subnets.remove(at: at)
      }
      try place(&endpoint, input["AddSubnetIds"].strings)
      for interface in endpoint.interfaces { interfaces.update(interface) { $0.groups = endpoint.groups } }
    }
    endpoints[endpoint.id] = endpoint
    return ["Return": true]
  }

  // MARK: - What there is

  private func describeEndpointServices(_ request: AWSRequest) throws(AWSError) -> JSON {
    let all =
      Self.gatewayServices.map { ($0, VPCEndpoint.Kind.gateway) }
      + PublicNames.endpointServices.map { ($0, VPCEndpoint.Kind.interface) }
    let wanted = request.input["ServiceNames"].strings
    let rows: [JSON] = all.sorted { ($0.0, $0.1.rawValue) < ($1.0, $1.1.rawValue) }.map { name, kind in
      let service = "com.amazonaws.\(world.region).\(name)"
      let probe = VPCEndpoint(
        id: "", kind: kind, vpc: "", service: service, policy: "", createdAt: request.now, nameSuffix: "")
      var stream = RandomStream(seed: 0, entity: "endpoint-service/\(service)/\(kind.rawValue)")
      return [
        "ServiceName": .string(service), "ServiceId": .string("vpce-svc-" + stream.hex(17)),
        "ServiceType": [["ServiceType": .string(kind.rawValue)]], "ServiceRegion": .string(world.region),
        "AvailabilityZones": JSON(zones.map(\.name)), "Owner": "amazon",
        "BaseEndpointDnsNames": [.string("\(name).\(world.region).vpce.amazonaws.com")],
        "PrivateDnsName": JSON(privateNames(probe).first),
        "PrivateDnsNames": kind == .interface
          ? .array(privateNames(probe).map { ["PrivateDnsName": .string($0)] }) : .null,
        "VpcEndpointPolicySupported": true, "AcceptanceRequired": false, "ManagesVpcEndpoints": false,
        "PrivateDnsNameVerificationState": kind == .interface ? "verified" : .null, "SupportedIpAddressTypes": ["ipv4"],
      ]
    }
    for name in wanted where !rows.contains(where: { $0["ServiceName"].string == name }) {
      throw .ec2("InvalidServiceName", "The Vpc Endpoint Service '\(name)' does not exist")
    }
    let shown = rows.filter { wanted.isEmpty || wanted.contains($0["ServiceName"].string ?? "") }
    var answer = try describe(
      .init(
        list: "ServiceDetails", ids: "-", id: "ServiceId", kind: "endpointService",
        filters: ["service-type": "ServiceType.ServiceType"]), shown, request)
    answer["ServiceNames"] = JSON(answer["ServiceDetails"].items.compactMap { $0["ServiceName"].string })
    return answer
  }

  private func describePrefixLists(_ request: AWSRequest) throws(AWSError) -> JSON {
    let rows: [JSON] = Self.gatewayServices.map { name in
      [
        "PrefixListId": .string(prefixList(name)), "PrefixListName": .string("com.amazonaws.\(world.region).\(name)"),
        "Cidrs": JSON(Self.prefixes(name)),
      ]
    }
    return try describe(
      .init(list: "PrefixLists", ids: "PrefixListIds", id: "PrefixListId", kind: "prefixList"), rows, request)
  }
}
