import Containers
import Mechanisms
import Wire
import World

/// Queries for names that programs in a pod send, until they are answered or given up.
struct PendingNames: Codable {
  /// The process that waits.
  var process: Int
  var answers: [StubAnswer?]
  var deadline: Timestamp
  /// The ways of the queries, as far as they are known, and the bytes of each.
  var flows: [Flow?]?
  var lengths: [Int]?
}

extension PodRuntime {
  /// How long a datagram is on its way to a server and back.
  private static let latency: Duration = .milliseconds(1)

  /// Sends queries; true when all answers are there at once.
  mutating func ask(
    _ queries: [StubQuery], timeout: Duration, for process: Int, _ pod: ObjectView, _ context: Context
  ) -> [StubAnswer]? {
    lastLookup = (lastLookup ?? 0) + 1
    let ticket = lastLookup!
    let instance = instanceID(pod, context)
    let reach = Reach(cluster: cluster, pod: pod, instance: instance, context: context)
    var answers = [StubAnswer?](repeating: nil, count: queries.count)
    var flows = [Flow?](repeating: nil, count: queries.count)
    for (index, query) in queries.enumerated() {
      let (address, port) = Self.parts(query.server)
      let found = reach.reach(address, port, .udp, &affinities)
      flows[index] = found.flow
      if let flow = found.flow, let instance, index > 0, queries[index - 1].server == query.server,
        isLost(flow, from: pod, instance, context)
      {
        NodeTraffic.tell(instance, "untracked", .null, context.world)
        continue
      }
      switch found.destination {
      case .resolver(let vpc):
        let isSent = instance.map { context.world.ports.packets.toResolver($0, pod.status["podIP"].string ?? "") }
        if isSent ?? true, case .reply(let reply) = context.world.ports.names.ask(vpc: vpc, query.question) {
          answers[index] = .reply(reply)
        }
      case .outside(let server):
        if PublicServers.answers(server), port == 53 {
          answers[index] = .reply(context.world.ports.names.publicly(query.question))
        }
      case .refused: answers[index] = .refused
      case .pod(let target, let port):
        answers[index] = send(query, to: target, port, (ticket, index), from: pod, context)
      case .apiServer, .unroutable, .silence: break
      }
    }
    let lengths = queries.map { Self.head + $0.question.name.utf8.count }
    if answers.allSatisfy({ $0 != nil }) {
      Self.record(flows, lengths, answers, context)
      return answers.compactMap { $0 }
    }
    let pending = PendingNames(
      process: process, answers: answers, deadline: context.now + timeout, flows: flows, lengths: lengths)
    lookups = lookups ?? [:]
    lookups![ticket] = pending
    wakeForNames(context)
    return nil
  }

  /// Whether a datagram that leaves a socket together with another one is dropped by its node's connection tracking.
  private func isLost(_ flow: Flow, from pod: ObjectView, _ instance: String, _ context: Context) -> Bool {
    let node = context.world.kube.host?.get(
      ObjectReference(cluster: cluster, resource: "nodes", namespace: "", name: pod.nodeName))
    let verdict = ConntrackRace.decide(
      .init(
        kernel: .known(node?["status"]["nodeInfo"]["kernelVersion"].string ?? ""),
        isTranslated: .known(flow.isTranslated(on: instance)), atOnce: .known(true)))
    return verdict.isYes && context.random { $0.next() % ConntrackRace.odds } == 0
  }

  /// Bytes of a DNS message beside its name, and of a record in an answer.
  private static let head = 18
  private static let record = 16

  private static func record(_ flows: [Flow?], _ lengths: [Int], _ answers: [StubAnswer?], _ context: Context) {
    for (index, flow) in flows.enumerated() {
      var answered = 0
      if case .reply(let reply)? = answers[index] { answered = lengths[index] + reply.answers.count * record }
      flow?.record(said: lengths[index], answered: answered, in: context.world)
    }
  }

  private static func parts(_ server: String) -> (String, Int) {
    guard let colon = server.lastIndex(of: ":"), IPv4Address(server[..<colon]) != nil else { return (server, 53) }
    return (String(server[..<colon]), Int(server[server.index(after: colon)...]) ?? 53)
  }

  /// Nil where the answer comes later or never.
  private func send(
    _ query: StubQuery, to target: ObjectView, _ port: Int, _ place: (ticket: Int, index: Int), from pod: ObjectView,
    _ context: Context
  ) -> StubAnswer? {
    let program = ComponentID("coredns/\(target.uid)")
    guard context.world.exists(program) else {
      let statuses = target.status["containerStatuses"].items
      return statuses.contains { !$0["state"]["running"].isNull } ? .refused : nil
    }
    context.send(
      program, "query",
      [
        "name": .string(query.question.name), "type": .string(query.question.type.rawValue),
        "to": .string(PodRuntime.id(uid).text), "ticket": .int(Int64(place.ticket)), "index": .int(Int64(place.index)),
        "from": pod.status["podIP"], "namespace": .string(namespace),
      ], after: Self.latency)
    return nil
  }

  /// An answer has come; false when nobody waits for it any more.
  mutating func namesAnswered(_ value: JSON, _ context: Context) -> Bool {
    guard let ticket = value["ticket"].int, var pending = lookups?[ticket], let index = value["index"].int,
      pending.answers.indices.contains(index), let reply = try? value["reply"].decode(DNSReply.self)
    else { return false }
    pending.answers[index] = .reply(reply)
    lookups![ticket] = pending
    if pending.answers.allSatisfy({ $0 != nil }) { finish(ticket, context) }
    wakeForNames(context)
    return true
  }

  /// Gives those up whose time is over.
  mutating func giveUpNames(_ context: Context) {
    for ticket in (lookups ?? [:]).keys.sorted() where lookups![ticket]!.deadline <= context.now {
      finish(ticket, context)
    }
    wakeForNames(context)
  }

  private mutating func finish(_ ticket: Int, _ context: Context) {
    guard let pending = lookups?.removeValue(forKey: ticket) else { return }
    if let flows = pending.flows, let lengths = pending.lengths {
      Self.record(flows, lengths, pending.answers, context)
    }
    if lookups?.isEmpty == true { lookups = nil }
    system.answer(pending.process, .names(pending.answers.map { $0 ?? .silence }))
  }

  private func wakeForNames(_ context: Context) {
    guard let next = lookups?.values.map(\.deadline).min() else { return context.cancel("names") }
    context.wake("names", at: next)
  }
}
