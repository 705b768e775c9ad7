import Evidence
import Mechanisms
import Wire

/// Answers questions about a cluster from evidence alone.
package struct Why: Sendable {
  package let investigation: Investigation
  private let catalogue: Catalogue
  private let questions: [any Question]

  package init(_ investigation: Investigation, catalogue: Catalogue = .all, questions: [any Question] = Why.questions) {
    self.investigation = investigation
    self.catalogue = catalogue
    self.questions = questions
  }

  /// The kinds that can be asked about.
  package var kinds: [String] { questions.flatMap(\.kinds) }

  /// The answer about one subject.
  package func ask(_ subject: Subject) async throws(QuestionError) -> Answer {
    guard let question = questions.first(where: { $0.kinds.contains(subject.kind) }) else {
      throw .unsupported(
        "ekswhy has no questions about a \(subject.kind) yet; it can be asked about: \(kinds.joined(separator: ", "))")
    }
    return try await ask(question, about: subject)
  }

  /// The answer to one question.
  package func ask(_ question: some Question, about subject: Subject) async throws(QuestionError) -> Answer {
    let started = ContinuousClock.now
    let inquiry = try await question.inquire(subject, investigation)
    var answer = await conclude(inquiry)
    let counts = await investigation.reader.counts
    answer.reads = .init(
      kubernetes: counts.kubernetes, aws: counts.aws, seconds: (ContinuousClock.now - started).inSeconds)
    return answer
  }

  private func conclude(_ inquiry: Inquiry) async -> Answer {
    let clock = await investigation.reader.clock()
    var answer = Answer(
      target: investigation.target, asOf: clock.time, basis: clock.basis.isEmpty ? nil : clock.basis,
      subject: inquiry.subject, status: .healthy, summary: inquiry.summary)
    let trail = await Engine(catalogue, investigation).follow(inquiry.effects)
    trail.fill(&answer, from: inquiry.effects.map(\.effect))
    answer.verdict = inquiry.verdict
    answer.notChecked = inquiry.notChecked
    let isOpen = answer.gaps.contains { $0.isDeciding }
    if !answer.roots.isEmpty {
      answer.status = .failing
      if !inquiry.isTrouble, let hidden = inquiry.hiddenTrouble {
        answer.summary = hidden
        if inquiry.verdict != nil { answer.verdict = "no" }
      }
    } else if let waits = inquiry.waits, waits.until > answer.asOf {
      answer.status = .progressing
      answer.waitsFor = waits.what
      answer.waitsUntil = waits.until
    } else if inquiry.isTrouble || isOpen || !trail.deadEnds.isEmpty {
      answer.status = .unproven
      if inquiry.verdict != nil { answer.verdict = "unproven" }
      if !inquiry.isTrouble {
        answer.summary = inquiry.summary.replacing("no fault found in ", with: "") + ", as far as could be read"
      }
      if !isOpen {
        let gap =
          inquiry.lastResort
          ?? Gap(read: "node logs", why: "what is left to rule out stands in no public API", how: "--node-logs DIR")
        for effect in trail.deadEnds.isEmpty ? inquiry.effects.map(\.effect) : trail.deadEnds {
          answer.add(gap, effect.kind.rawValue, deciding: true)
        }
      }
    }
    // What was left open may hide a fault, though nothing that was asked hangs on it.
    if answer.status == .healthy, trail.isOpen { answer.summary += ", as far as could be read" }
    if inquiry.isTrouble, answer.lastSymptomAt == nil { answer.lastSymptomAt = answer.asOf }
    return answer
  }
}

extension Why {
  package static let questions: [any Question] = [
    PodQuestion(), WorkloadQuestion(), NodeQuestion(), NodegroupQuestion(), NodeClaimQuestion(),
    ScalingGroupQuestion(), CredentialsQuestion(), AdmissionQuestion(), StackQuestion(),
    FargateProfileQuestion(), ServiceQuestion(), JobQuestion(), CronJobQuestion(), AutoscalerQuestion(),
    NamespaceQuestion(), DisruptionBudgetQuestion(), AddonQuestion(), SecurityGroupsQuestion(), NameQuestion(),
    ClaimQuestion(), VolumeQuestion(), StorageClassQuestion(),
    SubnetQuestion(), InterfacesQuestion(), TrafficQuestion(),
  ]
}

