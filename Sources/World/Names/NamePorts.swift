package import Mechanisms
import Wire

/// The names that the world outside of the clusters answers for: the VPCs' resolvers and the public DNS.
package final class NamePorts {
  /// What a VPC's resolver goes by; nil for no VPC of that id. Registered by EC2.
  package var vpc: (_ id: String) -> VPCNames? = { _ in nil }
  /// Private zones that a VPC sees beside those of clusters. Registered by Route 53, where there is one.
  package var zones: (_ vpc: String) -> [VPCResolver.Zone] = { _ in [] }
  /// Endpoints of all clusters. Registered by EKS.
  package var endpoints: () -> [EndpointName] = { [] }

  init() {}

  /// What the public DNS answers.
  package func publicly(_ question: DNSQuestion) -> DNSReply {
    if let endpoint = endpoints().first(where: { $0.host == question.name }) { return endpoint.publicly(question) }
    return PublicNames.answer(question)
  }

  /// A VPC's resolver with all zones that it sees.
  package func names(ofVPC id: String) -> VPCNames? {
    guard var names = vpc(id) else { return nil }
    names.zones += zones(id)
    names.zones += endpoints().compactMap { $0.zone(in: names) }
    return names
  }

  /// What the resolver of a VPC answers.
  package func ask(vpc id: String, _ question: DNSQuestion) -> CoreDNS.Upstream {
    guard let names = names(ofVPC: id) else { return .silence }
    let verdict = VPCResolver.decide(names.facts(question, publicly: publicly(question)))
    switch verdict.value {
    case .reply(let reply)?: return .reply(reply)
    default: return .silence
    }
  }
}

extension Ports {
  /// The VPC in which an instance stands.
  package func vpcID(ofInstance id: String) -> String? {
    let macs = "meta-data/network/interfaces/macs/"
    let base = instanceMetadata(id, macs) == nil ? "network/interfaces/macs/" : macs
    guard let mac = instanceMetadata(id, base)?.split(separator: "\n").first else { return nil }
    return instanceMetadata(id, base + (mac.hasSuffix("/") ? String(mac) : mac + "/") + "vpc-id")
  }

  /// What keeps an instance from connecting to a host; nil where nothing does, and for what is no instance.
  package func obstacle(from instance: String, to host: String, port: UInt16 = 443) -> ConnectionObstacle? {
    vpcID(ofInstance: instance).flatMap { obstacle(from: instance, in: $0, to: host, port: port) }
  }

  /// The same for an interface of a VPC.
  package func obstacle(
    from source: String, in vpc: String, to host: String, port: UInt16 = 443
  ) -> ConnectionObstacle? {
    guard let own = packets.primary(source) else { return nil }
    return packets.obstacles.value("\(packets.signature(own)) \(host) \(port)") {
      guard case .reply(let reply) = names.ask(vpc: vpc, DNSQuestion(host, .a)) else { return .noResolver }
      let addresses = reply.answers.compactMap { $0.type == .a ? IPv4Address($0.data) : nil }
      guard let first = addresses.first else { return .noSuchHost }
      let hosts = names.endpoints().filter { $0.host == DNSName.canonical(host) }.map(\.publicHost)
      return packets.connection(from: source, in: vpc, to: addresses, port, hosts: hosts).isNo ? .silence(first) : nil
    }
  }

  /// The resolv.conf that an instance was given by DHCP.
  package func resolver(ofInstance id: String, region: String) -> ResolverConfiguration {
    let names = vpcID(ofInstance: id).flatMap { self.names.names(ofVPC: $0) }
    return .node(region: region, vpcBlock: names?.blocks.first, dhcp: names?.dhcp ?? .null)
  }
}
