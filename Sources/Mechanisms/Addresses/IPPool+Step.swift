package import Wire

extension IPPool {
  /// One event in the life of the pool: what it does to the state, what is to be done, and why.
  package func step(_ input: Input, _ now: Timestamp) -> (IPPool, [Effect], [Because]) {
    var run = Run(pool: self, now: now)
    run.take(input)
    return (run.pool, run.effects, run.reasons)
  }

  /// The codes by which EC2 says that a subnet has no more.
  package static func isExhaustion(_ code: String) -> Bool {
    code == "InsufficientFreeAddressesInSubnet" || code == "InsufficientCidrBlocks"
  }

  private struct Run {
    var pool: IPPool
    var now: Timestamp
    var effects: [Effect] = []
    var reasons: [Because] = []

    mutating func log(_ level: String, _ message: String) { effects.append(.log(level: level, message: message)) }
    mutating func because(_ code: String, _ text: String) { reasons.append(Because("addresses/pool/\(code)", text)) }

    mutating func take(_ input: Input) {
      switch input {
      case .start(let enis):
        pool.enis = enis.sorted { $0.device < $1.device }
        if pool.facts.tooLow.isYes { increase(tried: []) }
      case .resize: resize()
      case .add(let pod): add(pod)
      case .remove(let pod): remove(pod)
      case .assigned(let cidrs): assigned(cidrs)
      case .created(let eni):
        if case .create = pool.call { pool.call = nil }
        pool.enis.append(eni)
        pool.enis.sort { $0.device < $1.device }
        finishResize()
      case .failed(let code, let message): failed(code, message)
      case .reconcile(let enis): reconcile(enis)
      case .cordoned(let value): pool.isCordoned = value
      case .terminating: pool.isTerminating = true
      }
    }

    // MARK: The loop

    mutating func resize() {
      // The loop is one thread: while EC2 is asked, nothing else happens.
      guard pool.call == nil else { return }
      let facts = pool.facts
      log(
        "debug",
        "IP stats for Network Card 0 - total IPs: \(pool.totalIPs), assigned IPs: \(pool.assignedIPs), "
          + "cooldown IPs: \(pool.coolingIPs(now))")
      pool.looksForExtraENI = facts.extraENI.isYes
      if facts.tooLow.isYes {
        if !pool.settings.warmDefined {
          log(
            "debug",
            "IP pool is too low for Network Card 0: available (\(pool.totalIPs - pool.assignedIPs)) < ENI target "
              + "(\(pool.settings.warmENITarget)) * addrsPerENI (\(pool.perENI))")
        }
        because(
          "too-low",
          "\(pool.totalIPs - pool.assignedIPs) of \(pool.totalIPs) addresses are free, and it wants more")
        increase(tried: [])
      } else if facts.tooHigh.isYes {
        if let last = pool.lastDecrease, now - last <= IPPool.decreaseInterval {
          log("debug", "Skipping decrease Datastore pool because time since last \(now - last) <= 30s")
        } else {
          decrease()
          pool.lastDecrease = now
        }
      }
      if pool.call == nil { finishResize() }
    }

    mutating func finishResize() {
      guard pool.looksForExtraENI else { return }
      pool.looksForExtraENI = false
      freeOneENI()
    }

    // MARK: Growing

    var mayChange: Bool {
      !pool.isTerminating && (!pool.isCordoned || pool.settings.managesCordoned) && pool.settings.provisions
    }

    mutating func increase(tried: [String]) {
      guard mayChange else { return }
      if let last = pool.lastExhaustion, now - last < IPPool.exhaustionPause {
        log("debug", "Recently we had InsufficientCidr error hence will wait for 2m0s before retrying")
        because("paused", "its subnet had too few addresses less than two minutes ago")
        return
      }
      log("debug", "Starting to increase pool size for network card 0")
      let want = pool.facts.want.value ?? 0
      for eni in pool.enis where !eni.isTrunk && pool.serves(eni) && !tried.contains(eni.id) {
        let room = pool.perENI - eni.blocks.count { $0.cidr.length == pool.blockLength }
        guard room > 0 else { continue }
        let count = min(room, want)
        guard count > 0 else { continue }
        pool.call = .assign(eni: eni.id, count: count, isRetry: false, tried: tried)
        effects.append(.assign(eni: eni.id, count: count, prefixes: pool.settings.prefixDelegation))
        because("assign", "\(eni.id) has room for \(room), and is asked \(count) more")
        return
      }
      guard pool.facts.hasRoom.isYes else {
        log("debug", "Skipping ENI allocation as the max ENI limit is already reached")
        because("eni-limit", "the instance has as many interfaces as it may")
        return
      }
      let count = pool.facts.newENIRequest.value ?? 0
      guard count > 0 else { return }
      pool.call = .create(count: count)
      effects.append(.createENI(count: count, prefixes: pool.settings.prefixDelegation))
      because("create-eni", "no interface has room: a new one with \(count) is asked for")
    }

