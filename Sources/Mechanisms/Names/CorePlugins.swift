/// What the plugins of one server block are told.
package struct CorePlugins: Sendable, Equatable {
  package struct Health: Sendable, Equatable {
    package var address = ":8080"
    package var lameduck: Duration = .zero
  }

  package struct Kubernetes: Sendable, Equatable {
    package enum Pods: String, Sendable { case disabled, insecure, verified }

    /// Canonical.
    package var zones: [String] = []
    package var pods = Pods.disabled
    package var ttl = 5
    /// Zones in which a name that isn't there goes on to the next plugin; empty for none, the root for all.
    package var through: [String] = []
    /// Those that are told; empty for all.
    package var namespaces: [String] = []
    package var usesPodNames = false
    package var ignoresEmpty = false
    package var hasEndpoints = true

    package init() {}

    /// The zone that is no reverse one.
    package var primaryZone: String { zones.first { !$0.hasSuffix(".arpa") && $0 != "arpa" } ?? "" }
  }

  package struct Forward: Sendable, Equatable {
    package enum Policy: String, Sendable {
      case random
      case roundRobin = "round_robin"
      case sequential
    }

    package var from = ""
    /// As they are written.
    package var to: [String] = []
    /// The servers that comes to: addresses, those of other ports with it.
    package var servers: [String] = []
    package var except: [String] = []
    package var policy = Policy.random
    package var maxConcurrent = 0
    package var maxFails = 2
    package var healthCheck: Duration = .milliseconds(500)
    package var forcesTCP = false
    package var prefersUDP = false
    /// CoreDNS has no option for it before 1.12.
    package var readTimeout: Duration = .seconds(2)

    package static let deadline: Duration = .seconds(5)
  }

  package struct Cache: Sendable, Equatable {
    package var zones: [String] = []
    package var successCap = 9984
    package var successMax = 3600
    package var successMin = 5
    package var denialCap = 9984
    package var denialMax = 1800
    package var denialMin = 5
    package var failureSeconds = 5
    /// How long what has run out is still told; nil for never.
    package var stale: Duration?
    package var verifiesStale = false
    package var isOffForSuccess: [String] = []
    package var isOffForDenial: [String] = []

    package init() {}
  }

  package struct Hosts: Sendable, Equatable {
    package var zones: [String] = []
    package var through: [String] = []
    package var ttl = 3600
    /// Address and names, in order.
    package var entries: [Entry] = []
    package var hasReverse = true

    package struct Entry: Sendable, Equatable {
      package var address: String
      package var names: [String]
    }
  }

  package struct Rewrite: Sendable, Equatable {
    package enum Kind: String, Sendable { case exact, prefix, suffix, substring, regex }

    package var kind = Kind.exact
    package var from = ""
    package var to = ""
    package var continues = false
    /// The answer's names are turned back.
    package var isReverted = false
    /// Another question's type, where it is that which is rewritten.
    package var types: (from: DNSType, to: DNSType)?

    package static func == (a: Self, b: Self) -> Bool {
      a.kind == b.kind && a.from == b.from && a.to == b.to && a.continues == b.continues
        && a.isReverted == b.isReverted && a.types?.from == b.types?.from && a.types?.to == b.types?.to
    }
  }

  package struct Template: Sendable, Equatable {
    package var type = DNSType.any
    package var zones: [String] = []
    package var matches: [String] = []
    package var answers: [String] = []
    package var authority: [String] = []
    package var code = DNSCode.noError
    package var through: [String] = []
  }

  package struct Autopath: Sendable, Equatable {
    package var zones: [String] = []
    /// The plugin that knows each client's list, or nil for the list at hand.
    package var plugin: String?
    package var searches: [String] = []
  }

  package var logsErrors = false
  /// Zones whose queries are logged.
  package var logs: [String] = []
  package var health: Health?
  package var isReadyTold = false
  package var hasMetrics = false
  package var kubernetes: Kubernetes?
  package var forwards: [Forward] = []
  package var cache: Cache?
  package var findsLoops = false
  package var reload: Duration?
  package var balances = false
  package var hosts: Hosts?
  package var rewrites: [Rewrite] = []
  package var templates: [Template] = []
  package var autopath: Autopath?
  package var binds: [String] = []
  /// Directives that CoreDNS has and whose doing is not modelled.
  package var unmodelled: [String] = []

  package init() {}
}

/// A zone that a CoreDNS process answers for.
package struct CoreServer: Sendable, Equatable {
  /// Canonical; the root is empty.
  package var zone: String
  package var port: Int
  package var plugins: CorePlugins

  /// `.:53`, as it is logged.
  package var title: String { "\(zone.isEmpty ? "." : zone + "."):\(port)" }
}
