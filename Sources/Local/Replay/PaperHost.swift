import Wire
import World

/// The outside of a replayed world's clusters: no listener, no key. What it would have to make is in the log.
final class PaperHost: ClusterHost {
  func open(_ clusterID: String, name: String) throws -> (
    endpoint: String, certificateAuthority: String, issuer: String
  ) {
    ("https://localhost:1/\(clusterID)", Base64.encode(Array("paper".utf8)), "https://localhost:1/id/\(clusterID)")
  }
  func close(_ clusterID: String) {}
  func signToken(_ clusterID: String, claims: JSON) -> String? { PaperToken.text(claims) }
  func verifyToken(_ clusterID: String, token: String) -> JSON? { PaperToken.claims(of: token) }
  func keySet(_ clusterID: String) -> JSON { ["keys": []] }
  func signCertificate(
    _ clusterID: String, request: String, usages: [String], notBefore: Timestamp, notAfter: Timestamp
  ) throws -> String { "signed \(request)" }
  func describeCertificateRequest(_ pem: String) -> CertificateRequestFacts? {
    CertificateAuthority.describe(request: pem)
  }
  func makeCertificateRequest(_ subject: CertificateSubject, dnsNames: [String], addresses: [String]) throws -> String {
    "request of \(subject.commonName)"
  }
}
