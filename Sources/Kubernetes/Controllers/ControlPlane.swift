import Wire
package import World

/// The controllers and the scheduler of a cluster, as components of the world.
package enum ControlPlane {
  /// Which of the parts run that a kube-controller-manager or kube-scheduler of its own could take the place of.
  package struct Selection: Codable, Sendable, Equatable {
    /// As `--controllers` of the kube-controller-manager has them: `*` is all, `NAME` one, `-NAME` not that one.
    package var controllers: [String]
    package var scheduler: Bool

    package init(controllers: [String] = ["*"], scheduler: Bool = true) {
      self.controllers = controllers
      self.scheduler = scheduler
    }

    package static let everything = Selection()

    func runs(_ controller: String?) -> Bool {
      guard let controller else { return true }
      if controllers.contains(controller) { return true }
      return !controllers.contains("-\(controller)") && controllers.contains("*")
    }
  }

  /// Names of the controllers that can be switched off, in order.
  package static var controllers: [String] { parts.compactMap(\.name).sorted() }

  /// Makes the kinds of component known; once for each world, before it is restored.
  package static func know(in world: World) {
    for part in parts { part.know(world) }
    world.know(Scheduler.self, LeaderLeases.self)
  }

  /// Starts the control plane of a cluster whose API server is there.
  package static func start(_ facts: ClusterFacts, _ selection: Selection = .everything, in world: World) {
    for part in parts where selection.runs(part.name) { part.start(facts, world) }
    if selection.scheduler { world.spawn(Scheduler.id(facts.id), Scheduler(facts)) }
    world.spawn(LeaderLeases.id(facts.id), LeaderLeases(facts.id, held: leases(selection)))
  }

  /// Starts and stops parts of a control plane that is there.
  package static func change(cluster: String, to selection: Selection, in world: World) {
    let anchor = Controller<APIServiceController>.id(cluster)
    guard let facts = world.state(of: anchor, as: Controller<APIServiceController>.self)?.facts else { return }
    for part in parts {
      let isThere = world.exists(part.id(cluster))
      if selection.runs(part.name), !isThere { part.start(facts, world) }
      if !selection.runs(part.name), isThere { part.stop(cluster, world) }
    }
    let scheduler = Scheduler.id(cluster)
    if selection.scheduler, !world.exists(scheduler) { world.spawn(scheduler, Scheduler(facts)) }
    if !selection.scheduler, world.exists(scheduler) { stop(scheduler, of: cluster, in: world) }
    world.schedule(LeaderLeases.id(cluster), .message("hold", JSON(leases(selection))), at: world.now)
  }

  /// Only who runs everything that a lease stands for holds it.
  private static func leases(_ selection: Selection) -> [String] {
    (controllers.allSatisfy { selection.runs($0) } ? ["kube-controller-manager"] : [])
      + (selection.scheduler ? ["kube-scheduler"] : [])
  }

  /// Stops it for good.
  package static func stop(cluster: String, in world: World) {
    for part in parts { part.stop(cluster, world) }
    stop(Scheduler.id(cluster), of: cluster, in: world)
    world.stop(LeaderLeases.id(cluster))
  }

  private static func stop(_ id: ComponentID, of cluster: String, in world: World) {
    world.kube.host?.unwatch(cluster: cluster, component: id)
    world.stop(id)
  }

  private struct Part {
    /// The kube-controller-manager's name for it; nil for what is no part of that.
    var name: String?
    var id: (String) -> ComponentID
    var know: (World) -> Void
    var start: (ClusterFacts, World) -> Void
    var stop: (String, World) -> Void

    init<R: Reconciler>(_ type: R.Type, _ name: String? = nil) {
      self.name = name
      id = { Controller<R>.id($0) }
      know = { $0.know(Controller<R>.self) }
      start = { facts, world in world.spawn(Controller<R>.id(facts.id), Controller<R>(facts)) }
      stop = { cluster, world in
        world.kube.host?.unwatch(cluster: cluster, component: Controller<R>.id(cluster))
        world.stop(Controller<R>.id(cluster))
      }
    }
  }

  private static var parts: [Part] { workloads + services + rest }

  private static var workloads: [Part] {
    [
      Part(ReplicaSetController.self, "replicaset-controller"),
      Part(DeploymentController.self, "deployment-controller"),
      Part(DaemonSetController.self, "daemonset-controller"),
      Part(StatefulSetController.self, "statefulset-controller"), Part(JobController.self, "job-controller"),
      Part(TTLAfterFinishedController.self, "ttl-after-finished-controller"),
      Part(CronJobController.self, "cronjob-controller"),
      Part(ReplicationController.self, "replicationcontroller-controller"),
      Part(DisruptionController.self, "disruption-controller"),
      Part(AutoscalerController.self, "horizontal-pod-autoscaler-controller"),
    ]
  }

  private static var services: [Part] {
    [
      Part(EndpointSliceController.self, "endpointslice-controller"),
      Part(EndpointsController.self, "endpoints-controller"),
      Part(EndpointSliceMirroringController.self, "endpointslice-mirroring-controller"),
      Part(ServiceCIDRController.self, "service-cidr-controller"),
      Part(PersistentVolumeController.self, "persistentvolume-binder-controller"),
      Part(ClaimProtectionController.self, "persistentvolumeclaim-protection-controller"),
      Part(VolumeProtectionController.self, "persistentvolume-protection-controller"),
      Part(EphemeralVolumeController.self, "ephemeral-volume-controller"),
      Part(AttachDetachController.self, "persistentvolume-attach-detach-controller"),
    ]
  }

  private static var rest: [Part] {
    [
      Part(ServiceAccountController.self, "serviceaccount-controller"),
      Part(RootCAPublisher.self, "root-ca-certificate-publisher-controller"),
      Part(CertificateCleaner.self, "certificatesigningrequest-cleaner-controller"),
      Part(NamespaceController.self, "namespace-controller"),
      Part(GarbageCollector.self, "garbage-collector-controller"),
      Part(PodGarbageCollector.self, "pod-garbage-collector-controller"),
      Part(NodeLifecycleController.self, "node-lifecycle-controller"),
      Part(TaintEvictionController.self, "taint-eviction-controller"),
      Part(ClusterRoleAggregationController.self, "clusterrole-aggregation-controller"),
      Part(ResourceQuotaController.self, "resourcequota-controller"),
      Part(PolicyStatusController.self, "validatingadmissionpolicy-status-controller"),
      // What the cloud or the API server does themselves, or needs the cluster's keys.
      Part(TokenController.self), Part(CertificateController.self), Part(CloudNodeController.self),
      Part(APIServiceController.self),
    ]
  }
}
