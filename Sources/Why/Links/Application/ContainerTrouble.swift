import Evidence
import Mechanisms
import Wire

/// An image can't be pulled.
struct ImageNotPulled: Link {
  let code = "application/image-not-pulled"
  let explains: [Effect.Kind] = [.podNotStarted, .podFails, .cniAgentBroken]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let words = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"]
    guard let container = PodState(pod).containers.first(where: { words.contains($0.waiting ?? "") }) else {
      return .silent
    }
    let spec = (pod["spec"]["containers"].items + pod["spec"]["initContainers"].items)
      .first { $0["name"].string == container.name }
    let image = spec?["image"].string ?? container.image
    let events = await world.events(about: pod, kind: "Pod").events
    let failure = events.first { $0.reason == "Failed" && $0.message.contains("pull") }
    let message = failure?.message ?? container.waitingMessage
    var evidence = [
      Exhibit(
        Cite.object(
          pod, "Pod", resource: .pods, field: "status.containerStatuses[\(container.name)].state.waiting",
          value: container.waiting ?? "", at: world.now),
        text:
          "k8s pods/\(effect.entity.namespace ?? "")/\(effect.entity.name): container \(container.name) is \(container.waiting ?? "")"
      )
    ]
    if let failure { evidence.append(failure.exhibit(now: world.now)) }
    let text = message.lowercased()
    let isMissing =
      ["not found", "manifest unknown", "name unknown"].contains { text.contains($0) }
      && !text.contains("no such host")
    let isInvalid = container.waiting == "InvalidImageName"
    var root: RootCause?
    var causes: [Explanation.Cause] = []
    if isMissing || isInvalid {
      root = RootCause(
        isInvalid ? "application/image-name-invalid" : "application/image-not-found", layer: .application,
        entity: effect.entity,
        statement: isInvalid ? "\(image) is no valid image name" : "its registry has no image \(image)",
        evidence: evidence,
        fixes: [
          Fix(
            "correct the image of container \(container.name) in what makes the pod, or push the image",
            owner: "unknown", touches: ["container/\(container.name)"], restarts: true,
            verify: "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")")
        ])
    } else {
      causes = [.init(Effect(.imagePullRefused, effect.entity))]
    }
    return .holds(
      Explanation(
        "the image \(image) of container \(container.name) can't be pulled", entity: effect.entity, evidence: evidence,
        causes: causes, root: root, lastSymptomAt: failure?.last))
  }
}

/// A container needs a ConfigMap or Secret that does not exist.
struct ConfigMissing: Link {
  let code = "application/config-missing"
  let explains: [Effect.Kind] = [.podNotStarted, .podFails]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    let waits = state.containers.contains {
      $0.waiting == "CreateContainerConfigError" || $0.waiting == "ContainerCreating" || $0.waiting == "PodInitializing"
    }
    guard waits else { return .silent }
    var gaps: [Gap] = []
    for reference in ConfigReference.all(in: pod) {
      let resource: KubernetesResource = reference.kind == "ConfigMap" ? .configMaps : .secrets
      let read = await world.object(resource, namespace: effect.entity.namespace, name: reference.name)
      if let gap = read.gap {
        gaps.append(gap)
        continue
      }
      guard read.first == nil else { continue }
      let thing = Entity(reference.kind, reference.name, namespace: effect.entity.namespace)
      let exhibit = Exhibit(
        Citation(
          source: "kubernetes", locator: "\(resource.fileName)/\(effect.entity.namespace ?? "")/\(reference.name)",
          value: "does not exist", at: read.at),
        text: "k8s \(resource.fileName)/\(effect.entity.namespace ?? "")/\(reference.name) doesn't exist")
      let root = RootCause(
        "application/config-not-found", layer: .application, entity: thing,
        statement:
          "\(thing.title) doesn't exist in namespace \(effect.entity.namespace ?? "default"), and the pod needs it (\(reference.place))",
        evidence: [exhibit],
        fixes: [
          Fix(
            "create \(thing.title), or mark the reference as optional; the kubelet tries again by itself",
            owner: "unknown",
            touches: [thing.title], verify: "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")",
            expectWithin: "2m")
        ])
      return .holds(
        Explanation(
          "it waits for \(thing.title)", entity: effect.entity, evidence: [state.exhibit(world.now)], root: root))
    }
    return gaps.isEmpty ? .silent : .open(gaps)
  }
}

