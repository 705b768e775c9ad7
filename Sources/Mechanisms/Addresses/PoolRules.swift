import Wire

/// Whether a node's pool is to grow.
package enum PoolTooLow: Rule {
  package static let name = "addresses/pool-too-low"
  package typealias Facts = PoolFacts

  package static func decide(_ facts: PoolFacts) -> Verdict<Void, Because> {
    verdict(
      facts.tooLow, "addresses/pool-too-low",
      yes: "the pool is below its targets", no: "the pool has what its targets want", facts)
  }

  static func verdict(_ truth: Truth, _ code: String, yes: String, no: String, _ facts: PoolFacts) -> Verdict<
    Void, Because
  > {
    let evidence = [facts.settings.citation, facts.total.citation, facts.assigned.citation]
    switch truth {
    case .yes: return .yes([Because("\(code)/yes", yes, evidence: evidence)])
    case .no: return .no([Because("\(code)/no", no, evidence: evidence)])
    case .open(let gaps): return .open(gaps)
    }
  }
}

/// Whether a node's pool is to give addresses back.
package enum PoolTooHigh: Rule {
  package static let name = "addresses/pool-too-high"
  package typealias Facts = PoolFacts

  package static func decide(_ facts: PoolFacts) -> Verdict<Void, Because> {
    PoolTooLow.verdict(
      facts.tooHigh, "addresses/pool-too-high",
      yes: "the pool is above its targets", no: "the pool has nothing to give back", facts)
  }
}

/// Whether a node may give an interface back.
package enum PoolExtraENI: Rule {
  package static let name = "addresses/pool-extra-eni"
  package typealias Facts = PoolFacts

  package static func decide(_ facts: PoolFacts) -> Verdict<Void, Because> {
    PoolTooLow.verdict(
      facts.extraENI, "addresses/pool-extra-eni",
      yes: "there may be an interface too many", no: "no interface is too many", facts)
  }
}

/// Whether the instance may take one interface more.
package enum ENIRoom: Rule {
  package static let name = "addresses/eni-room"
  package typealias Facts = PoolFacts

  package static func decide(_ facts: PoolFacts) -> Verdict<Void, Because> {
    let evidence = [facts.enis.citation, facts.maxENIs.citation]
    func counts() -> String {
      guard let enis = facts.enis.value, let limit = facts.effectiveMaxENIs.value else { return "interfaces" }
      return "\(enis) of \(limit) interfaces"
    }
    switch facts.hasRoom {
    case .yes: return .yes([Because("addresses/eni-room/yes", "\(counts()) are attached", evidence: evidence)])
    case .no:
      return .no([
        Because("addresses/eni-room/limit", "\(counts()) are attached, and no more fit", evidence: evidence)
      ])
    case .open(let gaps): return .open(gaps)
    }
  }
}

/// What a node's pool would ask of EC2 next.
package enum PoolNextRequest: Rule {
  package static let name = "addresses/pool-next-request"

  package struct Request: Sendable, Equatable {
    package enum Kind: String, Sendable { case assign, createENI }
    package var kind: Kind
    /// Secondary addresses, or prefixes.
    package var count: Int
    package var prefixes: Bool

    package init(kind: Kind, count: Int, prefixes: Bool) {
      self.kind = kind
      self.count = count
      self.prefixes = prefixes
    }

    /// The fewest single addresses that a subnet must have free for it: a new interface needs its own too,
    /// and is asked for whole, while for a held one a second try asks for one alone.
    package var neededAddresses: Int {
      switch kind {
      case .createENI: prefixes ? 1 : count + 1
      case .assign: prefixes ? 0 : 1
      }
    }

    package var neededPrefixes: Int { prefixes ? kind == .createENI ? count : 1 : 0 }
  }

  package struct Facts: FactSet {
    package var pool: PoolFacts
    /// For each interface that serves pods, how many addresses or prefixes more it takes.
    package var rooms: Fact<[Int]>

    package init(pool: PoolFacts, rooms: Fact<[Int]>) {
      self.pool = pool
      self.rooms = rooms
    }

    package static let hiders: [@Sendable (inout Self) -> Void] =
      lift(\.pool) + [hider(\.rooms)]
  }

  package static func decide(_ facts: Facts) -> Verdict<Request, Because> {
    let pool = facts.pool
    switch pool.tooLow {
    case .no: return .no([Because("addresses/pool-next-request/enough", "the pool has what its targets want")])
    case .open(let gaps): return .open(gaps)
    case .yes: break
    }
    guard let settings = pool.settings.value else { return .open([pool.settings.gap!]) }
    guard let rooms = facts.rooms.value else { return .open([facts.rooms.gap!]) }
    if let room = rooms.first(where: { $0 > 0 }) {
      guard let want = pool.want.value else { return .open(pool.want.gaps) }
      let count = min(room, want)
      return .yes(
        Request(kind: .assign, count: count, prefixes: settings.prefixDelegation),
        [
          Because(
            "addresses/pool-next-request/assign", "an interface has room for \(room) more",
            evidence: [facts.rooms.citation])
        ])
    }
    switch pool.hasRoom {
    case .open(let gaps): return .open(gaps)
    case .no:
      return .no([
        Because(
          "addresses/pool-next-request/eni-limit", "every interface is full and the instance takes no more",
          evidence: [pool.enis.citation, pool.maxENIs.citation])
      ])
    case .yes: break
    }
    guard let count = pool.newENIRequest.value else { return .open(pool.newENIRequest.gaps) }
    return .yes(
      Request(kind: .createENI, count: count, prefixes: settings.prefixDelegation),
      [
        Because(
          "addresses/pool-next-request/create", "every interface is full: a new one with \(count) is next",
          evidence: [facts.rooms.citation, pool.enis.citation])
      ])
  }
}

