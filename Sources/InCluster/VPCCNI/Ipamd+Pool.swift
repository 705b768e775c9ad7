import Mechanisms
import Wire
import World

/// The pool's loop.
extension Ipamd {
  /// Lets the pool take an input, and carries out what follows.
  mutating func take(_ input: IPPool.Input, _ context: Context) {
    let (after, effects, _) = pool.step(input, context.now)
    pool = after
    for effect in effects { carryOut(effect, context) }
  }

  mutating func carryOut(_ effect: IPPool.Effect, _ context: Context) {
    switch effect {
    case .log(let level, let message): log(level, message, context)
    case .give, .refuse, .released: break
    case .assign, .createENI, .unassign, .deleteENI, .readENI:
      queued.append(effect)
      startNext(context)
    }
  }

  private mutating func startNext(_ context: Context) {
    guard !busy, !queued.isEmpty else { return }
    busy = true
    ask(queued.removeFirst(), context)
  }

  /// EC2 has answered all that an effect needed.
  mutating func finished(_ input: IPPool.Input?, _ context: Context) {
    busy = false
    if let input {
      if case .failed = input { refusals += 1 } else { refusals = 0 }
      take(input, context)
    }
    startNext(context)
    if !busy, phase == .prescaling { serve(context) }
    if !busy, phase == .running { scheduleResize(context, weight: mayGrow(context) ? .foreground : .background) }
  }

  mutating func resize(_ context: Context) {
    guard phase == .running else { return }
    guard !busy else { return }
    noteCordon(context)
    reconcileIfDue(context)
    guard !busy else { return }
    askForTrunk(context)
    take(.resize, context)
    if !busy, pool.call == nil { scheduleNextLook(context) }
  }

  private mutating func noteCordon(_ context: Context) {
    let node = context.world.kube.host?.get(
      ObjectReference(cluster: launch.cluster, resource: "nodes", namespace: "", name: launch.nodeName))
    let isCordoned = node?["spec"]["unschedulable"].bool == true
    if isCordoned != pool.isCordoned { take(.cordoned(isCordoned), context) }
  }

  /// Whether EC2 may well give more when it is asked.
  func mayGrow(_ context: Context) -> Bool {
    if refusals > 1 { return false }
    if let paused = pool.lastExhaustion, context.now - paused < IPPool.exhaustionPause { return false }
    return true
  }

  /// The next turn of the five-second loop, if none is set.
  mutating func scheduleResize(_ context: Context, weight: Weight) {
    // The prefix of an IPv6 cluster's node never grows.
    guard phase == .running, pool.settings.withIPv6 != true, let startedAt else { return }
    let period = IPPool.resizeInterval.microseconds
    let turns = (context.now - startedAt).microseconds / period + 1
    context.wake("resize", at: startedAt + .microseconds(turns * period), weight)
  }

  /// A loop that changed nothing needs no other one until something happens, or until a pause is over.
  private mutating func scheduleNextLook(_ context: Context) {
    guard let startedAt else { return }
    let facts = pool.facts
    let period = IPPool.resizeInterval.microseconds
    func next(_ time: Timestamp) -> Timestamp {
      let turns = max(1, ((time - startedAt).microseconds + period - 1) / period)
      return max(startedAt + .microseconds(turns * period), context.now + .microseconds(1))
    }
    var times: [Timestamp] = []
    if facts.tooLow.isYes, let paused = pool.lastExhaustion, context.now - paused < IPPool.exhaustionPause {
      times.append(paused + IPPool.exhaustionPause)
    }
    if facts.tooHigh.isYes, let last = pool.lastDecrease { times.append(last + IPPool.decreaseInterval + .seconds(1)) }
    if facts.extraENI.isYes {
      // Kept interfaces are too young or hold cooling addresses: those pass.
      let young = pool.enis.map { $0.createdAt + IPPool.minimumENILife }.filter { $0 > context.now }
      let cooling = pool.enis.flatMap(\.blocks).flatMap(\.leases).compactMap(\.unassignedAt)
        .map { $0 + .seconds(pool.settings.cooldown + 1) }.filter { $0 > context.now }
      times += young + cooling
    }
    guard let soonest = times.min() else { return }
    context.wake("resize", at: next(max(soonest, context.now + .microseconds(1))), .background)
  }
}
