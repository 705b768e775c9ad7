import Crypto
package import Foundation
import SwiftASN1
package import Wire
package import World
import X509

/// The authority of one cluster: P-256, `CN=kubernetes`, valid well around any world time.
package struct CertificateAuthority: Sendable {
  private let key: Certificate.PrivateKey
  private let certificate: Certificate

  /// Years around the present in which certificates of the outside hold, since world time may be ahead.
  private static let yearsBefore = 1.0
  private static let yearsAfter = 10.0
  private static let year = 365.25 * 86_400

  /// A new authority.
  package init(wall: Date) throws {
    let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    self.key = key
    let name = try DistinguishedName { CommonName("kubernetes") }
    certificate = try Certificate(
      version: .v3, serialNumber: .init(), publicKey: key.publicKey,
      notValidBefore: wall - Self.yearsBefore * Self.year, notValidAfter: wall + Self.yearsAfter * Self.year,
      issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
        Critical(KeyUsage(digitalSignature: true, keyCertSign: true))
        SubjectKeyIdentifier(hash: key.publicKey)
        SubjectAlternativeNames([.dnsName("kubernetes")])
      }, issuerPrivateKey: key)
  }

  package init(certificatePEM: String, keyPEM: String) throws {
    certificate = try Certificate(pemEncoded: certificatePEM)
    key = try Certificate.PrivateKey(pemEncoded: keyPEM)
  }

  package var certificatePEM: String { get throws { try certificate.serializeAsPEM().pemString } }
  package var keyPEM: String { get throws { try key.serializeAsPEM().pemString } }

  /// A server's certificate and key, PEM.
  package func issueServer(names: [String], addresses: [String], wall: Date) throws -> (
    certificate: String, key: String
  ) {
    let serverKey = Certificate.PrivateKey(P256.Signing.PrivateKey())
    let issued = try issue(
      publicKey: serverKey.publicKey, subject: try DistinguishedName { CommonName("kube-apiserver") },
      names: names.map { .dnsName($0) } + addresses.compactMap { Self.address($0) },
      usages: [.serverAuth], notBefore: wall - Self.yearsBefore * Self.year,
      notAfter: wall + Self.yearsAfter * Self.year)
    return (try issued.serializeAsPEM().pemString, try serverKey.serializeAsPEM().pemString)
  }

  /// A certificate for a request, PEM, with the request's own subject and names.
  package func sign(request pem: String, usages: [String], notBefore: Timestamp, notAfter: Timestamp) throws -> String {
    let request = try CertificateSigningRequest(pemEncoded: pem)
    guard request.publicKey.isValidSignature(request.signature, for: request) else {
      throw KubeFailure(status: 400, reason: "BadRequest", message: "the certificate request's signature does not hold")
    }
    var extended: [ExtendedKeyUsage.Usage] = []
    for usage in usages {
      switch usage {
      case "server auth": extended.append(.serverAuth)
      case "client auth": extended.append(.clientAuth)
      default: break
      }
    }
    let issued = try issue(
      publicKey: request.publicKey, subject: request.subject, names: try Self.names(of: request), usages: extended,
      notBefore: Date(timeIntervalSince1970: Double(notBefore.seconds)),
      notAfter: Date(timeIntervalSince1970: Double(notAfter.seconds)))
    return try issued.serializeAsPEM().pemString
  }

  private func issue(
    publicKey: Certificate.PublicKey, subject: DistinguishedName, names: [GeneralName],
    usages: [ExtendedKeyUsage.Usage], notBefore: Date, notAfter: Date
  ) throws -> Certificate {
    try Certificate(
      version: .v3, serialNumber: .init(), publicKey: publicKey, notValidBefore: notBefore, notValidAfter: notAfter,
      issuer: certificate.subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true, keyEncipherment: true))
        try ExtendedKeyUsage(usages)
        AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: key.publicKey).keyIdentifier)
        if !names.isEmpty { SubjectAlternativeNames(names) }
      }, issuerPrivateKey: key)
  }

  // MARK: - Requests

  /// What a request asks for; nil when it can't be read or is not signed by its own key.
  package static func describe(request pem: String) -> CertificateRequestFacts? {
    guard let request = try? CertificateSigningRequest(pemEncoded: pem),
      request.publicKey.isValidSignature(request.signature, for: request), let names = try? names(of: request)
    else { return nil }
    var facts = CertificateRequestFacts(subject: CertificateSubject(commonName: ""))
    for attribute in request.subject.flatMap({ Array($0) }) {
      if attribute.type == .RDNAttributeType.commonName {
        facts.subject.commonName = String(describing: attribute.value)
      }
      if attribute.type == .RDNAttributeType.organizationName {
        facts.subject.organizations.append(String(describing: attribute.value))
      }
    }
    for name in names {
      switch name {
      case .dnsName(let text): facts.dnsNames.append(text)
      case .ipAddress(let octets): facts.addresses.append(text(of: octets))
      case .rfc822Name(let text): facts.emails.append(text)
      case .uniformResourceIdentifier(let text): facts.uris.append(text)
      default: break
      }
    }
    return facts
  }

  /// A request signed by a new key, which is thrown away: inside the world nobody opens TLS with it.
  package static func makeRequest(_ subject: CertificateSubject, dnsNames: [String], addresses: [String]) throws
    -> String
  {
    let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    let names: [GeneralName] = dnsNames.map { .dnsName($0) } + addresses.compactMap { address($0) }
    let request = try CertificateSigningRequest(
      version: .v1,
      subject: try DistinguishedName {
        for organization in subject.organizations { OrganizationName(organization) }
        CommonName(subject.commonName)
      }, privateKey: key,
      attributes: try CertificateSigningRequest.Attributes([
        .init(ExtensionRequest(extensions: try Certificate.Extensions { SubjectAlternativeNames(names) }))
      ]), signatureAlgorithm: .ecdsaWithSHA256)
    return try request.serializeAsPEM().pemString
  }

  private static func names(of request: CertificateSigningRequest) throws -> [GeneralName] {
    guard let extensions = try request.attributes.extensionRequest?.extensions,
      let names = try extensions.subjectAlternativeNames
    else { return [] }
    return Array(names)
  }

  private static func address(_ text: String) -> GeneralName? {
    var v4 = in_addr()
    if inet_pton(AF_INET, text, &v4) == 1 {
      return .ipAddress(ASN1OctetString(contentBytes: withUnsafeBytes(of: v4) { ArraySlice($0) }))
    }
    var v6 = in6_addr()
    if inet_pton(AF_INET6, text, &v6) == 1 {
      return .ipAddress(ASN1OctetString(contentBytes: withUnsafeBytes(of: v6) { ArraySlice($0) }))
    }
    return nil
  }

  private static func text(of octets: ASN1OctetString) -> String {
    let bytes = Array(octets.bytes)
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let family = bytes.count == 4 ? AF_INET : AF_INET6
    guard bytes.count == 4 || bytes.count == 16,
      inet_ntop(family, bytes, &buffer, socklen_t(buffer.count)) != nil
    else { return "" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
