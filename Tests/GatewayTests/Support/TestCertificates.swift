import Crypto
import Foundation
import Gateway
import NIOSSL
import SwiftASN1
import X509

/// A certificate and its key, made for one test.
struct TestIdentity {
  let certificate: Certificate
  let key: Certificate.PrivateKey

  static func authority(_ name: String) throws -> TestIdentity {
    let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    return try make(name, key: key, issuer: nil, isAuthority: true)
  }

  func issue(_ name: String, organizations: [String] = [], server: Bool = false, expired: Bool = false) throws
    -> TestIdentity
  {
    try TestIdentity.make(
      name, organizations: organizations, key: .init(P256.Signing.PrivateKey()), issuer: self, isServer: server,
      isExpired: expired)
  }

  private static func make(
    _ name: String, organizations: [String] = [], key: Certificate.PrivateKey, issuer: TestIdentity?,
    isAuthority: Bool = false, isServer: Bool = false, isExpired: Bool = false
  ) throws -> TestIdentity {
    let subject = try DistinguishedName {
      for organization in organizations { OrganizationName(organization) }
      CommonName(name)
    }
    let extensions = try Certificate.Extensions {
      if isAuthority {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
      } else {
        Critical(BasicConstraints.notCertificateAuthority)
        try ExtendedKeyUsage([isServer ? .serverAuth : .clientAuth])
      }
      SubjectAlternativeNames([.dnsName("localhost")])
    }
    let start = Date()
    let certificate = try Certificate(
      version: .v3, serialNumber: .init(), publicKey: key.publicKey, notValidBefore: start - 86_400,
      notValidAfter: isExpired ? start - 3600 : start + 86_400, issuer: issuer?.certificate.subject ?? subject,
      subject: subject, signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
      issuerPrivateKey: issuer?.key ?? key)
    return TestIdentity(certificate: certificate, key: key)
  }

  var pem: [UInt8] { get throws { Array(try certificate.serializeAsPEM().pemString.utf8) } }
  var keyPEM: [UInt8] { get throws { Array(try key.serializeAsPEM().pemString.utf8) } }

  func tls(clients: TestIdentity? = nil) throws -> ListenerTLS {
    try ListenerTLS(certificateChain: pem, privateKey: keyPEM, clientAuthorities: clients?.pem)
  }

  var chainSources: [NIOSSLCertificateSource] {
    get throws { [.certificate(try NIOSSLCertificate(bytes: pem, format: .pem))] }
  }
  var keySource: NIOSSLPrivateKeySource {
    get throws { .privateKey(try NIOSSLPrivateKey(bytes: keyPEM, format: .pem)) }
  }
}
