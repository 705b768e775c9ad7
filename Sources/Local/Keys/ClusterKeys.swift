import Foundation
import Synchronization
package import Wire
import World

/// Keys and certificates of one cluster, in `keys/<id>/` of the state folder.
package final class ClusterKeys: Sendable {
  package let authority: CertificateAuthority
  package let tokens: TokenKeys
  package let server: TLSIdentity

  /// Reads the cluster's keys, or makes them.
  package init(
    folder: StateFolder, cluster: String, region: String, spare: SpareKeys, worldTime: Timestamp
  ) throws {
    let base = "keys/\(cluster)"
    let now = Date()
    func text(_ name: String) -> String? { folder.read("\(base)/\(name)").map { String(decoding: $0, as: UTF8.self) } }
    if let ca = text("ca.crt"), let caKey = text("ca.key"), let chain = text("server.crt"),
      let key = text("server.key")
    {
      authority = try CertificateAuthority(certificatePEM: ca, keyPEM: caKey)
      tokens =
        try TokenKeys(folder: folder, base: base, now: worldTime)
        ?? TokenKeys(first: spare.take(), folder: folder, base: base, now: worldTime)
      server = TLSIdentity(certificateChain: chain, privateKey: key, clientRoots: ca)
      return
    }
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/\(base)", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    authority = try CertificateAuthority(wall: now)
    tokens = TokenKeys(first: spare.take(), folder: folder, base: base, now: worldTime)
    let ca = try authority.certificatePEM
    let issued = try authority.issueServer(
      names: [
        "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "*.eks.amazonaws.com", ClusterDoors.issuerHost(region),
      ], addresses: ["127.0.0.1", "::1"], wall: now)
    server = TLSIdentity(certificateChain: issued.certificate, privateKey: issued.key, clientRoots: ca)
    // The authority's certificate comes last: keys that are found with it are whole.
    for (name, text) in [
      ("ca.key", try authority.keyPEM), ("server.key", issued.key),
      ("server.crt", issued.certificate), ("ca.crt", ca),
    ] { try folder.writePrivate("\(base)/\(name)", Array(text.utf8)) }
  }

  package static func destroy(folder: StateFolder, cluster: String) {
    try? FileManager.default.removeItem(atPath: "\(folder.path)/keys/\(cluster)")
  }
}
