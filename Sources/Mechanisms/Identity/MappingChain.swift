import Wire

/// Which Kubernetes user a caller is: EKS's own mappings, then access entries, then `aws-auth`, as the
/// cluster's authentication mode has it (aws-iam-authenticator `pkg/server`, `pkg/mapper`; EKS user guide,
/// access entries).
package enum MappingChain: Rule {
  package static let name = "identity/mapping"

  package struct Facts: FactSet {
    package var caller: Fact<STSIdentity>
    package var mode: Fact<AuthenticationMode>
    /// EKS's own roles, and the creator in CONFIG_MAP mode.
    package var builtIn: Fact<[AWSAuth.Line]>
    package var entries: Fact<[AccessEntry]>
    package var awsAuth: Fact<AWSAuth>
    /// The private DNS name of the instance that the session is named after; nil where there is none.
    package var privateDNSName: Fact<String?>

    package init(
      caller: Fact<STSIdentity>, mode: Fact<AuthenticationMode>, builtIn: Fact<[AWSAuth.Line]> = .known([]),
      entries: Fact<[AccessEntry]>, awsAuth: Fact<AWSAuth>, privateDNSName: Fact<String?>
    ) {
      self.caller = caller
      self.mode = mode
      self.builtIn = builtIn
      self.entries = entries
      self.awsAuth = awsAuth
      self.privateDNSName = privateDNSName
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.caller), hider(\.mode), hider(\.builtIn), hider(\.entries), hider(\.awsAuth), hider(\.privateDNSName),
      { facts in
        // The ids that entries were made for are not in any answer of the API.
        facts.entries = facts.entries.map { $0.map(\.hidingID) }
      },
    ]
  }

  package static func decide(_ facts: Facts) -> Verdict<MappedIdentity, Because> {
    guard let caller = facts.caller.value else { return .open([facts.caller.gap!]) }
    if let mode = facts.mode.value { return decide(caller, mode, facts) }
    // The mode unknown: the answer stands where all three give it.
    let verdicts = AuthenticationMode.allCases.map { decide(caller, $0, facts) }
    if verdicts.allSatisfy(\.isNo) { return verdicts[1] }
    if let value = verdicts[0].value, verdicts.allSatisfy({ $0.value == value }) { return verdicts[0] }
    return .open([facts.mode.gap!] + verdicts.flatMap(\.gaps))
  }

  private enum Step {
    case mapped(MappedIdentity, Because)
    /// It maps, but what it maps to can't be told: no further mapping is looked at.
    case failed(Because)
    case open([Gap])
    case next
  }

  private static func decide(
    _ caller: STSIdentity, _ mode: AuthenticationMode, _ facts: Facts
  ) -> Verdict<MappedIdentity, Because> {
    var seen: [Because] = []
    let steps: [() -> Step] = [
      { builtIn(caller, facts) },
      { mode.usesEntries ? entries(caller, facts, &seen) : .next },
      { mode.usesConfigMap ? configMap(caller, facts, &seen) : .next },
    ]
    for step in steps {
      switch step() {
      case .mapped(let identity, let because): return .yes(identity, seen + [because])
      case .failed(let because): return .no(seen + [because])
      case .open(let gaps): return .open(gaps, seen)
      case .next: continue
      }
    }
    return .no(seen + [Because("identity/mapping/not-mapped", "identity is not mapped", evidence: [])])
  }

  private static func builtIn(_ caller: STSIdentity, _ facts: Facts) -> Step {
    guard let lines = facts.builtIn.value else { return .open([facts.builtIn.gap!]) }
    guard let line = lines.last(where: { $0.arn.lowercased() == caller.canonicalARN.lowercased() }) else {
      return .next
    }
    return render(
      caller, facts, mapper: "MountedFile", username: line.username, groups: line.groups, origin: .builtIn(line.place),
      administrative: line.isAdministrative,
      because: Because(
        "identity/mapping/built-in", "EKS itself maps \(caller.canonicalARN) to \(line.username)",
        evidence: [facts.builtIn.citation]))
  }

  private static func entries(_ caller: STSIdentity, _ facts: Facts, _ seen: inout [Because]) -> Step {
    guard let entries = facts.entries.value else { return .open([facts.entries.gap!]) }
    var gaps: [Gap] = []
    for entry in entries {
      let named = CanonicalARN.strippingPath(entry.principalARN) == caller.canonicalARN
      switch entry.principalID {
      case .unknown(let gap):
        // Without the id it may be made for this very caller, or for one of that name before.
        if named { gaps.append(gap) }
      case .known(let id, _):
        guard named, id == caller.principalID else {
          if named {
            seen.append(
              Because(
                "identity/mapping/recreated",
                "the access entry of \(entry.principalARN) was made for another \(kindWord(entry)) of that name, "
                  + "since deleted: it holds that one's unique id, and this caller's is \(caller.principalID)",
                evidence: [facts.entries.citation]))
          } else if let near = NearMiss.of(entry.principalARN, caller) {
            seen.append(near.because("access entry", entry.principalARN, facts.entries.citation))
          }
          continue
        }
        return render(
          caller, facts, mapper: "AccessEntries", username: entry.username, groups: entry.groups,
          origin: .accessEntry(entry.principalARN), policies: entry.policies,
          because: Because(
            "identity/mapping/access-entry",
            "the access entry of \(entry.principalARN) (\(entry.kind.rawValue)) maps it",
            evidence: [facts.entries.citation]))
      }
    }
    return gaps.isEmpty ? .next : .open(gaps)
  }

  private static func configMap(_ caller: STSIdentity, _ facts: Facts, _ seen: inout [Because]) -> Step {
    guard let map = facts.awsAuth.value else { return .open([facts.awsAuth.gap!]) }
    let evidence = facts.awsAuth.citation
    if let line = map.line(for: caller.canonicalARN) {
      for other in map.roles + map.users where other != line && other.arn.lowercased() == line.arn.lowercased() {
        seen.append(
          Because(
            "identity/mapping/double",
            "\(other.place) names the same \(line.arn) and loses to \(line.place), the later", evidence: [evidence]))
      }
      return render(
        caller, facts, mapper: "EKSConfigMap", username: line.username, groups: line.groups,
        origin: .configMap(line.place),
        because: Because(
          "identity/mapping/config-map", "aws-auth \(line.place) (\(line.arn)) maps it", evidence: [evidence]))
    }
    if map.accounts.contains(caller.account) {
      return .mapped(
        MappedIdentity(caller, username: caller.canonicalARN, groups: [], origin: .account(caller.account)),
        Because(
          "identity/mapping/account", "aws-auth mapAccounts lists account \(caller.account)", evidence: [evidence]))
    }
    for fault in map.faults {
      seen.append(
        Because("identity/mapping/unreadable", "error parsing config map: [\(fault)]", evidence: [evidence]))
    }
    for line in map.roles + map.users {
      if let near = NearMiss.of(line.arn, caller) {
        seen.append(near.because("aws-auth \(line.place)", line.arn, evidence))
      }
    }
    return .next
  }

  private static func render(
    _ caller: STSIdentity, _ facts: Facts, mapper: String, username: String, groups: [String],
    origin: MappedIdentity.Origin, policies: [AccessPolicyAssociation] = [], administrative: Bool = false,
    because: Because
  ) -> Step {
    var name: String?
    if ([username] + groups).contains(where: UsernameTemplate.needsPrivateDNSName),
      UsernameTemplate.isInstanceID(caller.sessionName)
    {
      switch facts.privateDNSName {
      case .unknown(let gap): return .open([gap])
      case .known(let known, _): name = known
      }
    }
    var rendered: [String] = []
    for (index, template) in ([username] + groups).enumerated() {
      do { rendered.append(try UsernameTemplate.render(template, caller, privateDNSName: name)) } catch {
        return .failed(
          Because(
            "identity/mapping/template",
            "mapper \(mapper) renderTemplates error: error rendering \(index == 0 ? "username" : "group") template "
              + "\(GoText.quote(template)): \(error.message)"))
      }
    }
    return .mapped(
      MappedIdentity(
        caller, username: rendered[0], groups: Array(rendered.dropFirst()), origin: origin, policies: policies,
        administrative: administrative),
      because)
  }

  private static func kindWord(_ entry: AccessEntry) -> String {
    ARN.parse(entry.principalARN)?.resourceType == "user" ? "user" : "role"
  }
}

extension AccessEntry {
  fileprivate var hidingID: AccessEntry {
    var entry = self
    entry.principalID = .unknown(.hidden)
    return entry
  }
}
