import Evidence
import Mechanisms
import Wire

/// An IAM identity as IAM and STS show it.
struct PrincipalReading: Sendable {
  /// What names it in a sentence: `role dev`, `user bob`.
  var title: String
  /// Its own ARN, with its path.
  var arn: Fact<String>
  /// What STS would say of a caller with its credentials.
  var caller: Fact<STSIdentity>
  var id: Fact<(id: String, created: Timestamp)>
  /// There is no such role or user.
  var isAbsent = false
  var tags: JSON = .null
  /// Its trust policy lets EC2 hand it to instances; nil where that is not known.
  var isForInstances: Bool?
  var evidence: [Exhibit] = []

  var name: String { arn.value.flatMap { ARN.parse($0)?.name } ?? title }
  /// For `{{SessionName}}` where no session is named: any caller's own.
  static let anySession = "SESSION"
}

extension Investigation {
  /// A role, a user, a session or an account's root; nil for a principal of Kubernetes' own.
  func reading(of principal: Principal) async -> PrincipalReading? {
    switch principal {
    case .iam(let arn): return await iam(arn)
    case .role(let name): return await ofOwnAccount("role", name)
    case .user(let name): return await ofOwnAccount("user", name)
    case .caller:
      let found = await aws(.getCallerIdentity)
      guard let arn = found.first?["Arn"].string else {
        let gap = found.gap ?? Gap(read: "sts:GetCallerIdentity", why: "it names nobody")
        return PrincipalReading(title: "the caller", arn: .unknown(gap), caller: .unknown(gap), id: .unknown(gap))
      }
      var reading = await iam(arn)
      reading.evidence.insert(Exhibit(Cite.aws(.getCallerIdentity, field: "Arn", value: arn, at: found.at)), at: 0)
      return reading
    case .pod, .serviceAccount, .kubernetes: return nil
    }
  }

  private func ofOwnAccount(_ kind: String, _ name: String) async -> PrincipalReading {
    guard let account = await account() else {
      let gap = Gap(
        read: "sts:GetCallerIdentity", why: "which account this is can't be told", how: "give the whole ARN")
      return PrincipalReading(title: "\(kind) \(name)", arn: .unknown(gap), caller: .unknown(gap), id: .unknown(gap))
    }
    return await iam("arn:\(partition):iam::\(account):\(kind)/\(name)")
  }

  private func account() async -> String? {
    if let account = target.account { return account }
    return await aws(.getCallerIdentity).first?["Account"].string
  }

  var partition: String {
    let region = target.region ?? ""
    return region.hasPrefix("cn-") ? "aws-cn" : region.hasPrefix("us-gov-") ? "aws-us-gov" : "aws"
  }

  private func iam(_ text: String) async -> PrincipalReading {
    guard let parsed = ARN.parse(text), let canonical = try? CanonicalARN.of(text), let own = ARN.parse(canonical.arn)
    else {
      let gap = Gap(read: "sts:GetCallerIdentity", why: "\(text) is no principal")
      return PrincipalReading(title: text, arn: .unknown(gap), caller: .unknown(gap), id: .unknown(gap))
    }
    let isUser = canonical.kind == .user
    var reading = PrincipalReading(
      title: isUser
        ? "user \(own.name)" : canonical.kind == .root ? "the root of account \(own.account)" : "role \(own.name)",
      arn: .known(canonical.arn), caller: .unknown(Gap(read: "", why: "")), id: .unknown(Gap(read: "", why: "")))
    guard canonical.kind != .root, canonical.kind != .federatedUser else {
      reading.id = .known((own.account, Timestamp(seconds: 0)))
      reading.caller = identity(text, id: own.account, own.account)
      return reading
    }
    if let account = await account(), account != own.account {
      let gap = Gap(
        read: isUser ? "iam:GetUser \(own.name)" : "iam:GetRole \(own.name)",
        why: "it is of account \(own.account), and this evidence is of \(account)",
        how: "ask with credentials of account \(own.account)")
      reading.id = .unknown(gap)
      reading.caller = self.caller(parsed, own, canonical, id: "(not read)")
      return reading
    }
    let call: AWSCall = isUser ? .getUser : .getRole
    let found = await aws(call, [isUser ? "UserName" : "RoleName": own.name])
    if let gap = found.gap {
      reading.id = .unknown(gap)
      reading.caller = self.caller(parsed, own, canonical, id: "(not read)")
      return reading
    }
    guard let item = found.first else {
      reading.isAbsent = true
      let citation = Cite.aws(call, own.name, value: "no such \(isUser ? "user" : "role")", at: found.at)
      reading.evidence.append(Exhibit(citation))
      reading.caller = self.caller(parsed, own, canonical, id: "(nobody)")
      reading.id = .known(("(nobody)", now))
      return reading
    }
    let arn = item["Arn"].string ?? canonical.arn
    let id = item[isUser ? "UserId" : "RoleId"].string
    let citation = Cite.aws(call, own.name, field: "Arn", value: arn, at: found.at)
    reading.evidence.append(Exhibit(citation))
    reading.arn = .known(arn, .read(citation))
    reading.tags = item["Tags"]
    let trust = item["AssumeRolePolicyDocument"]
    if !isUser, !trust.isNull { reading.isForInstances = (trust.string ?? trust.text()).contains("ec2.amazonaws.com") }
    if let id, let created = item["CreateDate"].time {
      reading.id = .known((id, created), .read(citation))
    } else {
      reading.id = .unknown(Gap(read: call.action, why: "its id and CreateDate are not in the answer"))
    }
    reading.caller = self.caller(parsed, own, canonical, id: id ?? "(not read)")
    return reading
  }

  private func caller(_ parsed: ARN, _ own: ARN, _ principal: CanonicalARN.Principal, id: String) -> Fact<STSIdentity> {
    if principal.kind == .user { return identity(principal.arn, id: id, own.account) }
    let session = parsed.resourceType == "assumed-role" ? parsed.name : PrincipalReading.anySession
    let arn = "arn:\(own.partition):sts::\(own.account):assumed-role/\(own.name)/\(session)"
    return identity(arn, id: "\(id):\(session)", own.account)
  }

  private func identity(_ arn: String, id: String, _ account: String) -> Fact<STSIdentity> {
    STSIdentity(arn: arn, userID: id, account: account).map { .known($0) }
      ?? .unknown(Gap(read: "sts:GetCallerIdentity", why: "\(arn) is no caller"))
  }
}
