/// ipamd's questions about its pool (amazon-vpc-cni-k8s, `pkg/ipamd/ipamd.go`), over facts that may be partial.
extension PoolFacts {
  static let prefixSize = 16

  /// CIDRs that one interface takes: addresses or prefixes.
  var cidrsPerENI: Derived<Int> { ipv4PerENI.derived.map { $0 - 1 } }

  package var available: Derived<Int> { total.and(assigned).map { $0 - $1 } }

  /// How many addresses, with prefix delegation prefixes, the pool lacks for WARM_IP_TARGET and
  /// MINIMUM_IP_TARGET; 0 where neither is set.
  package var short: Derived<Int> {
    settings.derived.and(total.and(assigned)).map { settings, counts in
      guard settings.warmDefined else { return 0 }
      let available = counts.0 - counts.1
      let short = max(max(settings.warmIPTarget - available, 0), settings.minimumIPTarget - counts.0)
      return settings.prefixDelegation ? (max(short, 0) + 15) / 16 : max(short, 0)
    }
  }

  /// How many addresses, with prefix delegation prefixes, the pool has too many; 0 where neither target is set.
  package var over: Derived<Int> {
    guard let settings = settings.value else { return .open([settings.gap!]) }
    guard settings.warmDefined else { return .known(0) }
    guard settings.prefixDelegation else {
      return total.and(assigned).map { total, assigned in
        max(min(max(total - assigned - settings.warmIPTarget, 0), total - settings.minimumIPTarget), 0)
      }
    }
    return assigned.and(prefixes).and(freePrefixes.derived).map { counts, free in
      let (assigned, prefixes) = counts
      let byWarm = max(min(free, prefixes - (assigned + settings.warmIPTarget + 15) / 16), 0)
      return max(min(byWarm, prefixes - (settings.minimumIPTarget + 15) / 16), 0)
    }
  }

  /// Whether the pool is to grow.
  package var tooLow: Truth {
    guard let settings = settings.value else { return .open([settings.gap!]) }
    let below = total.and(maxPods).truth { $0 < $1 }
    return below && wants(settings)
  }

  private func wants(_ settings: PoolSettings) -> Truth {
    if settings.warmDefined { return short.truth { $0 > 0 } }
    if settings.prefixDelegation {
      let target = settings.warmPrefixTarget
      return available.truth { $0 < PoolFacts.prefixSize * target || target == 0 && $0 == 0 }
    }
    let target = settings.warmENITarget
    if target == 0 { return available.truth { $0 == 0 } }
    return available.and(cidrsPerENI).truth { $0 < $1 * target }
  }

  /// Whether addresses are to be given back.
  package var tooHigh: Truth {
    guard let settings = settings.value else { return .open([settings.gap!]) }
    if settings.warmDefined { return over.truth { $0 > 0 } }
    if settings.prefixDelegation { return freePrefixes.derived.truth { $0 > settings.warmPrefixTarget } }
    return .no
  }

  /// Whether an interface might be given back.
  package var extraENI: Truth {
    guard let settings = settings.value else { return .open([settings.gap!]) }
    if settings.warmDefined { return .yes }
    let perENI = cidrsPerENI.map { settings.prefixDelegation ? $0 * PoolFacts.prefixSize : $0 }
    let target = settings.prefixDelegation ? settings.warmPrefixTarget : settings.warmENITarget
    let spare = available.and(perENI).truth { $0 >= (target + 1) * $1 }
    return settings.prefixDelegation ? spare || Truth(hasIdleENI) : spare
  }

  /// The instance's limit, or MAX_ENI where that is lower.
  package var effectiveMaxENIs: Derived<Int> {
    settings.and(maxENIs).map { settings, limit in settings.maxENI >= 1 ? min(settings.maxENI, limit) : limit }
  }

  /// Whether the instance may take one interface more.
  package var hasRoom: Truth {
    let reserved = reservesTrunk.derived.map { $0 ? 1 : 0 }
    return enis.and(excluded).and(unmanaged.and(reservesTrunk)).and(effectiveMaxENIs.and(reserved)).truth { facts in
      let (((enis, excluded), (unmanaged, _)), (limit, reserved)) = facts
      return enis - excluded < limit - unmanaged - excluded - reserved
    }
  }

  /// How many addresses or prefixes the next request would be for, before the room of an interface bounds it.
  package var want: Derived<Int> {
    guard let settings = settings.value else { return .open([settings.gap!]) }
    if settings.prefixDelegation {
      if settings.warmDefined { return short.map { max(1, $0) } }
      return freePrefixes.derived.map { max(1, settings.warmPrefixTarget - $0) }
    }
    return settings.warmDefined ? short : cidrsPerENI
  }

  /// How many addresses or prefixes a new interface is asked for, beside its own.
  package var newENIRequest: Derived<Int> { want.and(cidrsPerENI).map { min($0, $1) } }
}
