import Evidence
import Mechanisms
import Wire

/// A CSI driver that a class or volume names is not in the cluster.
struct DriverNotInstalled: Link {
  let code = "storage/driver-not-installed"
  let explains: [Effect.Kind] = [.driverSilent, .storageClassUnusable]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let driver = StorageDriver(effect.entity.name)
    let found = await world.list(.csiDrivers)
    if let gap = found.gap { return .open([gap]) }
    let names = found.items.compactMap { $0["metadata"]["name"].string }.sorted()
    let exhibit = Exhibit(
      Citation(
        source: "kubernetes", locator: "csidrivers.storage.k8s.io", value: names.joined(separator: ", "), at: found.at),
      text: "k8s csidrivers: \(Count.list(names))")
    guard !names.contains(driver.name) else { return .refuted("\(driver.name) is installed", [exhibit]) }
    return .holds(
      Explanation(
        "the cluster has no CSI driver \(driver.name)", entity: effect.entity, evidence: [exhibit],
        root: RootCause(
          code, layer: .inCluster, entity: effect.entity,
          statement: "the CSI driver \(driver.name), which makes and attaches these volumes, is not installed",
          evidence: [exhibit], fixes: fixes(driver, effect, world))))
  }

  private func fixes(_ driver: StorageDriver, _ effect: Effect, _ world: Investigation) -> [Fix] {
    guard let addon = driver.addon, let cluster = world.target.cluster else {
      return [Fix("install the driver \(driver.name)", owner: "unknown", touches: ["csidriver/\(driver.name)"])]
    }
    let command = "--cluster-name \(Shell.quote(cluster)) --addon-name \(addon)\(world.target.awsOptions)"
    let claim = effect.detail.split(separator: "/").map(String.init)
    let verify =
      claim.count == 2 ? "ekswhy pvc/\(claim[1]) -n \(claim[0])" : "ekswhy addon/\(addon)"
    let policy = driver.policy.map { " (\($0))" } ?? ""
    return [
      Fix(
        "installs it as the EKS add-on \(addon); it needs a role that allows its calls\(policy), or it uses its node's",
        command: "aws eks create-addon \(command)", owner: "hand", touches: ["addon/\(addon)"],
        undo: "aws eks delete-addon \(command)", verify: verify, expectWithin: "3m")
    ]
  }
}

/// The controller of a CSI driver does not run.
struct DriverControllerDown: Link {
  let code = "storage/driver-controller-down"
  let explains: [Effect.Kind] = [.driverSilent]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let driver = StorageDriver(effect.entity.name)
    guard let name = driver.controller else { return .silent }
    let installed = await world.list(.csiDrivers)
    guard installed.items.contains(where: { $0["metadata"]["name"].string == driver.name }) else {
      return installed.gap.map { .open([$0]) } ?? .silent
    }
    let pods = await driver.pods(world)
    if let gap = pods.gap { return .open([gap]) }
    let states = pods.items.map(PodState.init).filter { !$0.isFinished }.sorted { $0.name < $1.name }
    if let ready = states.first(where: \.isReady) {
      return .refuted("its controller runs", [ready.exhibit(world.now)])
    }
    if let pod = states.first {
      return .holds(
        Explanation(
          "no pod of the driver's controller (\(name)) is Ready", entity: effect.entity,
          evidence: [pod.exhibit(world.now)], causes: [.init(pod.effect)]))
    }
    let deployment = await world.object(.deployments, namespace: "kube-system", name: name)
    if let gap = deployment.gap { return .open([gap]) }
    let replicas = deployment.first?["spec"]["replicas"].int
    let exhibit = Exhibit(
      Citation(
        source: "kubernetes", locator: "deployments.apps/kube-system/\(name)", field: "spec.replicas",
        value: replicas.map { "\($0)" } ?? "does not exist", at: deployment.at),
      text: "k8s deployments/kube-system/\(name): \(replicas.map { "\($0) replicas" } ?? "doesn't exist"), no pod")
    let fix =
      deployment.first == nil
      ? Fix(
        "install the driver whole\(driver.addon.map { " (EKS add-on \($0))" } ?? "")", owner: "unknown",
        touches: ["deployment/\(name)"])
      : Fix(
        "runs the controller again",
        command: "\(world.target.kubectl) -n kube-system scale deploy \(name) --replicas 2",
        owner: "hand", touches: ["deployment/\(name)"],
        undo: "\(world.target.kubectl) -n kube-system scale deploy \(name) --replicas \(replicas ?? 0)",
        expectWithin: "2m")
    return .holds(
      Explanation(
        "the driver's controller (\(name)) has no pod", entity: effect.entity, evidence: [exhibit],
        root: RootCause(
          code, layer: .inCluster, entity: Entity("Deployment", name, namespace: "kube-system"),
          statement: deployment.first == nil
            ? "there is no Deployment \(name), which makes and attaches the volumes of \(driver.name)"
            : "deployment/\(name), which makes and attaches the volumes of \(driver.name), has no pod: it asks for \(replicas ?? 0)",
          evidence: [exhibit], fixes: [fix])))
  }
}

