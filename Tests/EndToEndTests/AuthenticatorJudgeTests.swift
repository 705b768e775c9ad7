import Foundation
import Testing
import Wire

/// The authenticator of a cluster against aws-iam-authenticator, which `EKSWHY_AWS_IAM_AUTHENTICATOR` names.
@Suite(.serialized, .enabled(if: Judge.hasTools))
struct AuthenticatorJudgeTests {
  @Test func theJudgeFindsALie() async throws {
    let judge = try await AuthenticatorJudge()
    let folder = try Judge.folder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let program = try Judge.standIn("authenticator", in: folder)
    let mapRoles: JSON = [
      ["rolearn": "arn:aws:iam::000000000000:role/Admin", "username": "admin:{{SessionName}}", "groups": ["ops"]]
    ]
    func cases() throws -> [(what: String, token: String)] {
      let good = judge.good()
      let url = String(decoding: try GoBase64.rawURLDecode(good.dropFirst(11)), as: UTF8.self)
      func token(_ url: String) -> String { "k8s-aws-v1." + GoBase64.rawURLEncode(Array(url.utf8)) }
      return judge.tokens() + [
        ("oversized", "k8s-aws-v1." + String(repeating: "A", count: 5000)),
        ("in plain HTTP", token("http" + url.dropFirst(5))), ("forged", token(String(url.dropLast(2)) + "00")),
      ]
    }
    let honest = try judge.bench(program)
    try judge.write(["mapRoles": .string(mapRoles.text())], honest)
    #expect(try judge.differences(honest, try cases()) == [])
    let lying = try judge.bench(program, lies: true)
    try judge.write(["mapRoles": .string(mapRoles.text())], lying)
    let found = try judge.differences(lying, try cases())
    #expect(found.count == 3, "\(found)")
    #expect(
      found.contains {
        $0.hasPrefix("oversized: the judge says denied: input token was not properly formatted: token is too big")
      })
    #expect(found.contains { $0.hasPrefix("of bob@corp.com: ") && $0.contains("liars") })
  }

  @Test func everyVerdictAgrees() async throws {
    guard let program = Judge.program("EKSWHY_AWS_IAM_AUTHENTICATOR") else { return }
    let judge = try await AuthenticatorJudge()
    let bench = try judge.bench(program)
    var dice = Dice(state: 20_261_123)
    for round in 0..<25 {
      let data = Self.document(&dice)
      try judge.write(data, bench)
      let found = try judge.differences(bench, judge.tokens())
      #expect(found == [], "round \(round): \(data.text())")
    }
    let abused =
      try TokenAbuse.iam(judge.good()) + (0..<60).map { ("mutation \($0)", try Self.mutated(judge.good(), &dice)) }
    #expect(try judge.differences(bench, abused) == [])
  }

  /// aws-auth as people write it, right and wrong.
  private static func document(_ dice: inout Dice) -> JSON {
    var data: JSON = [:]
    let roles = (0..<dice.below(4)).map { _ in line(&dice, isRole: true) }
    let users = (0..<dice.below(3)).map { _ in line(&dice, isRole: false) }
    if !roles.isEmpty { data["mapRoles"] = .string(roles.joined() + (dice.once(in: 12) ? "  - x: [\n" : "")) }
    if !users.isEmpty { data["mapUsers"] = .string(users.joined()) }
    let accounts = dice.pick([
      "", "- 000000000000\n", "- \"000000000000\"\n", "[111122223333]", "a: b", "- 111122223333\n",
    ])
    if !accounts.isEmpty { data["mapAccounts"] = .string(accounts) }
    if dice.once(in: 6) {
      data[dice.pick(["mapRoles", "mapUsers"])] = .string(dice.pick(["", "``", "''", "text", "{}", "null", "- a"]))
    }
    return data
  }

  private static func line(_ dice: inout Dice, isRole: Bool) -> String {
    let arns =
      isRole
      ? ["role/Admin", "role/Admin", "role/ADMIN", "role/Ops", "role/team/Ops", "role/*", "role/Admin "]
      : ["user/dev", "user/DEV"]
    let names = [
      "me", "{{SessionName}}", "u:{{SessionNameRaw}}", "{{AccountID}}-{{AccessKeyID}}", "42", "\"42\"",
      "system:node:{{EC2PrivateDNSName}}", "{{Unknown}}",
    ]
    let groups = ["[]", "[a, b]", "[\"{{SessionName}}\"]", "a", "[1, b]", "null", "[\"{{EC2PrivateDNSName}}\"]"]
    let key = isRole ? dice.pick(["rolearn", "roleARN", "RoleArn"]) : dice.pick(["userarn", "userARN"])
    let arn =
      dice.once(in: 12)
      ? "7" : "\"arn:aws:iam::\(dice.pick(["000000000000", "000000000000", "111122223333"])):\(dice.pick(arns))\""
    let sso =
      isRole && dice.once(in: 10)
      ? "  sso: {permissionSetName: a, accountID: \"\(dice.pick(["1", "000000000000"]))\"}\n" : ""
    return "- \(dice.once(in: 12) ? "x" : key): \(arn)\n\(sso)"
      + "  \(dice.pick(["username", "username", "userName"])): \(dice.pick(names))\n  groups: \(dice.pick(groups))\n"
  }

  /// A token with one thing in its URL other than it was.
  private static func mutated(_ good: String, _ dice: inout Dice) throws -> String {
    var bytes = try GoBase64.rawURLDecode(good.dropFirst("k8s-aws-v1.".count))
    switch dice.below(5) {
    case 0: bytes[dice.below(bytes.count)] = UInt8(33 + dice.below(94))
    case 1: bytes.remove(at: dice.below(bytes.count))
    case 2: bytes.insert(dice.pick(Array("%&=;/?#:@.x".utf8)), at: dice.below(bytes.count))
    case 3:
      let hosts = [
        "", "localhost", "sts", "sts.amazonaws.com", "sts.us-west-2.amazonaws.com", "sts-fips.us-east-1.amazonaws.com",
        "sts.us-east-1.api.aws", "sts.cn-north-1.amazonaws.com.cn", "sts.us-gov-west-1.amazonaws.com",
        "sts.-.amazonaws.com",
        "sts.nowhere.amazonaws.com", "STS.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com:443", "a.b.c.d.e",
        "sts.us-iso-east-1.c2s.ic.gov", "sts..amazonaws.com", "ec2.us-east-1.amazonaws.com",
      ]
      let text = String(decoding: bytes, as: UTF8.self).replacing(
        "sts.us-east-1.amazonaws.com", with: dice.pick(hosts), maxReplacements: 1)
      bytes = Array(text.utf8)
    default:
      let dates = [
        "", "x", "20261301T000000Z", "20200101T000000Z", "20261123T210000", "2026-11-23T21:00:00Z", "20261123T216000Z",
      ]
      let text = String(decoding: bytes, as: UTF8.self).replacing(
        /X-Amz-Date=[^&]*/, with: "X-Amz-Date=\(dice.pick(dates))")
      bytes = Array(text.utf8)
    }
    return "k8s-aws-v1." + GoBase64.rawURLEncode(bytes)
  }
}
