import Foundation
import Wire
import World

/// Listeners, certificate authorities and token keys of the clusters. Lives on the world's thread.
final class ClusterDoors: ClusterHost {
  private let folder: StateFolder
  private let doors: any Doors
  private let ports: ClusterPorts
  private let handler: (_ cluster: String) -> any HTTPHandler
  private let spare = SpareKeys()
  private var keys: [String: ClusterKeys] = [:]
  private unowned let world: World
  private let report: (String) -> Void
  /// What was last told of a cluster's keys; the same is told once.
  private var told: [String: String] = [:]

  init(
    world: World, folder: StateFolder, doors: any Doors, ports: ClusterPorts, report: @escaping (String) -> Void,
    handler: @escaping (String) -> any HTTPHandler
  ) {
    self.world = world
    self.report = report
    self.folder = folder
    self.doors = doors
    self.handler = handler
    self.ports = ports
  }

  /// Makes a token key ahead, off the way to the first answer.
  func prepare() { spare.refill() }

  /// Opens the ports of the clusters that were there before a restart.
  func reopen() {
    for id in ports.clusters {
      do { try listen(id, port: ports[id] ?? 0) } catch {
        report("the API server of cluster \(id) can't have its port \(ports[id] ?? 0) back: \(error)")
      }
    }
  }

  func open(_ clusterID: String, name: String) throws -> (
    endpoint: String, certificateAuthority: String, issuer: String
  ) {
    let port = try listen(clusterID, port: ports[clusterID] ?? 0)
    let authority = try material(clusterID).authority.certificatePEM
    let endpoint = "https://localhost:\(port)"
    return (
      endpoint, Data(authority.utf8).base64EncodedString(), "https://\(Self.issuerHost(world.region))/id/\(clusterID)"
    )
  }

  /// The host of all issuers of a region, as EKS has it.
  static func issuerHost(_ region: String) -> String { "oidc.eks.\(region).amazonaws.com" }

  func close(_ clusterID: String) {
    world.afterCommit { [self] in
      doors.close("cluster/\(clusterID)")
      keys[clusterID] = nil
      ClusterKeys.destroy(folder: folder, cluster: clusterID)
    }
  }

  func signToken(_ clusterID: String, claims: JSON) -> String? {
    telling(clusterID) { try current(clusterID)?.sign(claims) }
  }

  func verifyToken(_ clusterID: String, token: String) -> JSON? {
    telling(clusterID) { try material(clusterID).tokens.verify(token) }
  }

  func keySet(_ clusterID: String) -> JSON {
    let keys = telling(clusterID) {
      try current(clusterID) == nil ? nil : try material(clusterID).tokens.published.compactMap { try? $0.jwk() }
    }
    return ["keys": .array(keys ?? [])]
  }

  /// The token key whose turn it is.
  private func current(_ clusterID: String) throws -> TokenSigner? {
    try material(clusterID).tokens.current(
      at: world.now, make: { try spare.take().value() }, failed: { tell(clusterID, $0) })
  }

  /// Nil where the keys can't be read, made or kept; why, is told.
  private func telling<Value>(_ clusterID: String, _ work: () throws -> Value?) -> Value? {
    do { return try work() } catch {
      tell(clusterID, error)
      return nil
    }
  }

  private func tell(_ clusterID: String, _ error: any Error) {
    guard told.updateValue("\(error)", forKey: clusterID) != "\(error)" else { return }
    report("the token keys of cluster \(clusterID) can't be used: \(error)")
  }

  func signCertificate(
    _ clusterID: String, request: String, usages: [String], notBefore: Timestamp, notAfter: Timestamp
  ) throws -> String {
    try material(clusterID).authority.sign(request: request, usages: usages, notBefore: notBefore, notAfter: notAfter)
  }

  func describeCertificateRequest(_ pem: String) -> CertificateRequestFacts? {
    CertificateAuthority.describe(request: pem)
  }

  func makeCertificateRequest(_ subject: CertificateSubject, dnsNames: [String], addresses: [String]) throws -> String {
    try CertificateAuthority.makeRequest(subject, dnsNames: dnsNames, addresses: addresses)
  }

  private func material(_ clusterID: String) throws -> ClusterKeys {
    if let held = keys[clusterID] { return held }
    let made = try ClusterKeys(
      folder: folder, cluster: clusterID, region: world.region, spare: spare, worldTime: world.now)
    keys[clusterID] = made
    return made
  }

  @discardableResult
  private func listen(_ clusterID: String, port: Int) throws -> Int {
    try doors.open(
      DoorRequest(door: "cluster/\(clusterID)", port: port, tls: try material(clusterID).server),
      handler: handler(clusterID))
  }
}