/// The driver was refused a volume.
struct ProvisioningRefused: Link {
  let code = "storage/provisioning-refused"
  let explains: [Effect.Kind] = [.driverSilent]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let names = effect.detail.split(separator: "/").map(String.init)
    guard names.count == 2 else { return .silent }
    let found = await world.object(.persistentVolumeClaims, namespace: names[0], name: names[1])
    guard let claim = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let read = await world.events(about: claim, kind: "PersistentVolumeClaim")
    if let gap = read.gap { return .open([gap]) }
    guard let event = read.events.first(where: { $0.reason == "ProvisioningFailed" }) else { return .silent }
    let exhibit = event.exhibit(now: world.now)
    let entity = Entity("PersistentVolumeClaim", names[1], namespace: names[0])
    let driver = StorageDriver(effect.entity.name)
    if event.message.contains("no topology key found on CSINode") {
      let node = VolumeClaim(claim: claim).selectedNode
      return .holds(
        Explanation(
          "its volume can't be made: the driver is not on \(node), for which it is to be", entity: entity,
          evidence: [exhibit],
          causes: [.init(Effect(.driverNotOnNode, Entity("Node", node), detail: driver.name))],
          lastSymptomAt: event.last))
    }
    return await AWSRefusal(event.message).finding(
      "its volume can't be made", driver, entity, [exhibit], event.last, world)
  }
}

/// A driver's node plugin has not told the kubelet of a node about itself.
struct DriverNotOnNode: Link {
  let code = "storage/driver-not-on-node"
  let explains: [Effect.Kind] = [.driverNotOnNode]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let driver = StorageDriver(effect.detail)
    let node = effect.entity.name
    let csiNodes = await world.list(.csiNodes)
    if let gap = csiNodes.gap { return .open([gap]) }
    let names =
      csiNodes.items.first { $0["metadata"]["name"].string == node }?["spec"]["drivers"].items
      .compactMap { $0["name"].string } ?? []
    let exhibit = Exhibit(
      Citation(
        source: "kubernetes", locator: "csinodes.storage.k8s.io/\(node)", field: "spec.drivers",
        value: names.joined(separator: ", "), at: csiNodes.at),
      text: "k8s csinodes/\(node): drivers \(Count.list(names))")
    guard !names.contains(driver.name) else { return .refuted("\(driver.name) is on the node now", [exhibit]) }
    guard let plugin = driver.nodePlugin else {
      return .open([
        Gap(read: "the node plugin of \(driver.name)", why: "ekswhy does not know what this driver runs on nodes")
      ])
    }
    let pods = await driver.pods(on: node, world)
    if let gap = pods.gap { return .open([gap]) }
    if let pod = pods.items.map(PodState.init).first(where: { !$0.isFinished }) {
      let causes: [Explanation.Cause] = pod.isReady ? [] : [.init(pod.effect)]
      return .holds(
        Explanation(
          pod.isReady
            ? "its node plugin \(pod.name) runs, and has not registered yet"
            : "its node plugin \(pod.name) is not Ready",
          entity: effect.entity, evidence: [exhibit, pod.exhibit(world.now)], causes: causes))
    }
    let set = await world.object(.daemonSets, namespace: "kube-system", name: plugin)
    if let gap = set.gap { return .open([gap]) }
    let nodeRead = await world.node(node)
    guard let item = nodeRead.first else { return nodeRead.gap.map { .open([$0]) } ?? .silent }
    return .holds(
      Explanation(
        "no pod of its node plugin (\(plugin)) is on \(node)", entity: effect.entity, evidence: [exhibit],
        root: root(plugin, driver, set.first, item, node, exhibit, world)))
  }

  private func root(
    _ plugin: String, _ driver: StorageDriver, _ set: JSON?, _ item: JSON, _ node: String, _ exhibit: Exhibit,
    _ world: Investigation
  ) -> RootCause {
    func cause(_ code: String, _ statement: String, _ advice: String, command: String? = nil) -> RootCause {
      RootCause(
        code, layer: .inCluster, entity: Entity("DaemonSet", plugin, namespace: "kube-system"), statement: statement,
        evidence: [exhibit],
        fixes: [
          Fix(
            advice, command: command, owner: command == nil ? "unknown" : "hand", touches: ["daemonset/\(plugin)"],
            expectWithin: command == nil ? nil : "2m")
        ])
    }
    guard let set else {
      let add = driver.addon.flatMap { addon in
        world.target.cluster.map {
          "aws eks create-addon --cluster-name \(Shell.quote($0)) --addon-name \(addon)\(world.target.awsOptions)"
        }
      }
      return cause(
        "storage/driver-not-installed", "there is no DaemonSet \(plugin), the driver's part on nodes",
        "installs the driver", command: add)
    }
    let template = set["spec"]["template"]
    let pod = PodNeeds(pod: template)
    let taints = NodeOffer(node: item).taints
    if let taint = NodeFit.untolerated(taints, pod.tolerations) {
      return cause(
        "storage/driver-not-tolerant",
        "daemonset/\(plugin) does not tolerate the taint \(taint.described) of \(node), so the driver is not there",
        "add a toleration to the DaemonSet (of the EKS add-on: configuration value node.tolerateAllTaints true)")
    }
    return cause(
      "storage/driver-not-placed", "daemonset/\(plugin) puts no pod on \(node), by its node selector or affinity",
      "correct the node selector or affinity of the DaemonSet, or the labels of the node")
  }
}
