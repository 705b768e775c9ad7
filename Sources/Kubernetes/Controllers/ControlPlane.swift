package import World

/// The controllers and the scheduler of a cluster, as components of the world.
package enum ControlPlane {
  /// Makes the kinds of component known; once for each world, before it is restored.
  package static func know(in world: World) {
    for part in parts { part.know(world) }
    world.know(Scheduler.self)
  }

  /// Starts the control plane of a cluster whose API server is there.
  package static func start(_ facts: ClusterFacts, in world: World) {
    for part in parts { part.start(facts, world) }
    world.spawn(Scheduler.id(facts.id), Scheduler(facts))
  }

  /// Stops it for good.
  package static func stop(cluster: String, in world: World) {
    for part in parts { part.stop(cluster, world) }
    world.kube.host?.unwatch(cluster: cluster, component: Scheduler.id(cluster))
    world.stop(Scheduler.id(cluster))
  }

  private struct Part {
    var know: (World) -> Void
    var start: (ClusterFacts, World) -> Void
    var stop: (String, World) -> Void

    init<R: Reconciler>(_ type: R.Type) {
      know = { $0.know(Controller<R>.self) }
      start = { facts, world in world.spawn(Controller<R>.id(facts.id), Controller<R>(facts)) }
      stop = { cluster, world in
        world.kube.host?.unwatch(cluster: cluster, component: Controller<R>.id(cluster))
        world.stop(Controller<R>.id(cluster))
      }
    }
  }

  private static var parts: [Part] {
    [
      Part(ReplicaSetController.self), Part(DeploymentController.self), Part(EndpointSliceController.self),
      Part(EndpointsController.self), Part(ServiceAccountController.self), Part(TokenController.self),
      Part(CertificateCleaner.self), Part(RootCAPublisher.self),
      Part(NamespaceController.self), Part(GarbageCollector.self), Part(PodGarbageCollector.self),
      Part(NodeLifecycleController.self), Part(TaintEvictionController.self), Part(CertificateController.self),
      Part(CloudNodeController.self), Part(DaemonSetController.self), Part(StatefulSetController.self),
      Part(JobController.self), Part(TTLAfterFinishedController.self), Part(CronJobController.self),
      Part(ReplicationController.self),
      Part(EndpointSliceMirroringController.self), Part(ClusterRoleAggregationController.self),
      Part(DisruptionController.self), Part(PersistentVolumeController.self),
      Part(ClaimProtectionController.self), Part(VolumeProtectionController.self),
      Part(EphemeralVolumeController.self), Part(AttachDetachController.self), Part(ResourceQuotaController.self),
      Part(ServiceCIDRController.self),
    ]
  }
}
