import Foundation
import Local
import Testing
import Wire
import World

@Suite struct KeysTests {
  private func folder() throws -> StateFolder {
    try StateFolder(path: NSTemporaryDirectory() + "ekswhy-keys-\(UUID().uuidString)")
  }

  @Test func keysAreMadeOnceAndReadBack() throws {
    let folder = try folder()
    let first = try ClusterKeys(folder: folder, cluster: "A", region: "us-east-1", spare: SpareKeys())
    let again = try ClusterKeys(folder: folder, cluster: "A", region: "us-east-1", spare: SpareKeys())
    #expect(try first.authority.certificatePEM == again.authority.certificatePEM)
    #expect(first.signer.keyID == again.signer.keyID)
    let mode = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/keys/A/ca.key")[.posixPermissions]
    #expect((mode as? NSNumber)?.intValue == 0o600)
  }

  @Test func tokensOfAnotherKeyAreRefused() throws {
    let mine = try TokenSigner()
    let other = try TokenSigner()
    let token = try mine.sign(["sub": "system:serviceaccount:default:web"])
    #expect(mine.verify(token)?["sub"].string == "system:serviceaccount:default:web")
    #expect(other.verify(token) == nil)
    #expect(mine.verify(token + "x") == nil)
    #expect(mine.verify("a.b.c") == nil)
  }

  @Test func certificateRequestsAreReadAndSigned() throws {
    let authority = try CertificateAuthority(wall: Date())
    let pem = try CertificateAuthority.makeRequest(
      CertificateSubject(commonName: "system:node:ip-10-0-0-1.ec2.internal", organizations: ["system:nodes"]),
      dnsNames: ["ip-10-0-0-1.ec2.internal"], addresses: ["10.0.0.1"])
    let facts = try #require(CertificateAuthority.describe(request: pem))
    #expect(facts.subject.commonName == "system:node:ip-10-0-0-1.ec2.internal")
    #expect(facts.subject.organizations == ["system:nodes"])
    #expect(facts.dnsNames == ["ip-10-0-0-1.ec2.internal"])
    #expect(facts.addresses == ["10.0.0.1"])
    let signed = try authority.sign(
      request: pem, usages: ["server auth"], notBefore: Timestamp(seconds: 1_700_000_000),
      notAfter: Timestamp(seconds: 1_731_536_000))
    #expect(signed.hasPrefix("-----BEGIN CERTIFICATE-----"))
    #expect(CertificateAuthority.describe(request: "no request") == nil)
  }
}