extension Catalogue {
  /// Every link there is, in the order in which they are tried.
  package static let all = Catalogue([
    KubeletSilent(), InstanceNotRunning(), JoinStepFails(), NodeLockedOut(), RoleNotMapped(), NodeMappedAsAnother(),
    BootstrapDenied(),
    RoleIsMapped(), NodeIsReady(), NodeRefusesPods(),
    CNINotInitialized(), CNIAgentNotReady(), OtherCNINotReady(), CNIAbsent(), CNIAgentIsReady(),
    CNICallsDenied(), CNIServiceUnreached(), RegistryUnreached(), CNIWithoutCredentials(), CNIPolicyMissing(),
    CNICallsAreAllowed(),
    NoAddressToAssign(), PoolIsFull(), AddressesCoolDown(), EC2Throttles(), SubnetShort(), ENILimitReached(),
    SparesHoard(),
    SubnetFull(), InterfacesLeftBehind(), WarmENIHoarding(), SettingsNotInForce(), ENIConfigMissing(),
    SubnetUse(), SubnetStarves(), ControlPlaneRoom(), NodeInterfaces(), PoolSizeExplained(), InterfaceUse(),
    BranchMissing(), BranchRefused(), BranchCacheClash(), BranchOverlooked(), BranchAnnotationDenied(),
    BranchesCoolDown(), NoBranchPlaces(),
    PodGroups(), PodGroupPolicy(),
    PodRuns(), PodHasAddress(), PodNodeReady(), PodOnLostNode(), ImageNotPulled(), ConfigMissing(),
    ContainerCrashes(), ContainerEnds(), NodeWentDown(), ContainerNotReady(), ProbeFails(), ProbeUnanswered(),
    LastWordsUnread(), HostUnreached(), KubeletUnreached(), DevicesCount(), BytesCompared(),
    PodsNotCreated(), RolloutHeld(),
    DaemonsNowhere(), ServiceUnbacked(), ServiceBacked(), BalancerPending(), LocalEndpoints(), JobFails(),
    ScheduleHeld(), AutoscalerStuck(), MetricsMissing(), NamespaceStuck(), NoDisruption(), PodStaysOn(), PodEvicted(),
    Unschedulable(), NoNodeFits(), NodegroupIssue(), NodegroupLacksNodes(), NodegroupCannotLaunch(),
    NodeManagerDenied(), UpdateFailed(), LaunchFails(), ClaimNotLaunched(),
    NodegroupIsWell(), NoNodes(),
    PodCredentials(), PodNotInjected(), PodRoleNotConfigured(), PodNodeCredentials(), WebIdentityRefused(),
    WebIdentityTaken(), PodIdentityRefused(), PodIdentityGranted(),
    KubernetesAccess(), SignIn(), DeedAllowed(), PodAWSAccess(), AWSPolicies(), AuditRecords(),
    AuthenticatorRecords(), EndpointClosed(), TokenMisfits(), TokenRefusals(), StaleTokens(), CloudTrailRecords(),
    ServingCertificates(), HybridCertificates(), ProviderThumbprint(), RegionNotTold(), OldSDK(),
    WaitsForFargate(), NotOnFargate(), FargateProfileMissing(), FargateUnsupported(), FargateTooLarge(),
    FargateRoleBlocked(), FargateNetworkFails(), PodGroupsCutOff(), PodOnFargate(), FargateProfileFails(),
    FargateProfileBlocked(),
    FargateProfileIsWell(),
    AddonConflicts(), AddonReplicas(), AddonManagerDenied(), AddonAdmissionDenied(), AddonUnmodifiable(),
    AddonObjectsGone(), AddonUnreachable(), AddonIssueTold(), AddonIsWell(), AddonDrift(), AddonReverted(),
    ClusterNotMade(), ControlPlaneReplaced(), SessionNarrowed(), OlderThanWebhook(),
    StackTime(), StackFails(),
    NameAnswered(), DNSWithoutEndpoints(), UpstreamSilent(), NameMissing(), CorefileRefused(), DNSLoops(),
    DNSPodsFail(), UpstreamTimesOut(), ResolverAllowanceSpent(), QueriesRace(),
    ClaimsNotReady(), VolumeBeingMade(), VolumesNotSetUp(), ClaimUnbound(), ClaimIsBound(), ClaimInUse(),
    ClaimNotGrown(), VolumeUnusable(), UsedOnAnotherNode(), AttachingRefused(), DriverNotInstalled(),
    DriverControllerDown(), ProvisioningRefused(), DriverNotOnNode(),
  ])
}
