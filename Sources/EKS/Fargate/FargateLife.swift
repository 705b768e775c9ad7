import Mechanisms
import Wire
package import World

/// What EKS does to make a Fargate profile and to delete it.
package struct FargateLife: Component {
  package static let kind = "eks-fargate-profile"

  enum Phase: String, Codable { case creating, mapping, active, failed, draining, unmapping }

  var cluster: String
  var name: String
  var phase = Phase.creating
  var conflicts = 0

  init(cluster: String, name: String) {
    self.cluster = cluster
    self.name = name
  }

  static func id(_ cluster: String, _ name: String) -> ComponentID { "eks-fargate-profile/\(cluster)/\(name)" }

  package mutating func step(_ input: Input, _ context: Context) {
    guard let service = EKSService.of(context.world), let row = service.clusters[cluster],
      let profile = service.records[service.fargateKey(cluster, name)].map(FargateProfile.init(describe:))
    else { return context.stop() }
    switch input {
    case .start: context.wake("next", after: context.durations[.fargateProfile])
    case .wake("next"): proceed(service, row, profile, context)
    case .message("delete", _):
      phase = .draining
      context.wake("next", after: context.durations[.fargateProfile])
    case .kube("webhook", let reply): webhookInstalled(reply, service, row, profile, context)
    case .kube("aws-auth", let reply): mapped(reply, service, row, profile, context)
    case .kube("aws-auth-written", let reply): wroteMapping(reply, service, row, context)
    default: break
    }
  }

  private mutating func proceed(
    _ service: EKSService, _ row: ClusterRow, _ profile: FargateProfile, _ context: Context
  ) {
    switch phase {
    case .creating:
      guard context.world.kube.host != nil, let facts = service.facts(cluster) else {
        return becomeActive(service, context)
      }
      context.submit(
        EKSUsers.bootstrap(row.id).clientSideApply(FargateWebhookServer.object(facts)), tag: "webhook")
    case .draining: drain(service, row, profile, context)
    default: break
    }
  }

  // MARK: - Up

  private mutating func webhookInstalled(
    _ reply: KubeReply, _ service: EKSService, _ row: ClusterRow, _ profile: FargateProfile, _ context: Context
  ) {
    guard phase == .creating else { return }
    guard reply.isSuccess || reply.reason == "AlreadyExists" else {
      return fail("ClusterUnreachable", reply.message, service)
    }
    phase = .mapping
    guard AuthenticationMode(rawValue: row.mode)?.usesEntries == true else {
      return context.submit(
        EKSUsers.fargateManager(row.id).get("configmaps", "kube-system", "aws-auth"), tag: "aws-auth")
    }
    if let entry = service.entries[Key.entry(cluster, profile.role)] {
      guard entry.document["type"].string == AccessEntry.Kind.fargateLinux.rawValue else {
        return fail(
          "PodExecutionRoleAlreadyInUse",
          "The pod execution role \(profile.role) has an access entry of type \(entry.document["type"].string ?? "")",
          service)
      }
    } else if let id = service.principalID(profile.role) {
      service.makeEntry(cluster: cluster, principal: profile.role, id: id, kind: .fargateLinux, managed: true)
    }
    becomeActive(service, context)
  }

  /// Adds the role's line to aws-auth when it has none, or takes it out with the last profile.
  private mutating func mapped(
    _ reply: KubeReply, _ service: EKSService, _ row: ClusterRow, _ profile: FargateProfile, _ context: Context
  ) {
    let client = EKSUsers.fargateManager(row.id)
    if phase == .unmapping {
      if reply.isSuccess, let patch = AWSAuthDocument.removing(profile.role, from: reply.body) {
        context.submit(client.patch("configmaps", "kube-system", "aws-auth", patch, .merge), tag: "unmapped")
      }
      return gone(service, context)
    }
    guard reply.isSuccess || reply.status == 404 else { return fail("AccessDenied", reply.message, service) }
    switch AWSAuthDocument.adding(profile.role, .fargate, to: reply.isSuccess ? reply.body : JSON?.none) {
    case .unchanged: becomeActive(service, context)
    case .create(let object):
      context.submit(client.create("configmaps", "kube-system", object), tag: "aws-auth-written")
    case .patch(let patch):
      context.submit(client.patch("configmaps", "kube-system", "aws-auth", patch, .merge), tag: "aws-auth-written")
    }
  }

  private mutating func wroteMapping(
    _ reply: KubeReply, _ service: EKSService, _ row: ClusterRow, _ context: Context
  ) {
    guard phase == .mapping else { return }
    if reply.isSuccess { return becomeActive(service, context) }
    conflicts += 1
    guard conflicts < 5 else { return fail("AccessDenied", reply.message, service) }
    context.submit(EKSUsers.fargateManager(row.id).get("configmaps", "kube-system", "aws-auth"), tag: "aws-auth")
  }

  private mutating func becomeActive(_ service: EKSService, _ context: Context) {
    phase = .active
    service.records.update(service.fargateKey(cluster, name)) { $0["status"] = "ACTIVE" }
    let scheduler = FargateScheduler.id(cluster)
    if context.world.kube.host != nil, !context.world.exists(scheduler) {
      context.spawn(scheduler, FargateScheduler(cluster: cluster))
    }
  }

  private mutating func fail(_ code: String, _ message: String, _ service: EKSService) {
    phase = .failed
    service.records.update(service.fargateKey(cluster, name)) { profile in
      profile["status"] = "CREATE_FAILED"
      profile["health"] = ["issues": [["code": .string(code), "message": .string(message), "resourceIds": []]]]
    }
  }

  // MARK: - Down

  /// The profile's pods go with it; what makes them makes new ones, which stay where no profile takes them.
  private mutating func drain(
    _ service: EKSService, _ row: ClusterRow, _ profile: FargateProfile, _ context: Context
  ) {
    let client = EKSUsers.fargateManager(row.id)
    let pods = (context.world.kube.host?.list(cluster: row.id, resource: "pods", namespace: "") ?? [])
      .map { ObjectView($0) }
      .filter {
        $0.labels[FargateMatch.label].string == name && $0.spec["schedulerName"].string == FargateMatch.scheduler
      }
    guard pods.isEmpty else {
      for pod in pods where !pod.isTerminating {
        context.submit(client.delete("pods", pod.namespace, pod.name, uid: pod.uid), tag: "evicted")
      }
      return context.wake("next", after: .seconds(1))
    }
    let others = service.fargateProfiles(cluster).contains { $0.name != name && $0.role == profile.role }
    guard !others else { return gone(service, context) }
    let key = Key.entry(cluster, profile.role)
    if let entry = service.entries[key] {
      if entry.isManaged, entry.document["type"].string == AccessEntry.Kind.fargateLinux.rawValue {
        service.entries[key] = nil
      }
      return gone(service, context)
    }
    guard AuthenticationMode(rawValue: row.mode)?.usesConfigMap == true, context.world.kube.host != nil else {
      return gone(service, context)
    }
    phase = .unmapping
    context.submit(client.get("configmaps", "kube-system", "aws-auth"), tag: "aws-auth")
  }

  private func gone(_ service: EKSService, _ context: Context) {
    service.records[service.fargateKey(cluster, name)] = nil
    context.stop()
  }
}
