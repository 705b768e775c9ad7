import Mechanisms
import Wire
package import World

/// CoreDNS, the program of the container `coredns`: it obeys the Corefile that is mounted into it.
///
/// Source: coredns/coredns `coremain/run.go`, plugins `reload`, `ready`, `loop`, `errors`.
package struct CoreDNSProgram: Component {
  package static let kind = "coredns"
  package static func id(_ pod: String) -> ComponentID { ComponentID("coredns/\(pod)") }

  let launch: NodeHooks.Launch
  /// The Corefile it runs by.
  private var running = ""
  /// What it last saw in its file: one that was refused isn't tried again.
  private var seen = ""
  /// A change of the ConfigMap that the kubelet has not written yet.
  private var coming: String?
  private var cache = DNSCache()
  /// Whether it has the objects that its names come from.
  private var isSynced = false
  private var hasBegun = false
  /// Queries to other servers that are not answered yet.
  private var inFlight = 0
  /// Its service account's token is never kept in the state.
  private var token: String?

  private enum CodingKeys: String, CodingKey {
    case launch, running, seen, coming, cache, isSynced, hasBegun, inFlight
  }

  package init(_ launch: NodeHooks.Launch) { self.launch = launch }

  private static let version = "1.11.4"
  /// How long CoreDNS waits for the API before it answers without it.
  private static let startLimit: Duration = .seconds(5)

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: begin(context)
    case .wake("look"): look(context)
    case .wake("reload"): reload(context)
    case .wake("loop"): findLoop(context)
    case .wake("sync"): sync(context)
    case .wake("unsynced"): serveUnsynced(context)
    case .message("token", let value): tokenCame(value, context)
    case .message("query", let value): answer(value, context)
    case .message("answered", _): inFlight = max(0, inFlight - 1)
    case .kube("services", let reply): listed(reply, context)
    default: break
    }
  }

  // MARK: - Start

  private mutating func begin(_ context: Context) {
    let text = mounted(context)
    seen = text
    let made: Corefile
    do throws(CorefileError) { made = try load(text, context) } catch {
      end(error.text, context)
      return
    }
    running = text
    cache.clear()
    guard needsAPI(made) else {
      isSynced = true
      serve(made, context)
      return
    }
    sync(context)
    context.wake("unsynced", after: Self.startLimit)
  }

  private func needsAPI(_ corefile: Corefile) -> Bool { corefile.servers.contains { $0.plugins.kubernetes != nil } }

  private mutating func serve(_ corefile: Corefile, _ context: Context) {
    guard !hasBegun else { return }
    hasBegun = true
    context.cancel("unsynced")
    for server in corefile.servers { say(server.title, context) }
    if corefile.reload != nil { say("[INFO] plugin/reload: Running configuration SHA512 = \(digest)", context) }
    say("CoreDNS-\(Self.version)", context)
    say("linux/amd64, go1.23.4, ", context)
    tell(["ready": .bool(isReady(corefile))], context)
    context.wake("loop", after: .milliseconds(200))
    if let interval = corefile.reload { context.wake("look", after: interval, .background) }
  }

  /// Plugin `ready` says so when all others do; without it nobody asks.
  private func isReady(_ corefile: Corefile) -> Bool {
    let tells = corefile.servers.contains { $0.plugins.isReadyTold }
    return tells ? isSynced : !hasReadinessProbe
  }

  private var hasReadinessProbe: Bool {
    launch.pod["spec"]["containers"].items.contains {
      $0["name"].string == launch.container && !$0["readinessProbe"].isNull
    }
  }

  /// A number that stands for the text as CoreDNS's SHA-512 does.
  private var digest: String {
    let first = Digest.sha256(Array(running.utf8))
    return first + Digest.sha256(Array(first.utf8))
  }

  // MARK: - The API

  private mutating func sync(_ context: Context) {
    guard !isSynced else { return }
    guard let token else {
      context.send(
        launch.kubelet, "token", ["uid": launch.pod["metadata"]["uid"], "program": .string(context.id.text)])
      return
    }
    let client = KubeClient(
      cluster: launch.cluster, credential: .bearer(token), userAgent: "coredns/\(Self.version)",
      sourceIP: address(context))
    context.submit(
      client.request("GET", "/api/v1/services", query: [(name: "limit", value: "1")]), tag: "services",
      weight: hasBegun ? .background : .foreground, wants: .outcome)
  }

  private mutating func tokenCame(_ value: JSON, _ context: Context) {
    token = value["token"].string
    guard token != nil else { return context.wake("sync", after: .seconds(2), .background) }
    sync(context)
  }

  private mutating func listed(_ reply: KubeReply, _ context: Context) {
    guard !isSynced else { return }
    guard reply.isSuccess else {
      say(
        "[ERROR] plugin/kubernetes: Unhandled Error: pkg/mod/k8s.io/client-go@v0.31.2/tools/cache/reflector.go:243: Failed to watch *v1.Service: failed to list *v1.Service: \(reply.message)",
        context)
      if reply.status == 401 { token = nil }
      context.wake("sync", after: .seconds(10), .background)
      return
    }
    isSynced = true
    guard let corefile = try? load(running, context) else { return }
    if hasBegun { tell(["ready": .bool(isReady(corefile))], context) } else { serve(corefile, context) }
  }

  private mutating func serveUnsynced(_ context: Context) {
    guard !hasBegun, let corefile = try? load(running, context) else { return }
    say("[INFO] plugin/kubernetes: waiting for Kubernetes API before starting server", context)
    say("[WARNING] plugin/kubernetes: starting server with unsynced Kubernetes API", context)
    serve(corefile, context)
  }

  // MARK: - The file

  /// The Corefile that the ConfigMap of its volume has now.
  private func mounted(_ context: Context) -> String {
    let namespace = launch.pod["metadata"]["namespace"].string ?? "kube-system"
    for volume in launch.pod["spec"]["volumes"].items {
      guard let name = volume["configMap"]["name"].string,
        let data = context.world.kube.host?.get(
          ObjectReference(cluster: launch.cluster, resource: "configmaps", namespace: namespace, name: name))?["data"]
      else { continue }
      if let text = data["Corefile"].string { return text }
    }
    return ""
  }

  private func load(_ text: String, _ context: Context) throws(CorefileError) -> Corefile {
    try Corefile(text, files: ["/etc/resolv.conf": resolver(context).text])
  }

  /// Its own resolv.conf.
  private func resolver(_ context: Context) -> ResolverConfiguration {
    let node = context.world.ports.resolver(ofInstance: launch.instanceID, region: launch.region)
    let services = context.world.kube.host?.get(
      ObjectReference(cluster: launch.cluster, resource: "services", namespace: "kube-system", name: "kube-dns"))
    let own = services?["spec"]["clusterIP"].string.map { [$0] } ?? []
    let facts = PodResolver.Facts.read(
      pod: launch.pod, source: .world, clusterDNS: .known(own), node: .known(node))
    return PodResolver.decide(facts).value?.configuration ?? node
  }

  /// Looks at its file, as plugin `reload` does. The kubelet writes a change of the ConfigMap up to a minute late.
  private mutating func look(_ context: Context) {
    guard let corefile = try? load(running, context), let interval = corefile.reload else { return }
    let text = mounted(context)
    if text != seen {
      coming = text
      context.wake("reload", after: interval)
    } else {
      context.wake("look", after: interval, .background)
    }
  }

  private mutating func reload(_ context: Context) {
    guard let text = coming else { return }
    coming = nil
    seen = text
    var refusal: CorefileError?
    do throws(CorefileError) { _ = try load(text, context) } catch { refusal = error }
    guard let refusal else { return restart(text, context) }
    // What is no Corefile at all never comes as far as a restart; which directives there are is asked there only.
    if refusal.isSyntax {
      say("[WARNING] plugin/reload: Corefile parse failed: \(refusal.text)", context)
    } else {
      let why = "starting with listener file descriptors: \(refusal.text)"
      say("[INFO] Reloading", context)
      say("[ERROR] Restart failed: \(why)", context)
      say("[ERROR] plugin/reload: Corefile changed but reload failed: \(why)", context)
    }
    if let interval = try? load(running, context).reload { context.wake("look", after: interval, .background) }
  }

  private mutating func restart(_ text: String, _ context: Context) {
    guard let corefile = try? load(text, context) else { return }
    say("[INFO] Reloading", context)
    let lameduck = (try? load(running, context))?.servers.compactMap(\.plugins.health?.lameduck).first ?? .zero
    if lameduck > .zero {
      say("[INFO] plugin/health: Going into lameduck mode for \(GoDuration.text(lameduck))", context)
    }
    running = text
    cache.clear()
    if corefile.reload != nil { say("[INFO] plugin/reload: Running configuration SHA512 = \(digest)", context) }
    say("[INFO] Reloading complete", context)
    if !isSynced, needsAPI(corefile) { sync(context) }
    if !needsAPI(corefile) { isSynced = true }
    tell(["ready": .bool(isReady(corefile))], context)
    context.wake("loop", after: .milliseconds(200))
    if let interval = corefile.reload { context.wake("look", after: interval, .background) }
  }

  // MARK: - Loops

  private mutating func findLoop(_ context: Context) {
    guard let corefile = try? load(running, context) else { return }
    let verdict = CoreDNSLoop.decide(
      .init(
        servers: .known(corefile.servers), ownAddresses: .known([address(context)]),
        serviceAddresses: .known(serviceAddresses(context))))
    guard let loop = verdict.value else { return }
    let (source, first, second) = context.random { stream in
      (Int(stream.next() % 28232) + 32768, stream.next() >> 2, stream.next() >> 2)
    }
    end(CoreDNSLoop.text(loop, source: source, query: "\(first).\(second)"), context)
  }

  /// Of the Services whose endpoints it is among.
  private func serviceAddresses(_ context: Context) -> [String] {
    let namespace = launch.pod["metadata"]["namespace"].string ?? ""
    let labels = launch.pod["metadata"]["labels"].stringMap
    let services =
      context.world.kube.host?.list(cluster: launch.cluster, resource: "services", namespace: namespace) ?? []
    return services.filter { service in
      let selector = service["spec"]["selector"].stringMap
      return !selector.isEmpty && selector.allSatisfy { labels[$0.key] == $0.value }
    }.flatMap { ClusterNames.Service($0).addresses }
  }

  // MARK: - Answers

  private mutating func answer(_ value: JSON, _ context: Context) {
    guard hasBegun, let corefile = try? load(running, context),
      let type = DNSType(name: value["type"].string ?? ""), let back = value["to"].string
    else { return }
    let question = DNSQuestion(value["name"].string ?? "", type)
    let server = corefile.server(for: question.name)
    var delay: Duration = .zero
    var reply: DNSReply
    if let settings = server?.plugins.cache, let kept = cache.answer(to: question, at: context.now, settings) {
      reply = kept
    } else {
      let found = work(question, corefile, value, context)
      (reply, delay) = (found.reply ?? DNSReply(.serverFailure), found.delay)
      if !found.errors.isEmpty, server?.plugins.logsErrors == true {
        for text in found.errors {
          let port = context.random { Int($0.next() % 28232) + 32768 }
          say("[ERROR] plugin/errors: \(text.replacing("{port}", with: String(port)))", context)
        }
      }
      if let settings = server?.plugins.cache {
        if reply.code == .serverFailure,
          let stale = cache.answer(to: question, at: context.now, settings, stale: true)
        {
          (reply, delay) = (stale, settings.verifiesStale ? delay : .zero)
        } else {
          reply = cache.keep(reply, for: question, at: context.now, settings)
        }
      }
    }
    if let zones = server?.plugins.logs, zones.contains(where: { DNSName.isWithin(question.name, $0) }) {
      log(question, reply, value, delay, context)
    }
    guard let json = try? JSON(encoding: reply) else { return }
    var answer = value
    answer["reply"] = json
    context.send(ComponentID(back), "dns", answer, after: delay)
    if delay > .zero {
      inFlight += 1
      context.send(context.id, "answered", after: delay)
    }
  }

  private func work(
    _ question: DNSQuestion, _ corefile: Corefile, _ value: JSON, _ context: Context
  ) -> CoreDNS.Answer {
    let vpc = context.world.ports.vpcID(ofInstance: launch.instanceID) ?? ""
    let names = context.world.ports.names
    let resolver = names.names(ofVPC: vpc)?.resolver
    var dns = CoreDNS(corefile, address: address(context))
    dns.clientNamespace = value["namespace"].string
    dns.inFlight = inFlight
    let own = Set(serviceAddresses(context) + [dns.address])
    let reader = context.world.kube.host.map { ClusterNameReader(cluster: launch.cluster, reader: $0) }
    let synced = isSynced
    return dns.answer(
      question,
      cluster: { asked, settings in
        guard synced, let reader else {
          let gap = Gap(read: "kubernetes", why: "the API is not reached")
          return ClusterNames.Facts(
            question: .known(asked), settings: .known(settings), hasNamespace: .unknown(gap), service: .unknown(gap))
        }
        return reader.facts(asked, settings)
      },
      upstream: { server, asked in
        if server == resolver || server == VPCResolver.linkLocal {
          // Whatever its other tries of this query: all are taken to come while the second lasts.
          guard context.world.ports.packets.toResolver(launch.instanceID, dns.address) else { return .silence }
          return names.ask(vpc: vpc, asked)
        }
        // What comes back to it never ends; without plugin `loop` nobody sees that but by the silence.
        if server.hasPrefix("127.") || own.contains(server) { return .silence }
        return PublicServers.answers(server) ? .reply(names.publicly(asked)) : .silence
      })
  }

  private func log(
    _ question: DNSQuestion, _ reply: DNSReply, _ value: JSON, _ delay: Duration, _ context: Context
  ) {
    let (port, id) = context.random { stream in
      (Int(stream.next() % 28232) + 32768, Int(stream.next() % 65536))
    }
    let name = question.name + "."
    let size = 17 + name.utf8.count
    let flags = reply.isAuthoritative ? "qr,aa,rd" : "qr,rd,ra"
    let sent = reply.answers.isEmpty ? size + 93 : size + reply.answers.count * 16
    let seconds = 0.000_1 + Double(delay.components.seconds)
    say(
      "[INFO] \(value["from"].string ?? ""):\(port) - \(id) \"\(question.type.rawValue) IN \(name) udp \(size) false 512\" \(reply.code.rawValue) \(flags) \(sent) \(seconds)s",
      context)
  }

  // MARK: - Telling

  private func address(_ context: Context) -> String {
    let metadata = launch.pod["metadata"]
    let pod = context.world.kube.host?.get(
      ObjectReference(
        cluster: launch.cluster, resource: "pods", namespace: metadata["namespace"].string ?? "",
        name: metadata["name"].string ?? ""))
    return pod?["status"]["podIP"].string ?? launch.pod["status"]["podIP"].string ?? ""
  }

  private func end(_ why: String, _ context: Context) {
    say(why, context)
    tell(["exit": 1], context)
  }

  private func say(_ line: String, _ context: Context) { tell(["line": .string(line)], context) }

  private func tell(_ value: JSON, _ context: Context) {
    var value = value
    value["uid"] = launch.pod["metadata"]["uid"]
    value["container"] = .string(launch.container)
    value["id"] = .string(launch.containerID)
    context.send(launch.kubelet, "program", value)
  }
}