/// Whether no subnet has what a node's pool would ask for next.
package enum SubnetShortage: Rule {
  package static let name = "addresses/subnet-shortage"

  package struct Subnet: Sendable, Equatable {
    package var id: String
    /// AvailableIpAddressCount.
    package var free: Int
    /// Aligned free /28 blocks; needs every address of the subnet read.
    package var freePrefixes: Fact<Int>

    package init(id: String, free: Int, freePrefixes: Fact<Int> = .unknown(SubnetShortage.blocksGap)) {
      self.id = id
      self.free = free
      self.freePrefixes = freePrefixes
    }
  }

  package static let blocksGap = Gap(
    read: "ec2:DescribeNetworkInterfaces", why: "not read", how: "list every interface of the subnet")

  package struct Facts: FactSet {
    package var request: Fact<PoolNextRequest.Request>
    /// Those that the node would try.
    package var subnets: Fact<[Subnet]>

    package init(request: Fact<PoolNextRequest.Request>, subnets: Fact<[Subnet]>) {
      self.request = request
      self.subnets = subnets
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.request), hider(\.subnets),
      { facts in
        facts.subnets = facts.subnets.map { subnets in
          subnets.map { Subnet(id: $0.id, free: $0.free, freePrefixes: .unknown(.hidden)) }
        }
      },
    ]
  }

  /// A `yes` gives the number of addresses that the request needs.
  package static func decide(_ facts: Facts) -> Verdict<Int, Because> {
    guard let request = facts.request.value else { return .open([facts.request.gap!]) }
    guard let subnets = facts.subnets.value else { return .open([facts.subnets.gap!]) }
    let needed = request.neededAddresses + request.neededPrefixes * 16
    var reasons: [Because] = []
    let fits = Truth.any(subnets) { subnet in
      guard subnet.free >= needed else {
        reasons.append(
          Because(
            "addresses/subnet-shortage/too-few", "\(subnet.id) has \(subnet.free) of \(needed) free",
            evidence: [facts.subnets.citation],
            details: ["subnet": .string(subnet.id), "free": JSON(subnet.free), "needed": JSON(needed)]))
        return .no
      }
      guard request.prefixes else { return .yes }
      switch subnet.freePrefixes {
      case .unknown(let gap): return .open([gap])
      case .known(let blocks, _):
        if blocks < request.neededPrefixes {
          reasons.append(
            Because(
              "addresses/subnet-shortage/fragmented",
              "\(subnet.id) has \(subnet.free) free, but \(blocks) whole blocks of 16 of \(request.neededPrefixes)",
              evidence: [facts.subnets.citation]))
        }
        return Truth(blocks >= request.neededPrefixes)
      }
    }
    switch fits {
    case .yes: return .no([Because("addresses/subnet-shortage/enough", "a subnet has \(needed) free")])
    case .no: return .yes(needed, reasons)
    case .open(let gaps): return .open(gaps, reasons)
    }
  }
}
