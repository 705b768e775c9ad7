import Foundation
import Mechanisms
import Testing
import Wire

/// A rule and facts to try it on.
protocol Sampled: Rule {
  /// Facts all of which are known.
  static func sample(_ chance: inout Chance) -> Facts
}

/// Hiding any of a rule's facts leaves its verdict as it was or opens it, and never turns it.
@Suite struct PropertyTests {
  static let rules: [any Sampled.Type] = [
    TokenVerification.self, STSOutcome.self, MappingChain.self, RBAC.self, AccessPolicy.self, NodeAuthorizer.self,
    NodeRestriction.self, IAMPolicy.self, TrustPolicy.self, TrustedUse.self, EndpointWay.self, SubnetChoice.self,
    SecondaryBlock.self,
    PodSecurityGroups.self, BranchRoom.self, BranchAttention.self, ResolverAllowance.self, ConntrackRace.self,
    ENIConfigName.self, ControlPlaneAddresses.self,
    PoolTooLow.self,
    PoolTooHigh.self,
    PoolExtraENI.self, ENIRoom.self, PoolNextRequest.self, SubnetShortage.self, NodeFit.self, NodeReadiness.self,
    NodeLifecycle.self, JoinSequence.self, KubeletCSR.self,
    PodTopology.self, PodPlacement.self, WebIdentityToken.self, PodIdentityWebhook.self,
    CredentialChain.self, InstanceMetadata.self, PodIdentityExchange.self, AgentRequest.self,
    OIDCToken.self, RBACEscalation.self, VolumeMatch.self, VolumeFit.self, Preemption.self, AddonHealth.self,
    ControlPlaneReplacement.self, ClusterSubnets.self,
    FargateMatch.self, FargateSize.self, FargateSupport.self, FargateLaunch.self, FargateLogging.self,
    VersionSkew.self,
    CoreDNSLoop.self, CorefileRule.self, ContainerEnding.self,
    ConnectionPath.self, PolicyAdmission.self, TokenFit.self, EndpointAdmission.self,
    ClaimBinding.self, VolumeSetUp.self, VolumeAttach.self,
  ]

  @Test(arguments: rules.indices)
  func hidingNeverTurns(index: Int) {
    Self.check(Self.rules[index], seed: UInt64(index + 1))
  }

  private static func check<R: Sampled>(_ rule: R.Type, seed: UInt64) {
    var chance = Chance(state: seed)
    var outcomes: Set<String> = []
    let hiders = R.Facts.hiders
    for _ in 0..<200 {
      let facts = R.sample(&chance)
      let whole = R.decide(facts)
      outcomes.insert(word(whole))
      var sets = hiders.indices.map { [$0] }
      for _ in 0..<12 { sets.append(chance.subset(Array(hiders.indices))) }
      sets.append(Array(hiders.indices))
      for set in sets {
        var hidden = facts
        for hider in set { hiders[hider](&hidden) }
        let part = R.decide(hidden)
        switch (whole.outcome, part.outcome) {
        case (_, .open), (.no, .no): continue
        case (.yes(let a), .yes(let b)):
          if !same(a, b) { Issue.record("\(R.name): hiding \(set) makes \(a) into \(b)") }
        default:
          Issue.record("\(R.name): hiding \(set) of \(facts) turns \(word(whole)) into \(word(part))")
          return
        }
      }
    }
    #expect(outcomes.isSuperset(of: ["yes", "no"]), "\(R.name): the samples give only \(outcomes)")
    #expect(!outcomes.contains("open"), "\(R.name): samples are to be whole")
  }

  private static func word<V, R>(_ verdict: Verdict<V, R>) -> String {
    switch verdict.outcome {
    case .yes: "yes"
    case .no: "no"
    case .open: "open"
    }
  }

  private static func same(_ a: Any, _ b: Any) -> Bool {
    guard let a = a as? any Equatable else { return true }
    return equal(a, b)
  }

  private static func equal<E: Equatable>(_ a: E, _ b: Any) -> Bool { (b as? E) == a }

  /// Every fact of every rule has its hider.
  @Test(arguments: rules.indices)
  func everyFactCanBeHidden(index: Int) {
    func check<R: Sampled>(_ rule: R.Type) {
      var chance = Chance(state: 1)
      var hidden = R.sample(&chance)
      for hide in R.Facts.hiders { hide(&hidden) }
      for child in facts(of: hidden) {
        #expect("\(child.value)".contains("unknown"), "\(R.name): \(child.label ?? "?") stays known")
      }
    }
    func facts(of value: Any) -> [Mirror.Child] {
      Mirror(reflecting: value).children.flatMap { child -> [Mirror.Child] in
        "\(type(of: child.value))".hasPrefix("Fact<") ? [child] : facts(of: child.value)
      }
    }
    check(Self.rules[index])
  }

  /// A rule that is added without samples is missed here.
  @Test func everyRuleIsTried() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources/Mechanisms")
      .resolvingSymlinksInPath()
    let files = try #require(FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
    var found: Set<String> = []
    for case let file as URL in files where file.pathExtension == "swift" {
      let text = try String(contentsOf: file, encoding: .utf8)
      for line in text.split(separator: "\n") {
        guard let match = line.firstMatch(of: /(?:enum|struct|extension) (\w+): (?:\w+, )*Rule\b/) else { continue }
        found.insert(String(match.1))
      }
    }
    let rules = Self.rules + NamePropertyTests.rules
    #expect(found == Set(rules.map { "\($0)" }))
    #expect(Set(rules.map { $0.name }).count == rules.count, "names are used once")
  }
}