    mutating func assigned(_ cidrs: [CIDR]) {
      let id: String
      switch pool.call {
      case .assign(let eni, _, _, _): id = eni
      case .read(let eni): id = eni
      default: return
      }
      pool.call = nil
      if let index = pool.enis.firstIndex(where: { $0.id == id }) {
        for cidr in cidrs where !pool.enis[index].blocks.contains(where: { $0.cidr == cidr }) {
          pool.enis[index].blocks.append(Block(cidr))
        }
      }
      finishResize()
    }

    mutating func failed(_ code: String, _ message: String) {
      let call = pool.call
      pool.call = nil
      switch call {
      case .assign(let eni, let count, let isRetry, let tried):
        if code == "PrivateIpAddressLimitExceeded" {
          pool.call = .read(eni: eni)
          effects.append(.readENI(id: eni))
          return
        }
        if !isRetry {
          log("error", "failed to allocate all available IP addresses on ENI \(eni), err: \(code): \(message)")
          pool.call = .assign(eni: eni, count: 1, isRetry: true, tried: tried)
          effects.append(.assign(eni: eni, count: 1, prefixes: pool.settings.prefixDelegation))
          because("assign-one", "\(count) at once were refused: one is asked for")
          return
        }
        if IPPool.isExhaustion(code), pool.settings.subnetDiscovery {
          increase(tried: tried + [eni])
          if pool.call == nil { exhausted() }
        } else if IPPool.isExhaustion(code) {
          exhausted()
        }
      case .create:
        log("error", "Failed to increase pool size due to not able to allocate ENI \(code): \(message)")
        if IPPool.isExhaustion(code) { exhausted() } else { because("create-failed", "\(code): \(message)") }
      case .read, nil: break
      }
      if pool.call == nil { finishResize() }
    }

    mutating func exhausted() {
      log(
        "error",
        "Unable to attach IPs/Prefixes for the ENI, subnet doesn't seem to have enough IPs/Prefixes. Consider using "
          + "new subnet or carve a reserved range using create-subnet-cidr-reservation")
      pool.lastExhaustion = now
      because("exhausted", "the subnet has too few addresses: nothing is asked of EC2 for two minutes")
    }

    // MARK: Shrinking

    mutating func decrease() {
      let settings = pool.settings
      var over =
        settings.warmDefined ? pool.facts.over.value ?? 0 : max(pool.freePrefixes - settings.warmPrefixTarget, 0)
      for index in pool.enis.indices.reversed() where over > 0 {
        let free = pool.enis[index].blocks.filter { $0.cidr.length == pool.blockLength && $0.assignedCount == 0 }
        let given = free.prefix(over).map(\.cidr)
        guard !given.isEmpty else { continue }
        pool.enis[index].blocks.removeAll { given.contains($0.cidr) }
        pool.freed += given.map { Freed(cidr: $0, at: now) }
        effects.append(.unassign(eni: pool.enis[index].id, cidrs: given))
        over -= given.count
      }
      because("decrease", "more addresses are free than its targets want")
    }

    mutating func freeOneENI() {
      guard mayChange else { return }
      for (index, eni) in pool.enis.enumerated().reversed() {
        if let why = pool.whyKept(eni, now) {
          log("debug", "ENI \(eni.id) cannot be deleted because \(why)")
          continue
        }
        pool.enis.remove(at: index)
        effects.append(.deleteENI(id: eni.id))
        because("delete-eni", "\(eni.id) has no pods and is not needed for a target")
        return
      }
    }

    // MARK: Pods

    mutating func add(_ pod: String) {
      for (index, eni) in pool.enis.enumerated() {
        for block in eni.blocks {
          if let lease = block.leases.first(where: { $0.pod == pod }) {
            effects.append(.give(pod: pod, address: lease.address, eni: eni.id, device: pool.enis[index].device))
            return
          }
        }
      }
      for index in pool.enis.indices where pool.serves(pool.enis[index]) {
        for at in pool.enis[index].blocks.indices {
          guard let address = pool.take(pod, eni: index, block: at, now) else { continue }
          effects.append(
            .give(pod: pod, address: address, eni: pool.enis[index].id, device: pool.enis[index].device))
          return
        }
      }
      log("debug", "DataStore has no available IP/Prefix addresses")
      because(
        "no-address",
        "all \(pool.totalIPs) addresses are in use: \(pool.assignedIPs) by pods, \(pool.coolingIPs(now)) cooling")
      effects.append(.refuse(pod: pod, message: IPPool.noAddress))
    }

