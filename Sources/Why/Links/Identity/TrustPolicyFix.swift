import Mechanisms
import Wire

/// A trust policy that lets a pod's service account in, with as little changed as it takes: whom it lets in now stays
/// in, and conditions that have nothing to do with it stay.
struct TrustPolicyFix {
  var document: JSON
  /// Whether the rule that refused lets it in by another document; what it does not cure is no fix.
  var holds: (JSON) -> Bool

  private var statements: [JSON] {
    document["Statement"].array ?? [document["Statement"]].filter { $0.object != nil }
  }

  private func with(_ statements: [JSON]) -> JSON {
    var mended = document
    if mended.object == nil { mended = ["Version": "2012-10-17"] }
    mended["Statement"] = .array(statements)
    return mended
  }

  /// The first of these that cures.
  private func first(_ candidates: [[JSON]]) -> JSON? { candidates.map(with).first(where: holds) }

  // MARK: - Web identity

  private static let webIdentity = "sts:AssumeRoleWithWebIdentity"

  /// For the service accounts of a cluster's issuer. `isGone` tells of a provider's ARN that IAM has none of that name.
  func webIdentity(provider: String, host: String, subject: String, audience: String, isGone: (String) -> Bool)
    -> JSON?
  {
    let keys = [("\(host):sub", subject), ("\(host):aud", audience)]
    let wanted: JSON = [
      "Effect": "Allow", "Principal": ["Federated": .string(provider)], "Action": .string(Self.webIdentity),
      "Condition": ["StringEquals": ["\(host):sub": .string(subject), "\(host):aud": .string(audience)]],
    ]
    let appended = statements + [wanted]
    func isMeant(_ statement: JSON, _ isIt: (String) -> Bool) -> Bool {
      statement["Effect"].string == "Allow" && Self.names(statement, Self.webIdentity)
        && Self.words(statement["Principal"]["Federated"]).contains(where: isIt)
    }
    if let at = statements.firstIndex(where: { isMeant($0) { $0 == provider } }) {
      let own = statements[at]
      var changed = statements
      if Self.hasOnly(own["Condition"], Set(keys.map(\.0))) {
        // Others that the statement lets in by name stay in; in StringEquals a pattern lets nobody in.
        changed[at] = wanted
        for (key, value) in keys {
          let before = Self.words(own["Condition"]["StringEquals"][key]).filter { !$0.contains("*") && $0 != value }
          if !before.isEmpty { changed[at]["Condition"]["StringEquals"][key] = JSON(before + [value]) }
        }
        if let sid = own["Sid"].string { changed[at]["Sid"] = .string(sid) }
        return first([changed, appended])
      }
      var copy = own
      copy["Sid"] = .null
      copy["Principal"] = wanted["Principal"]
      copy["Condition"] = Self.stripped(own["Condition"], host)
      for (key, value) in keys { copy["Condition"]["StringEquals"][key] = .string(value) }
      // Asked for claims of an issuer that is not the provider's, it lets nobody in.
      let isDead = Self.conditions(own["Condition"]).contains { name, key in
        !name.contains("Not") && !name.hasSuffix("IfExists") && Self.isClaim(key) && !key.hasPrefix("\(host):")
      }
      changed[at] = copy
      if let sid = own["Sid"].string { changed[at]["Sid"] = .string(sid) }
      return first(isDead ? [changed, appended] : [statements + [copy], appended])
    }
    let at = statements.firstIndex { statement in
      isMeant(statement) { $0.contains("oidc-provider/oidc.eks.") && isGone($0) }
    }
    guard let at else { return first([appended]) }
    var changed = statements
    changed[at] = wanted
    changed[at]["Condition"] = Self.stripped(statements[at]["Condition"], host)
    for (key, value) in keys { changed[at]["Condition"]["StringEquals"][key] = .string(value) }
    return first([changed, appended])
  }

  // MARK: - Pod Identity

  private static let podIdentity = "pods.eks.amazonaws.com"

  /// For EKS Pod Identity; `reasons` are why it is refused now.
  func podIdentity(_ reasons: [PolicyReason]) -> JSON? {
    let actions = ["sts:AssumeRole", "sts:TagSession"]
    let plain: JSON = ["Effect": "Allow", "Principal": ["Service": .string(Self.podIdentity)], "Action": JSON(actions)]
    let at = statements.firstIndex {
      $0["Effect"].string == "Allow" && Self.words($0["Principal"]["Service"]).contains(Self.podIdentity)
    }
    guard let at else { return first([statements + [plain]]) }
    var own = statements[at]
    let before = Self.words(own["Action"])
    own["Action"] = JSON(before + actions.filter { action in !Self.names(own, action) })
    var changed = statements
    var failed: [(name: String, key: String, given: [String]?)] = []
    for case .conditionFailed(let statement, let name, let key, _, let given) in reasons where statement.index == at {
      failed.append((name, key, given))
    }
    guard !failed.isEmpty else {
      changed[at] = own
      return first([changed, statements + [plain]])
    }
    own["Sid"] = .null
    for condition in failed {
      let given = condition.name.contains("Not") ? nil : condition.given
      own["Condition"][condition.name][condition.key] = given.map { $0.count == 1 ? .string($0[0]) : JSON($0) } ?? .null
      if own["Condition"][condition.name].object?.isEmpty == true { own["Condition"][condition.name] = .null }
    }
    if own["Condition"].object?.isEmpty == true { own["Condition"] = .null }
    return first([statements + [own], statements + [plain]])
  }

  // MARK: - Roles and users

  /// For an IAM identity by its ARN.
  func principal(_ arn: String) -> JSON? {
    let wanted: JSON = [
      "Effect": "Allow", "Principal": ["AWS": .string(arn)], "Action": ["sts:AssumeRole", "sts:TagSession"],
    ]
    return first([statements + [wanted]])
  }

  // MARK: - Parts of statements

  private static func words(_ json: JSON) -> [String] { json.string.map { [$0] } ?? json.strings }

  private static func names(_ statement: JSON, _ action: String) -> Bool {
    words(statement["Action"]).contains { $0.lowercased() == action.lowercased() || $0 == "sts:*" || $0 == "*" }
  }

  private static func conditions(_ block: JSON) -> [(name: String, key: String)] {
    block.fields.flatMap { field in
      field.value.fields.map { (name: field.key, key: $0.key) }
    }
  }

  private static func hasOnly(_ block: JSON, _ keys: Set<String>) -> Bool {
    conditions(block).allSatisfy { $0.name == "StringEquals" && keys.contains($0.key) }
  }

  /// `oidc.eks.us-east-1.amazonaws.com/id/ABC:sub`, of any issuer.
  private static func isClaim(_ key: String) -> Bool {
    key.contains("/id/") && (key.hasSuffix(":sub") || key.hasSuffix(":aud"))
  }

  /// A condition without what it says of subject and audience.
  private static func stripped(_ block: JSON, _ host: String) -> JSON {
    var left = block
    for (name, key) in conditions(block) where isClaim(key) || key.hasPrefix("\(host):") {
      left[name][key] = .null
      if left[name].object?.isEmpty == true { left[name] = .null }
    }
    return left
  }
}
