import Mechanisms
import Wire

/// A walk as Reachability Analyzer tells it: components of the path, and codes for what stops it.
///
/// Source: the codes of the VPC Reachability Analyzer guide.
struct PathReport {
  let network: PacketNetwork
  let service: EC2Service

  private var fabric: Fabric { network.fabric }

  func told(_ walk: PacketWalk) -> JSON {
    let isFound = walk.truth == .yes
    var out: JSON = ["Status": "succeeded", "NetworkPathFound": .bool(isFound)]
    if isFound {
      out["ForwardPathComponents"] = components(walk.there)
      out["ReturnPathComponents"] = components(walk.answer)
      return out
    }
    if let hop = walk.last, let explanation = explanation(hop) {
      out["Explanations"] = [explanation]
    } else if let gap = walk.gaps.first {
      out["WarningMessage"] = .string("\(gap.read): \(gap.why)")
    }
    return out
  }

  // MARK: - Parts

  private func component(_ id: String) -> JSON {
    let kind: String =
      switch id.prefix(while: { $0 != "-" }) {
      case "sg": "security-group"
      case "acl": "network-acl"
      case "rtb": "route-table"
      case "subnet": "subnet"
      case "vpc": "vpc"
      case "nat": "natgateway"
      default: EC2Service.kind(id)
      }
    return ["Id": .string(id), "Arn": .string(service.arn(kind, id))]
  }

  private func subnet(_ place: Int) -> JSON { component(fabric.subnets[place].id) }
  private func vpc(ofSubnet place: Int) -> JSON { component(fabric.vpcs[fabric.subnets[place].vpc].id) }

  private func header(_ packet: Packet) -> JSON {
    func ports(_ port: UInt16) -> JSON { [["From": .int(Int64(port)), "To": .int(Int64(port))]] }
    return [
      "Protocol": .string("\(packet.transport.rawValue)"),
      "SourceAddresses": [.string("\(packet.source)/32")],
      "DestinationAddresses": [.string("\(packet.destination)/32")],
      "DestinationPortRanges": packet.transport.hasPorts ? ports(packet.destinationPort) : .null,
      "SourcePortRanges": packet.transport.hasPorts ? [["From": 0, "To": 65535]] : .null,
    ]
  }

  private func range(_ from: Int, _ to: Int) -> JSON {
    from < 0 ? .null : ["From": .int(Int64(from)), "To": .int(Int64(to))]
  }

  private func rule(_ hop: Hop, egress: Bool) -> JSON {
    guard let ids = fabric.ports[Int(hop.place)].groups.value, ids.indices.contains(Int(hop.a)),
      let group = fabric.groups[ids[Int(hop.a)]]?.value, group.rules.indices.contains(Int(hop.b))
    else { return .null }
    let rule = group.rules[Int(hop.b)]
    var out: JSON = [
      "Direction": .string(egress ? "egress" : "ingress"), "Protocol": .string(rule.transport?.description ?? "-1"),
      "PortRange": range(rule.from, rule.to),
    ]
    switch rule.peer {
    case .block(let block): out["Cidr"] = .string(block.description)
    case .group(let id): out["SecurityGroupId"] = .string(id)
    case .prefixList(let id, _): out["PrefixListId"] = .string(id)
    case .otherFamily: break
    }
    return out
  }

  private func entry(_ hop: Hop, egress: Bool) -> JSON {
    guard hop.a >= 0, let entries = fabric.acls[Int(hop.a)].entries.value, hop.b >= 0 else {
      return [
        "Cidr": "0.0.0.0/0", "Egress": .bool(egress), "Protocol": "all", "RuleAction": "deny", "RuleNumber": 32767,
      ]
    }
    let entry = entries[Int(hop.b)]
    return [
      "Cidr": .string(entry.block.description), "Egress": .bool(egress),
      "Protocol": .string(entry.transport?.description ?? "all"), "PortRange": range(entry.from, entry.to),
      "RuleAction": .string(entry.allows ? "allow" : "deny"), "RuleNumber": .int(Int64(entry.number)),
    ]
  }

  private func route(_ hop: Hop) -> JSON {
    guard hop.a >= 0, hop.b >= 0, let entry = fabric.routeTables[Int(hop.a)].entries.value?[Int(hop.b)] else {
      return .null
    }
    var out: JSON = [
      "DestinationCidr": JSON(entry.blocks.first?.description),
      "State": .string(entry.isActive ? "active" : "blackhole"),
    ]
    switch entry.target {
    case .local: out["GatewayId"] = "local"
    case .internetGateway(let id), .gatewayEndpoint(let id), .other(let id): out["GatewayId"] = .string(id)
    case .natGateway(let id): out["NatGatewayId"] = .string(id)
    case .peering(let id, _): out["VpcPeeringConnectionId"] = .string(id)
    case .interface(let id): out["NetworkInterfaceId"] = .string(id)
    }
    return out
  }