    mutating func remove(_ pod: String) {
      for index in pool.enis.indices {
        for at in pool.enis[index].blocks.indices {
          guard let lease = pool.enis[index].blocks[at].leases.firstIndex(where: { $0.pod == pod }) else { continue }
          pool.enis[index].blocks[at].leases[lease].pod = ""
          pool.enis[index].blocks[at].leases[lease].unassignedAt = now
          let address = pool.enis[index].blocks[at].leases[lease].address
          let until = (now + .seconds(pool.settings.cooldown)).rfc3339
          log(
            "info",
            "IP \(address) entering cooldown period of \(pool.settings.cooldown)s (available after \(until))")
          effects.append(.released(pod: pod, address: address, device: pool.enis[index].device))
          return
        }
      }
    }

    // MARK: Reconciling

    mutating func reconcile(_ observed: [ENI]) {
      guard pool.call == nil else { return }
      if let last = pool.lastReconcile, now - last < IPPool.reconcileInterval { return }
      pool.lastReconcile = now
      pool.freed.removeAll { now - $0.at > IPPool.reconcileCooldown }
      pool.enis.removeAll { own in !observed.contains { $0.id == own.id } }
      for eni in observed {
        guard let index = pool.enis.firstIndex(where: { $0.id == eni.id }) else {
          pool.enis.append(eni)
          continue
        }
        pool.enis[index].isExcluded = eni.isExcluded
        pool.enis[index].blocks.removeAll { own in !eni.blocks.contains { $0.cidr == own.cidr } }
        for block in eni.blocks where !pool.enis[index].blocks.contains(where: { $0.cidr == block.cidr }) {
          guard !pool.freed.contains(where: { $0.cidr == block.cidr }) else { continue }
          pool.enis[index].blocks.append(block)
        }
      }
      pool.enis.sort { $0.device < $1.device }
    }
  }

  /// Takes an address of a block for a pod; nil where all are in use or cooling.
  fileprivate mutating func take(_ pod: String, eni: Int, block: Int, _ now: Timestamp) -> IPv4Address? {
    let held = enis[eni].blocks[block]
    guard held.cidr.length == blockLength else { return nil }
    if let ready = held.leases.firstIndex(where: { $0.pod.isEmpty && !isCooling($0, now) }) {
      enis[eni].blocks[block].leases[ready] = .init(
        address: held.leases[ready].address, pod: pod, assignedAt: now, unassignedAt: nil)
      return held.leases[ready].address
    }
    for offset in 0..<held.cidr.count {
      let address = held.cidr.base + offset
      guard !held.leases.contains(where: { $0.address == address }) else { continue }
      enis[eni].blocks[block].leases.append(.init(address: address, pod: pod, assignedAt: now, unassignedAt: nil))
      return address
    }
    return nil
  }

  /// Why an interface may not be deleted, as ipamd words it; nil where it may.
  func whyKept(_ eni: ENI, _ now: Timestamp) -> String? {
    if eni.isPrimary { return "it is primary" }
    if now - eni.createdAt < IPPool.minimumENILife { return "it is too young" }
    if eni.blocks.contains(where: { $0.leases.contains { isCooling($0, now) } }) { return "it has IPs in cooling" }
    if eni.hasPods { return "it has pods assigned" }
    let others = enis.filter { $0.id != eni.id && !$0.isExcluded }.flatMap(\.blocks)
      .filter { $0.cidr.length == blockLength }
    let total = others.reduce(0) { $0 + $1.cidr.count }
    let free = total - others.reduce(0) { $0 + $1.assignedCount }
    func rounded(_ target: Int) -> Int { settings.prefixDelegation ? (target + 15) / 16 * 16 : target }
    if settings.warmIPTarget != 0, free < rounded(settings.warmIPTarget) {
      return "it is required for WARM_IP_TARGET: \(settings.warmIPTarget)"
    }
    if settings.minimumIPTarget != 0, total < rounded(settings.minimumIPTarget) {
      return "it is required for MINIMUM_IP_TARGET: \(settings.minimumIPTarget)"
    }
    if settings.prefixDelegation, settings.warmPrefixTarget != 0,
      others.count(where: { $0.assignedCount == 0 }) < settings.warmPrefixTarget
    {
      return "it is required for WARM_PREFIX_TARGET: \(settings.warmPrefixTarget)"
    }
    if eni.isTrunk { return "it is a trunk ENI" }
    if eni.isEFA { return "it is an EFA ENI" }
    return nil
  }
}
