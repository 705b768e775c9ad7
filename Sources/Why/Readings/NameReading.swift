import Evidence
import Mechanisms
import Wire

/// What a pod gets for a name, found by walking the whole way once more: its resolv.conf, the queries of its C
/// library, the servers that get them and what these go by.
struct NameReading: Sendable {
  var name: String
  var namespace: String
  /// Null where no pod was named: one with the default policy is taken.
  var pod: JSON
  var resolver: Verdict<PodResolver.Outcome, Because>
  var trace: StubLookup.Trace
  /// Answers of CoreDNS, or of the server that is asked in its place, by query.
  var answers: [StubQuery: CoreDNS.Answer]
  var server: DNSServerReading
  /// Reads without which an answer stays open, in the order in which they were wanted.
  var gaps: [Gap]
  var services: [JSON]
  var slices: [JSON]
  var network: VPCReading

  var configuration: ResolverConfiguration { resolver.value?.configuration ?? ResolverConfiguration() }
  var asker: String {
    pod.isNull ? "a pod of namespace \(namespace)" : "pod/\(pod["metadata"]["name"].string ?? "")"
  }

  /// The answer that decided: of the last name that was tried, A before AAAA.
  var deciding: (question: DNSQuestion, answer: CoreDNS.Answer)? {
    guard let last = trace.tried.last else { return nil }
    for type in [DNSType.a, .aaaa] {
      for query in trace.queries where query.question == DNSQuestion(last, type) {
        if let answer = answers[query] { return (query.question, answer) }
      }
    }
    return nil
  }

  var denied: Int {
    trace.answers.count { answer in if case .reply(let reply) = answer { reply.code == .nameError } else { false } }
  }

  /// Queries that leave the cluster when nothing is cached.
  var forwarded: Int { trace.queries.count { !(answers[$0]?.forwarded.isEmpty ?? true) } }
}

/// The servers behind the address that a pod asks.
struct DNSServerReading: Sendable {
  enum Kind: Sendable {
    /// CoreDNS behind its Service.
    case cluster
    /// The VPC's resolver itself.
    case vpc
    case other
  }

  var address: String
  var kind: Kind
  var service: JSON
  var pods: [JSON]
  /// Addresses of endpoints that are ready.
  var ready: [String]
  var deployment: JSON
  /// Why its pods or its Deployment are not, or not all, known.
  var unread: [Gap] = []
  var text: Fact<String?>
  var corefile: Verdict<Corefile, Because>
  var resolver: ResolverConfiguration

  var title: String { kind == .cluster ? "the cluster's DNS, service/kube-dns \(address)," : "the server \(address)" }
}

/// The cluster's VPC as its resolver sees it.
struct VPCReading: Sendable {
  var id: String
  var region: String
  var blocks: Fact<[CIDR]>
  var support: Fact<Bool>
  var hostnames: Fact<Bool>
  var zones: Fact<[VPCResolver.Zone]>
  var dhcp: JSON
  var endpoint: EndpointName?

  var resolver: String? { blocks.value?.first.map { "\($0.base + 2)" } }

  var node: ResolverConfiguration {
    .node(region: region, vpcBlock: blocks.value?.first, dhcp: dhcp)
  }
}