  /// The Internet gateway of a port's VPC.
  private func gateway(_ port: Int) -> String? {
    let id = fabric.vpcs[fabric.subnets[fabric.ports[port].subnet].vpc].id
    return service.internetGateways.first { $0.vpc == id }?.id
  }

  // MARK: - The path

  private func components(_ hops: [Hop]) -> JSON {
    var out: [JSON] = []
    for hop in hops {
      guard var part = part(hop) else { continue }
      part["SequenceNumber"] = .int(Int64(out.count + 1))
      out.append(part)
    }
    return .array(out)
  }

  private func part(_ hop: Hop) -> JSON? {
    let place = Int(hop.place)
    switch hop.kind {
    case .leftENI, .enteredENI:
      let port = fabric.ports[place]
      return [
        "Component": component(port.id), hop.kind == .leftENI ? "OutboundHeader" : "InboundHeader": header(hop.packet),
        "Subnet": subnet(port.subnet), "Vpc": vpc(ofSubnet: port.subnet),
      ]
    case .groupEgress, .groupIngress:
      let egress = hop.kind == .groupEgress
      let ids = fabric.ports[place].groups.value ?? []
      return ["Component": component(ids[Int(hop.a)]), "SecurityGroupRule": rule(hop, egress: egress)]
    case .aclEgress, .aclIngress:
      return [
        "Component": component(fabric.acls[Int(hop.a)].id), "AclRule": entry(hop, egress: hop.kind == .aclEgress),
        "Subnet": subnet(place),
      ]
    case .vpcRouted:
      return ["Component": component(fabric.routeTables[Int(hop.a)].id), "RouteTableRoute": route(hop)]
    case .internetGateway:
      return gateway(place).map { ["Component": component($0), "OutboundHeader": header(hop.packet)] }
    case .natGateway:
      return ["Component": component(fabric.natGateways[place].id), "OutboundHeader": header(hop.packet)]
    default: return nil
    }
  }

  // MARK: - What stops it

  private func explanation(_ hop: Hop) -> JSON? {
    let place = Int(hop.place)
    switch hop.kind {
    case .groupEgressDenied, .groupIngressDenied:
      let port = fabric.ports[place]
      return [
        "ExplanationCode": "ENI_SG_RULES_MISMATCH", "Component": component(port.id),
        "Direction": hop.kind == .groupEgressDenied ? "egress" : "ingress",
        "NetworkInterface": component(port.id), "Subnet": subnet(port.subnet), "Vpc": vpc(ofSubnet: port.subnet),
        "SecurityGroups": .array((port.groups.value ?? []).map(component)),
      ]
    case .aclEgressDenied, .aclIngressDenied:
      let egress = hop.kind == .aclEgressDenied
      return [
        "ExplanationCode": "SUBNET_ACL_RESTRICTION", "Acl": component(fabric.acls[Int(hop.a)].id),
        "AclRule": entry(hop, egress: egress), "Direction": egress ? "egress" : "ingress", "Subnet": subnet(place),
        "Vpc": vpc(ofSubnet: place),
      ]
    case .vpcNoRoute, .vpcBlackhole:
      let table = fabric.subnets[place].routeTable.value.map { fabric.routeTables[$0].id }
      return [
        "ExplanationCode": "NO_ROUTE_TO_DESTINATION", "Address": .string("\(hop.packet.destination)"),
        "RouteTable": table.map(component) ?? .null, "RouteTableRoute": hop.b >= 0 ? route(hop) : .null,
        "Subnet": subnet(place), "Vpc": vpc(ofSubnet: place),
      ]
    case .noPublicAddress:
      return [
        "ExplanationCode": "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", "Address": .string("\(hop.packet.source)"),
        "InternetGateway": gateway(place).map(component) ?? .null,
        "NetworkInterface": component(fabric.ports[place].id), "Vpc": vpc(ofSubnet: fabric.ports[place].subnet),
      ]
    case .sourceCheckFailed, .destinationCheckFailed:
      return [
        "ExplanationCode": "ENI_SOURCE_DEST_CHECK_RESTRICTION", "Component": component(fabric.ports[place].id),
        "NetworkInterface": component(fabric.ports[place].id),
        "Direction": hop.kind == .sourceCheckFailed ? "egress" : "ingress",
      ]
    case .notAttached:
      return [
        "ExplanationCode": "BAD_STATE", "Component": component(fabric.ports[place].id), "State": "available",
      ]
    case .noSuchAddress:
      return ["ExplanationCode": "NO_PATH", "Address": .string("\(hop.packet.destination)")]
    default: return nil
    }
  }
}
