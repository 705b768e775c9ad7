import Foundation
import Wire
import World

/// Listeners, certificate authorities and token keys of the clusters. Lives on the world's thread.
final class ClusterDoors: ClusterHost {
  /// The port a cluster had, bound again after a restart since clients know it.
  private struct Port: Codable, Sendable { var port: Int }

  private let folder: StateFolder
  private let doors: any Doors
  private let ports: Table<Port>
  private let handler: (_ cluster: String) -> any HTTPHandler
  private let spare = SpareKeys()
  private var keys: [String: ClusterKeys] = [:]
  private unowned let world: World

  init(world: World, folder: StateFolder, doors: any Doors, handler: @escaping (String) -> any HTTPHandler) {
    self.world = world
    self.folder = folder
    self.doors = doors
    self.handler = handler
    ports = Table("cluster-port", in: world)
  }

  /// Makes a token key ahead, off the way to the first answer.
  func prepare() { spare.refill() }

  /// Opens the ports of the clusters that were there before a restart.
  func reopen(report: (String) -> Void) {
    for id in ports.keys {
      do { try listen(id, port: ports[id]?.port ?? 0) } catch {
        report("the API server of cluster \(id) can't have its port \(ports[id]?.port ?? 0) back: \(error)")
      }
    }
  }

  func open(_ clusterID: String, name: String) throws -> (
    endpoint: String, certificateAuthority: String, issuer: String
  ) {
    let port = try listen(clusterID, port: ports[clusterID]?.port ?? 0)
    ports[clusterID] = Port(port: port)
    let authority = try material(clusterID).authority.certificatePEM
    let endpoint = "https://localhost:\(port)"
    return (endpoint, Data(authority.utf8).base64EncodedString(), "\(endpoint)/id/\(clusterID)")
  }

  func close(_ clusterID: String) {
    ports[clusterID] = nil
    world.afterCommit { [self] in
      doors.close("cluster/\(clusterID)")
      keys[clusterID] = nil
      ClusterKeys.destroy(folder: folder, cluster: clusterID)
    }
  }

  func signToken(_ clusterID: String, claims: JSON) -> String? { try? material(clusterID).signer.sign(claims) }
  func verifyToken(_ clusterID: String, token: String) -> JSON? { try? material(clusterID).signer.verify(token) }

  func keySet(_ clusterID: String) -> JSON {
    guard let key = try? material(clusterID).signer.jwk() else { return ["keys": []] }
    return ["keys": [key]]
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
    let made = try ClusterKeys(folder: folder, cluster: clusterID, spare: spare)
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