/// ConfigMaps and Secrets that a pod can't start without.
struct ConfigReference {
  var kind: String
  var name: String
  var place: String

  static func all(in pod: JSON) -> [ConfigReference] {
    var found: [ConfigReference] = []
    func add(_ kind: String, _ name: String?, optional: Bool?, _ place: String) {
      guard let name, optional != true, !found.contains(where: { $0.kind == kind && $0.name == name }) else { return }
      found.append(ConfigReference(kind: kind, name: name, place: place))
    }
    for volume in pod["spec"]["volumes"].items {
      let place = "volume \(volume["name"].string ?? "")"
      add("ConfigMap", volume["configMap"]["name"].string, optional: volume["configMap"]["optional"].bool, place)
      add("Secret", volume["secret"]["secretName"].string, optional: volume["secret"]["optional"].bool, place)
      for source in volume["projected"]["sources"].items {
        let map = source["configMap"]
        // kube-root-ca.crt is written into every namespace by the controller manager.
        add("ConfigMap", map["name"].string, optional: map["optional"].bool, place)
        add("Secret", source["secret"]["name"].string, optional: source["secret"]["optional"].bool, place)
      }
    }
    for container in pod["spec"]["initContainers"].items + pod["spec"]["containers"].items {
      let place = "container \(container["name"].string ?? "")"
      for source in container["envFrom"].items {
        add(
          "ConfigMap", source["configMapRef"]["name"].string, optional: source["configMapRef"]["optional"].bool, place)
        add("Secret", source["secretRef"]["name"].string, optional: source["secretRef"]["optional"].bool, place)
      }
      for variable in container["env"].items {
        let from = variable["valueFrom"]
        add(
          "ConfigMap", from["configMapKeyRef"]["name"].string, optional: from["configMapKeyRef"]["optional"].bool, place
        )
        add("Secret", from["secretKeyRef"]["name"].string, optional: from["secretKeyRef"]["optional"].bool, place)
      }
    }
    return found
  }
}

/// No node takes a pod.
struct Unschedulable: Link {
  let code = "scheduling/unschedulable"
  let explains: [Effect.Kind] = [.podUnschedulable]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let condition = PodState(pod).condition("PodScheduled")
    let message = condition["message"].string ?? ""
    guard condition["status"].string == "False", !message.isEmpty, !FargatePod(pod).isFargates else { return .silent }
    // It has a node already, and waits there for its volumes.
    if message.contains("running PreBind plugin \"VolumeBinding\"") { return .silent }
    let exhibit = Exhibit(
      Cite.object(
        pod, "Pod", resource: .pods, field: "status.conditions[PodScheduled].message", value: message,
        at: condition["lastTransitionTime"].time),
      text:
        "k8s pods/\(effect.entity.namespace ?? "")/\(effect.entity.name), PodScheduled False: \"\(Ages.shortened(message, 240))\""
    )
    let nodes = await world.list(.nodes)
    if let gap = nodes.gap { return .open([gap]) }
    let broken = nodes.items.map(NodeState.init).filter { !$0.isReady }
    // Where all machines are Fargate's, it is for a profile to take the pod.
    let isFargateOnly = nodes.items.allSatisfy { $0["metadata"]["name"].string?.hasPrefix("fargate-") == true }
    if isFargateOnly {
      let profiles = await world.fargateProfiles()
      if let gap = profiles.gap { return .open([gap]) }
      if profiles.value?.isEmpty == false { return .silent }
    }
    if nodes.items.isEmpty {
      return .holds(
        Explanation(
          "the cluster has no node", entity: effect.entity, evidence: [exhibit],
          causes: [.init(Effect(.noNodes, Entity("Cluster", world.target.cluster ?? "")))]))
    }
    if broken.count == nodes.items.count {
      return .holds(
        Explanation(
          "no node is Ready: \(Count.of(broken.count, "node")), all NotReady", entity: effect.entity,
          evidence: [exhibit],
          causes: broken.prefix(2).map { .init(Effect(.nodeNotReady, Entity("Node", $0.name))) }))
    }
    return .holds(
      Explanation(
        "none of the \(Count.of(nodes.items.count, "node")) takes it", entity: effect.entity, evidence: [exhibit],
        causes: [.init(Effect(.noNodeFits, effect.entity))]))
  }
}
