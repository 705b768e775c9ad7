import Containers
import Mechanisms
import Wire
import World

/// Resources of containers that run, changed in place. What a pod was given last stands in its status.
///
/// Source: kubernetes `pkg/kubelet/allocation`, `pkg/kubelet/kuberuntime/kuberuntime_manager.go`.
extension Kubelet {
  /// Kubelets tell resources and change them in place since 1.33.
  private var resizesInPlace: Bool {
    let parts = identity.kubeletVersion.split(separator: ".")
    return parts.count > 1 && (Int(parts[1]) ?? 0) >= 33
  }

  private func given(_ name: String, _ pod: ObjectView) -> JSON {
    (pod.status["containerStatuses"].items + pod.status["initContainerStatuses"].items)
      .first { $0["name"].string == name }?["resources"] ?? .null
  }

  /// Whether a pod's containers are to have other resources than they were given.
  private func wantsResize(_ pod: ObjectView) -> Bool {
    pod.spec["containers"].items.contains { spec in
      let given = given(spec["name"].string ?? "", pod)
      return !given.isNull && given != spec["resources"]
    }
  }

  /// Why the resources that are asked for cannot be given now; nil when they can.
  func resizeFault(_ pod: ObjectView, _ context: Context) -> Refusal? {
    guard wantsResize(pod), let node = read("nodes", "", identity.nodeName, context) else { return nil }
    let offer = NodeOffer(node: node.json)
    let needs = PodNeeds(pod: pod.json)
    var use = NodeUse()
    for record in pods.values where record.uid != pod.uid {
      guard let other = read("pods", record.namespace, record.name, context), !other.isPodFinished else { continue }
      use.add(PodNeeds(pod: other.json))
    }
    for name in ["cpu", "memory"] {
      func amount(_ milli: Int64) -> Int64 { name == "cpu" ? milli : milli / 1000 }
      let asked = needs.requests[name] ?? 0
      let used = use.requested[name] ?? 0
      let capacity = offer.allocatable[name] ?? 0
      if asked > capacity {
        return Refusal(
          reason: "Infeasible",
          message:
            "Node didn't have enough capacity: \(name), requested: \(amount(asked)), capacity: \(amount(capacity))")
      }
      if asked + used > capacity {
        return Refusal(
          reason: "Deferred",
          message:
            "Node didn't have enough resource: \(name), requested: \(amount(asked)), used: \(amount(used)), capacity: \(amount(capacity))"
        )
      }
    }
    return nil
  }

  /// What a container has: what its spec says, or what it was given as long as that cannot be.
  func resources(of container: ContainerRecord, _ pod: ObjectView) -> JSON {
    guard !container.id.isEmpty, resizesInPlace else { return .null }
    let given = given(container.name, pod)
    let wanted = spec(of: container.name, pod)["resources"]
    let shown = container.keepsResources == true && !given.isNull ? given : wanted
    return shown.fields.isEmpty ? .null : shown
  }

  /// Gives containers what their spec asks for by now; one whose policy wants it is started anew.
  mutating func resize(_ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context) {
    guard wantsResize(pod) else {
      for index in record.containers.indices { record.containers[index].keepsResources = nil }
      return
    }
    let isHeld = resizeFault(pod, context) != nil
    for index in record.containers.indices {
      // One that is started anew for it has its own until then.
      let isEnding = record.containers[index].wasToldToStop && record.containers[index].keepsResources == true
      record.containers[index].keepsResources = isHeld || isEnding ? true : nil
    }
    // Whoever was put off is looked at again.
    if isHeld { return turn.at(context.now + .seconds(60), quietly: true) }
    for index in record.containers.indices where record.containers[index].isRunning {
      let container = record.containers[index]
      let spec = spec(of: container.name, pod)
      let given = given(container.name, pod)
      guard !given.isNull, given != spec["resources"], !container.wasToldToStop else { continue }
      let changed = ["cpu", "memory"].filter { name in
        ["requests", "limits"].contains { given[$0][name] != spec["resources"][$0][name] }
      }
      let restarts = spec["resizePolicy"].items.contains {
        $0["restartPolicy"].string == "RestartContainer" && changed.contains($0["resourceName"].string ?? "")
      }
      if restarts {
        record.containers[index].keepsResources = true
        let grace = pod.spec["terminationGracePeriodSeconds"].int ?? 30
        stop(
          &record, index, pod, grace: grace, context, why: "Container \(container.name) resize requires restart")
        goOnStopping(&record, pod, &turn, context)
      } else {
        limitMemory(&record.containers[index], plan(of: container.name, pod), pod, context)
      }
    }
    endContainers(&record, pod, &turn, context)
  }
}
