import Mechanisms
import Wire
import World

/// Peering between VPCs of the account.
extension EC2Service {
  static var peeringOperations: [String: Operation<EC2Service>] {
    [
      "CreateVpcPeeringConnection": createPeering, "AcceptVpcPeeringConnection": acceptPeering,
      "RejectVpcPeeringConnection": rejectPeering, "DeleteVpcPeeringConnection": deletePeering,
      "DescribeVpcPeeringConnections": describePeerings, "ModifyVpcPeeringConnectionOptions": modifyPeering,
    ]
  }

  private func side(_ id: String, resolves: Bool, isTold: Bool) -> JSON {
    let blocks = vpcs[id]?.blocks ?? []
    return [
      "OwnerId": .string(world.account), "VpcId": .string(id), "Region": .string(world.region),
      "CidrBlock": isTold ? JSON(blocks.first?.description) : .null,
      "CidrBlockSet": isTold ? .array(blocks.map { ["CidrBlock": .string($0.description)] }) : .null,
      "PeeringOptions": isTold
        ? [
          "AllowDnsResolutionFromRemoteVpc": .bool(resolves), "AllowEgressFromLocalClassicLinkToRemoteVpc": false,
          "AllowEgressFromLocalVpcToRemoteClassicLink": false,
        ] : .null,
    ]
  }

  private func json(_ peering: PeeringConnection) -> JSON {
    let text =
      switch peering.state {
      case .pending: "Pending Acceptance by \(world.account)"
      case .active: "Active"
      case .rejected: "Rejected by \(world.account)"
      case .deleted: "Deleted by \(world.account)"
      case .expired: "Expired"
      }
    let isActive = peering.state == .active
    return [
      "VpcPeeringConnectionId": .string(peering.id), "Tags": peering.tags.json,
      "Status": ["Code": .string(peering.state.rawValue), "Message": .string(text)],
      "ExpirationTime": peering.state == .pending ? .time(peering.expiresAt) : .null,
      "RequesterVpcInfo": side(peering.requester, resolves: peering.requesterResolves, isTold: true),
      "AccepterVpcInfo": side(peering.accepter, resolves: peering.accepterResolves, isTold: isActive),
    ]
  }

  private func peering(_ request: AWSRequest) throws(AWSError) -> PeeringConnection {
    let id = request.input["VpcPeeringConnectionId"].string
    guard var found = peerings[id ?? ""] else { throw .notFound("peering", id) }
    // A request that nobody accepts ends after a week.
    if found.state == .pending, request.now > found.expiresAt {
      end(found, .expired, found.expiresAt)
      found = peerings[found.id]!
    }
    return found
  }

  func end(_ peering: PeeringConnection, _ state: PeeringConnection.State, _ now: Timestamp) {
    peerings.update(peering.id) {
      $0.state = state
      $0.endedAt = now
    }
  }

  private func createPeering(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let own = try vpc(input["VpcId"].string)
    guard input["PeerOwnerId"].string ?? world.account == world.account,
      input["PeerRegion"].string ?? world.region == world.region
    else {
      throw .ec2("UnsupportedOperation", "The local EKS has one account in one region.")
    }
    let other = try vpc(input["PeerVpcId"].string)
    guard own.id != other.id else {
      throw .ec2("InvalidParameterValue", "A VPC peering connection needs two VPCs: \(own.id) was given twice")
    }
    if let same = peerings.first(where: {
      [.pending, .active].contains($0.state)
        && ([$0.requester, $0.accepter] == [own.id, other.id] || [$0.accepter, $0.requester] == [own.id, other.id])
    }) {
      return ["VpcPeeringConnection": json(same)]
    }
    let peering = PeeringConnection(
      id: newID("pcx"), requester: own.id, accepter: other.id, expiresAt: request.now + .seconds(7 * 86_400),
      tags: newTags("vpc-peering-connection", input))
    peerings[peering.id] = peering
    // VPCs whose blocks overlap cannot be joined: the request is made and fails.
    let overlaps = own.blocks.contains { block in other.blocks.contains { $0.overlaps(block) } }
    var value = json(peering)
    value["Status"] = ["Code": "initiating-request", "Message": .string("Initiating Request to \(world.account)")]
    if overlaps {
      peerings[peering.id] = nil
      value["Status"] = [
        "Code": "failed", "Message": "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range",
      ]
    }
    return ["VpcPeeringConnection": value]
  }

  private func acceptPeering(_ request: AWSRequest) throws(AWSError) -> JSON {
    let peering = try peering(request)
    guard peering.state == .pending else {
      throw .ec2(
        "InvalidStateTransition",
        "Invalid state transition for \(peering.id), attempting to transition from \(peering.state.rawValue) to active")
    }
    peerings.update(peering.id) { $0.state = .active }
    return ["VpcPeeringConnection": json(peerings[peering.id]!)]
  }

  private func rejectPeering(_ request: AWSRequest) throws(AWSError) -> JSON {
    let peering = try peering(request)
    guard peering.state == .pending else {
      throw .ec2(
        "InvalidStateTransition",
        "Invalid state transition for \(peering.id), attempting to transition from \(peering.state.rawValue) to rejected"
      )
    }
    end(peering, .rejected, request.now)
    return ["Return": true]
  }

  private func deletePeering(_ request: AWSRequest) throws(AWSError) -> JSON {
    let peering = try peering(request)
    guard [.pending, .active].contains(peering.state) else {
      throw .ec2(
        "InvalidStateTransition",
        "Invalid state transition for \(peering.id), attempting to transition from \(peering.state.rawValue) to deleting"
      )
    }
    end(peering, .deleted, request.now)
    return ["Return": true]
  }

  private func describePeerings(_ request: AWSRequest) throws(AWSError) -> JSON {
    // One that has ended is still shown for two hours.
    let shown = peerings.filter { $0.endedAt.map { request.now - $0 < .seconds(7200) } ?? true }
    return try describe(
      .init(
        list: "VpcPeeringConnections", ids: "VpcPeeringConnectionIds", id: "VpcPeeringConnectionId", kind: "peering",
        filters: ["status-code": "Status.Code", "status-message": "Status.Message"]), shown.map(json), request)
  }

  private func modifyPeering(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let peering = try peering(request)
    guard peering.state == .active else {
      throw .ec2(
        "OperationNotPermitted",
        "Peering \(peering.id) is not active. Peering options can be added only to active peerings.")
    }
    peerings.update(peering.id) {
      if let on = input["RequesterPeeringConnectionOptions"]["AllowDnsResolutionFromRemoteVpc"].bool {
        $0.requesterResolves = on
      }
      if let on = input["AccepterPeeringConnectionOptions"]["AllowDnsResolutionFromRemoteVpc"].bool {
        $0.accepterResolves = on
      }
    }
    let after = peerings[peering.id]!
    func told(_ name: String, _ on: Bool) -> JSON {
      input[name].isNull ? .null : ["AllowDnsResolutionFromRemoteVpc": .bool(on)]
    }
    return [
      "RequesterPeeringConnectionOptions": told("RequesterPeeringConnectionOptions", after.requesterResolves),
      "AccepterPeeringConnectionOptions": told("AccepterPeeringConnectionOptions", after.accepterResolves),
    ]
  }
}
