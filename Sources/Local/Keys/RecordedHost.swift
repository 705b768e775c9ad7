import Wire
import World

/// The clusters' outside as the input log knows it: ports, certificates and requests for them, which come from
/// the system's chance, are answers that a replay is given again. Private keys and tokens are no part of it.
final class RecordedHost: ClusterHost {
  private let host: any ClusterHost
  private let ports: ClusterPorts
  private unowned let world: World

  init(_ host: any ClusterHost, ports: ClusterPorts, in world: World) {
    self.host = host
    self.ports = ports
    self.world = world
  }

  func open(_ clusterID: String, name: String) throws -> (
    endpoint: String, certificateAuthority: String, issuer: String
  ) {
    let answer = try ask("open") {
      let opened = try host.open(clusterID, name: name)
      return [
        "endpoint": .string(opened.endpoint), "authority": .string(opened.certificateAuthority),
        "issuer": .string(opened.issuer),
      ]
    }
    let endpoint = answer["endpoint"].string ?? ""
    ports[clusterID] = endpoint.split(separator: ":").last.flatMap { Int($0) }
    return (endpoint, answer["authority"].string ?? "", answer["issuer"].string ?? "")
  }

  func close(_ clusterID: String) {
    ports[clusterID] = nil
    host.close(clusterID)
  }

  func signCertificate(
    _ clusterID: String, request: String, usages: [String], notBefore: Timestamp, notAfter: Timestamp
  ) throws -> String {
    try ask("certificate") {
      [
        "pem": .string(
          try host.signCertificate(
            clusterID, request: request, usages: usages, notBefore: notBefore, notAfter: notAfter))
      ]
    }["pem"].string ?? ""
  }

  func makeCertificateRequest(_ subject: CertificateSubject, dnsNames: [String], addresses: [String]) throws -> String {
    try ask("certificateRequest") {
      ["pem": .string(try host.makeCertificateRequest(subject, dnsNames: dnsNames, addresses: addresses))]
    }["pem"].string ?? ""
  }

  func describeCertificateRequest(_ pem: String) -> CertificateRequestFacts? { host.describeCertificateRequest(pem) }
  func signToken(_ clusterID: String, claims: JSON) -> String? { host.signToken(clusterID, claims: claims) }
  func verifyToken(_ clusterID: String, token: String) -> JSON? { host.verifyToken(clusterID, token: token) }
  func keySet(_ clusterID: String) -> JSON { host.keySet(clusterID) }

  private struct Refused: Error, CustomStringConvertible { var description: String }

  private func ask(_ question: String, _ body: () throws -> JSON) throws -> JSON {
    let answer = world.inputs.answer(question) {
      do { return try body() } catch { return ["error": .string("\(error)")] }
    }
    if let error = answer["error"].string { throw Refused(description: error) }
    return answer
  }
}

/// The port of each cluster's API server, bound again after a restart since clients know it.
final class ClusterPorts {
  private struct Port: Codable, Sendable { var port: Int }

  private let table: Table<Port>

  init(in world: World) { table = Table("cluster-port", in: world) }

  var clusters: [String] { table.keys }

  subscript(cluster: String) -> Int? {
    get { table[cluster]?.port }
    set { table[cluster] = newValue.map(Port.init(port:)) }
  }
}
