import Wire

/// One thing that happened to a packet on its way. Numbers only; ``HopTeller`` makes the text.
package struct Hop: Sendable, Hashable {
  package enum Kind: UInt8, Sendable {
    // In a network stack: `place` is the stack.
    case sent, received, routed, marked, connectionMarked, markRestored
    case destinationTranslated, sourceTranslated, answerTranslated, accepted
    case transmitted, delivered
    case droppedByRule, rejectedByRule, droppedByPolicy, unknownRule
    case noRoute, blackholed, forwardingOff, ttlExpired, martianSource, martianDestination, reversePath
    case earlyDemux, masqueradeMoved, neighbourMissing, neighbourWrong, interfaceDown, noSourceAddress,
      unsupportedBroadcast
    // At the pair of a pod: `place` is the pod's stack, `a` 1 on its way out, `b` the rule or why there is none.
    case policyAdmitted, policyTracked, policyDenied, policyUnknown
    // In the VPC: `place` is the ENI, or the subnet.
    case leftENI, sourceCheckFailed, enteredENI, destinationCheckFailed
    case groupEgress, groupIngress, groupTracked, groupEgressDenied, groupIngressDenied, groupUnknown
    case aclEgress, aclIngress, aclEgressDenied, aclIngressDenied, aclUnknown
    case vpcRouted, vpcNoRoute, vpcBlackhole, vpcRouteUnknown, targetUnknown
    case internetGateway, noPublicAddress, natGateway, peering, noSuchAddress, notAttached
    case toInternet, publicAccessDenied, publicAccessUnknown, toMetadata, toResolver, toService
    /// The machine behind the interface has the destination for its own.
    case keptByHolder
    case loop
  }

  package var kind: Kind
  /// The stack, ENI or subnet, by its index.
  package var place: Int32
  /// What decided: index of a rule, route, interface, entry or group, by kind.
  package var a: Int32
  package var b: Int32
  /// The packet after it.
  package var packet: Packet
}

/// The hops of one packet, in order.
package struct Trace: Sendable {
  package var hops: [Hop] = []
  package var isKept: Bool

  /// `kept` false notes the last hop only.
  package init(kept: Bool = true) {
    isKept = kept
    hops.reserveCapacity(kept ? 32 : 1)
  }

  mutating func note(_ kind: Hop.Kind, _ place: Int, _ packet: Packet, _ a: Int = -1, _ b: Int = -1) {
    let hop = Hop(kind: kind, place: Int32(place), a: Int32(a), b: Int32(b), packet: packet)
    if isKept || hops.isEmpty { hops.append(hop) } else { hops[0] = hop }
  }

  mutating func reset() { hops.removeAll(keepingCapacity: true) }
}
