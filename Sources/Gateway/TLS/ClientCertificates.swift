import NIOSSL
import Wire
import X509

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Whether a client's certificate was issued by one of a listener's authorities. A certificate that was
/// not does not end TLS: the request comes in without a subject, and authentication answers.
struct ClientCertificates: Sendable {
  private let authorities: [Certificate]
  /// The authorities as TLS names them to the client.
  let trustRoots: [NIOSSLCertificate]

  init(pem: [UInt8]) throws {
    trustRoots = try NIOSSLCertificate.fromPEMBytes(pem)
    authorities = try trustRoots.map { try Certificate(derEncoded: $0.toDERBytes()) }
  }

  /// The subject of the chain's leaf, or nil where the chain does not lead to an authority. Validity is
  /// judged by wall time: certificates are made to be valid well around both clocks.
  func subject(of chain: [NIOSSLCertificate]) -> CertificateSubject? {
    guard let leaf = chain.first.flatMap(ClientCertificates.parse), ClientCertificates.mayAuthenticateClients(leaf)
    else { return nil }
    let intermediates = chain.dropFirst().prefix(8).compactMap(ClientCertificates.parse)
    guard isTrusted(leaf, by: intermediates, depth: 0) else { return nil }
    return ClientCertificates.subject(of: leaf)
  }

  private static func parse(_ certificate: NIOSSLCertificate) -> Certificate? {
    try? Certificate(derEncoded: certificate.toDERBytes())
  }

  private func isTrusted(_ certificate: Certificate, by intermediates: [Certificate], depth: Int) -> Bool {
    guard depth < 4, ClientCertificates.isValidNow(certificate) else { return false }
    func issued(_ issuer: Certificate) -> Bool {
      issuer.subject == certificate.issuer && ClientCertificates.isAuthority(issuer)
        && issuer.publicKey.isValidSignature(certificate.signature, for: certificate)
    }
    if authorities.contains(where: { ClientCertificates.isValidNow($0) && issued($0) }) { return true }
    return intermediates.contains { issued($0) && isTrusted($0, by: intermediates, depth: depth + 1) }
  }

  private static func isValidNow(_ certificate: Certificate) -> Bool {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return certificate.notValidBefore.timeIntervalSince1970 <= Double(now.tv_sec)
      && Double(now.tv_sec) < certificate.notValidAfter.timeIntervalSince1970
  }

  private static func isAuthority(_ certificate: Certificate) -> Bool {
    if case .isCertificateAuthority = try? certificate.extensions.basicConstraints { true } else { false }
  }

  private static func mayAuthenticateClients(_ certificate: Certificate) -> Bool {
    guard let usages = try? certificate.extensions.extendedKeyUsage else { return true }
    return usages.contains(.clientAuth) || usages.contains(.any)
  }

  private static func subject(of certificate: Certificate) -> CertificateSubject {
    var subject = CertificateSubject(commonName: "")
    for attribute in certificate.subject.flatMap(Array.init) {
      switch attribute.type {
      case .RDNAttributeType.commonName: subject.commonName = String(describing: attribute.value)
      case .RDNAttributeType.organizationName: subject.organizations.append(String(describing: attribute.value))
      default: break
      }
    }
    return subject
  }
}
