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
    let first = try Self.keys(folder)
    // A token key is there from when it is first needed; a restart before that gives another one.
    let published = try first.tokens.published.map(\.keyID)
    #expect(published.count == 1)
    let again = try Self.keys(folder)
    #expect(try first.authority.certificatePEM == again.authority.certificatePEM)
    #expect(try published == again.tokens.published.map(\.keyID))
    let mode = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/keys/A/ca.key")[.posixPermissions]
    #expect((mode as? NSNumber)?.intValue == 0o600)
  }

  private static let start = Timestamp(rfc3339: "2026-11-22T12:00:00Z")!

  private static func keys(_ folder: StateFolder) throws -> ClusterKeys {
    try ClusterKeys(folder: folder, cluster: "A", region: "us-east-1", spare: SpareKeys(), worldTime: start)
  }

  @Test func aNewTokenKeyComesEverySevenDays() throws {
    let folder = try folder()
    let tokens = try Self.keys(folder).tokens
    let first = try #require(try tokens.current(at: Self.start + .seconds(6 * 86_400), make: { try TokenSigner() }))
    #expect(try tokens.published.map(\.keyID) == [first.keyID])
    let old = try first.sign(["sub": "a"])
    let second = try #require(try tokens.current(at: Self.start + .seconds(7 * 86_400), make: { try TokenSigner() }))
    #expect(second.keyID != first.keyID)
    #expect(try tokens.published.map(\.keyID) == [first.keyID, second.keyID])
    #expect(try tokens.verify(old)?["sub"] == "a")
    let third = try #require(try tokens.current(at: Self.start + .seconds(14 * 86_400), make: { try TokenSigner() }))
    #expect(try tokens.published.map(\.keyID) == [second.keyID, third.keyID], "the first is no longer published")
    #expect(try tokens.verify(old)?["sub"] == "a", "the API server knows it still")
    // After a restart the same keys are there, with their times.
    let again = try Self.keys(folder).tokens
    #expect(try again.published.map(\.keyID) == [second.keyID, third.keyID])
    #expect(
      try again.current(at: Self.start + .seconds(20 * 86_400), make: { try TokenSigner() })?.keyID == third.keyID)
  }

  /// What can't be kept signs nothing: after a restart nobody would know it.
  @Test func aKeyThatCannotBeKept() throws {
    let folder = try folder()
    let tokens = try Self.keys(folder).tokens
    let place = "\(folder.path)/keys/A"
    try FileManager.default.moveItem(atPath: place, toPath: "\(place).away")
    #expect(throws: (any Error).self) { try tokens.current(at: Self.start, make: { try TokenSigner() }) }
    #expect(throws: (any Error).self) { try tokens.published }
    #expect(throws: (any Error).self) { try tokens.verify("a.b.c") }
    try FileManager.default.moveItem(atPath: "\(place).away", toPath: place)
    let first = try #require(try tokens.current(at: Self.start, make: { try TokenSigner() }))
    try FileManager.default.moveItem(atPath: place, toPath: "\(place).away")
    var told = 0
    let later = Self.start + .seconds(7 * 86_400)
    let same = try tokens.current(at: later, make: { try TokenSigner() }, failed: { _ in told += 1 })
    #expect(same?.keyID == first.keyID, "the one before signs on")
    #expect(told == 1)
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
