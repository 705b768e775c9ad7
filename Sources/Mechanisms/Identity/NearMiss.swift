import Wire

/// A mapping that was surely meant for a caller and does not match it, and why.
package enum NearMiss: String, Sendable, CaseIterable {
  case whitespace
  case instanceProfile
  case path
  case sessionARN
  case wrongAccount
  case wrongPartition
  case typo

  package static func of(_ arn: String, _ caller: STSIdentity) -> NearMiss? {
    let canonical = caller.canonicalARN.lowercased()
    let text = arn.lowercased()
    guard text != canonical else { return nil }
    if text.trimmingASCIISpace == canonical { return .whitespace }
    guard let written = ARN.parse(arn.trimmingASCIISpace), let real = ARN.parse(caller.canonicalARN) else {
      return distance(text, canonical) <= 2 ? .typo : nil
    }
    let sameName = written.name.lowercased() == real.name.lowercased()
    if written.resourceType == "instance-profile", written.account == real.account, sameName { return .instanceProfile }
    if CanonicalARN.strippingPath(arn).lowercased() == canonical { return .path }
    if let principal = try? CanonicalARN.of(arn), principal.arn.lowercased() == canonical { return .sessionARN }
    if written.resource.lowercased() == real.resource.lowercased() {
      if written.account != real.account { return .wrongAccount }
      if written.partition != real.partition { return .wrongPartition }
    }
    if written.account == real.account, real.name.utf8.count > 5, distance(text, canonical) <= 2 { return .typo }
    return nil
  }

  package func because(_ place: String, _ arn: String, _ evidence: Citation?) -> Because {
    let why =
      switch self {
      case .whitespace: "has white space around it"
      case .instanceProfile: "is an instance profile, and callers are roles"
      case .path: "carries the role's path, which STS leaves out of the caller's ARN"
      case .sessionARN: "is the ARN of a session, and the match is on the role"
      case .wrongAccount: "is in another account"
      case .wrongPartition: "is in another partition"
      case .typo: "is almost the caller's"
      }
    return Because(
      "identity/mapping/near/\(rawValue)", "\(place) has \(GoText.quote(arn)), which \(why)", evidence: [evidence],
      details: ["arn": .string(arn), "place": .string(place)])
  }

  /// Levenshtein's distance, given up past 3.
  package static func distance(_ a: String, _ b: String) -> Int {
    let a = Array(a.utf8)
    let b = Array(b.utf8)
    guard abs(a.count - b.count) <= 3 else { return 4 }
    var row = Array(0...b.count)
    for i in 0..<a.count {
      var last = i
      row[0] = i + 1
      for j in 0..<b.count {
        let next = min(row[j + 1] + 1, row[j] + 1, last + (a[i] == b[j] ? 0 : 1))
        last = row[j + 1]
        row[j + 1] = next
      }
    }
    return row[b.count]
  }
}
