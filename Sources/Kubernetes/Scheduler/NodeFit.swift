import Wire
import World

/// Whether a pod may run on a node, and in upstream's words why not.
enum NodeFit {
  /// One reason of a node that does not fit; `isHelpable` when removing other pods could change it.
  struct Misfit: Equatable {
    var text: String
    var isHelpable: Bool
  }

  /// What is used of a node by the pods on it.
  struct Usage {
    var cpu = 0
    var memory = 0
    var pods = 0
    var ports: Set<String> = []
    var podsThere: [ObjectView] = []

    mutating func add(_ pod: ObjectView) {
      let request = Requests(pod)
      cpu += request.cpu
      memory += request.memory
      pods += 1
      ports.formUnion(NodeFit.hostPorts(pod))
      podsThere.append(pod)
    }
  }

  /// What a pod asks for: millicores and bytes.
  struct Requests {
    var cpu = 0
    var memory = 0

    init(_ pod: ObjectView) {
      func amount(_ container: JSON, _ name: String) -> Int {
        let requests = container["resources"]["requests"]
        let value = requests[name].isNull ? container["resources"]["limits"][name] : requests[name]
        return Amount.milli(value)
      }
      let containers = pod.spec["containers"].items
      var sums = (cpu: 0, memory: 0)
      for container in containers {
        sums.cpu += amount(container, "cpu")
        sums.memory += amount(container, "memory") / 1000
      }
      var sidecars = (cpu: 0, memory: 0)
      var peak = (cpu: 0, memory: 0)
      for container in pod.spec["initContainers"].items {
        let (cpu, memory) = (amount(container, "cpu"), amount(container, "memory") / 1000)
        if container["restartPolicy"].string == "Always" {
          sidecars.cpu += cpu
          sidecars.memory += memory
        } else {
          peak.cpu = max(peak.cpu, cpu + sidecars.cpu)
          peak.memory = max(peak.memory, memory + sidecars.memory)
        }
      }
      cpu = max(sums.cpu + sidecars.cpu, peak.cpu) + Amount.milli(pod.spec["overhead"]["cpu"])
      memory = max(sums.memory + sidecars.memory, peak.memory) + Amount.milli(pod.spec["overhead"]["memory"]) / 1000
    }
  }

  /// Ports of the host that a pod takes, as `address/protocol/port`.
  static func hostPorts(_ pod: ObjectView) -> [String] {
    pod.spec["containers"].items.flatMap { container in
      container["ports"].items.compactMap { port in
        guard let number = port["hostPort"].int, number > 0 else { return nil }
        return "\(port["hostIP"].string ?? "0.0.0.0")/\(port["protocol"].string ?? "TCP")/\(number)"
      }
    }
  }

  /// The misfits of the first filter that refuses the node; none when it fits.
  static func misfits(
    _ pod: ObjectView, _ node: ObjectView, _ usage: Usage, nodes: [ObjectView], usages: [String: Usage]
  ) -> [Misfit] {
    if let static_ = staticMisfit(pod, node) { return [static_] }
    let wanted = hostPorts(pod)
    if wanted.contains(where: usage.ports.contains) {
      return [Misfit(text: "node(s) didn't have free ports for the requested pod ports", isHelpable: true)]
    }
    let resources = resourceMisfits(pod, node, usage)
    if !resources.isEmpty { return resources }
    if let spread = TopologyFit.spreadMisfit(pod, node, nodes: nodes, usages: usages) { return [spread] }
    if let affinity = TopologyFit.affinityMisfit(pod, node, nodes: nodes, usages: usages) { return [affinity] }
    return []
  }

  /// What no other pod can change: name, unschedulable, taints, affinity.
  static func staticMisfit(_ pod: ObjectView, _ node: ObjectView) -> Misfit? {
    let tolerations = pod.spec["tolerations"].items
    if node.spec["unschedulable"].bool == true {
      let taint: JSON = ["key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"]
      if !tolerations.contains(where: { Toleration.tolerates($0, taint) }) {
        return Misfit(text: "node(s) were unschedulable", isHelpable: false)
      }
    }
    if let name = pod.spec["nodeName"].string, !name.isEmpty, name != node.name {
      return Misfit(text: "node(s) didn't match the requested node name", isHelpable: false)
    }
    for taint in node.spec["taints"].items where ["NoSchedule", "NoExecute"].contains(taint["effect"].string ?? "") {
      if !tolerations.contains(where: { Toleration.tolerates($0, taint) }) {
        let key = taint["key"].string ?? ""
        return Misfit(
          text: "node(s) had untolerated taint {\(key): \(taint["value"].string ?? "")}", isHelpable: false)
      }
    }
    if !matchesAffinity(pod, node) {
      return Misfit(text: "node(s) didn't match Pod's node affinity/selector", isHelpable: false)
    }
    return nil
  }

  static func matchesAffinity(_ pod: ObjectView, _ node: ObjectView) -> Bool {
    guard LabelSelector(matchLabels: pod.spec["nodeSelector"]).matches(node.labels) else { return false }
    let required = pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    guard !required.isNull else { return true }
    return required["nodeSelectorTerms"].items.contains { matches(term: $0, node) }
  }

  /// One term of a node affinity: all its expressions over labels and fields.
  static func matches(term: JSON, _ node: ObjectView) -> Bool {
    let expressions = term["matchExpressions"].items
    let fields = term["matchFields"].items
    guard !expressions.isEmpty || !fields.isEmpty else { return false }
    return expressions.allSatisfy { holds($0) { node.labels[$0].string } }
      && fields.allSatisfy { holds($0) { $0 == "metadata.name" ? node.name : nil } }
  }

  private static func holds(_ expression: JSON, _ value: (String) -> String?) -> Bool {
    let key = expression["key"].string ?? ""
    let values = expression["values"].strings
    typealias Requirement = LabelSelector.Requirement
    let op: Requirement.Operator
    switch expression["operator"].string ?? "" {
    case "In": op = .in
    case "NotIn": op = .notIn
    case "Exists": op = .exists
    case "DoesNotExist": op = .doesNotExist
    case "Gt": op = .greaterThan
    case "Lt": op = .lessThan
    default: return false
    }
    return Requirement(key: key, op: op, values: values).matches(value)
  }

  private static func resourceMisfits(_ pod: ObjectView, _ node: ObjectView, _ usage: Usage) -> [Misfit] {
    let room = node.status["allocatable"]
    var misfits: [Misfit] = []
    if let most = room["pods"].string.flatMap({ Int($0) }) ?? room["pods"].int, usage.pods + 1 > most {
      misfits.append(Misfit(text: "Too many pods", isHelpable: true))
    }
    let request = Requests(pod)
    if request.cpu > 0, request.cpu > Amount.milli(room["cpu"]) - usage.cpu {
      misfits.append(Misfit(text: "Insufficient cpu", isHelpable: request.cpu <= Amount.milli(room["cpu"])))
    }
    let memory = Amount.milli(room["memory"]) / 1000
    if request.memory > 0, request.memory > memory - usage.memory {
      misfits.append(Misfit(text: "Insufficient memory", isHelpable: request.memory <= memory))
    }
    let others = Set(
      pod.spec["containers"].items.flatMap { $0["resources"]["requests"].fields.map(\.key) }
    ).subtracting(["cpu", "memory", "ephemeral-storage"])
    for name in others.sorted() {
      let wanted = pod.spec["containers"].items.reduce(0) { $0 + Amount.milli($1["resources"]["requests"][name]) }
      let taken = usage.podsThere.flatMap { $0.spec["containers"].items }
        .reduce(0) { $0 + Amount.milli($1["resources"]["requests"][name]) }
      if wanted > Amount.milli(room[name]) - taken {
        misfits.append(Misfit(text: "Insufficient \(name)", isHelpable: wanted <= Amount.milli(room[name])))
      }
    }
    return misfits
  }
}

/// Quantities as thousandths.
enum Amount {
  static func milli(_ json: JSON) -> Int {
    if let number = json.int { return number * 1000 }
    if let number = json.double { return Int(number * 1000) }
    guard let text = json.string else { return 0 }
    let digits = text.prefix { $0.isNumber || $0 == "." || $0 == "-" }
    guard let number = Double(digits) else { return 0 }
    let factors: [String: Double] = [
      "": 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "Ki": 1024, "Mi": 1_048_576,
      "Gi": 1_073_741_824, "Ti": 1_099_511_627_776,
    ]
    return Int((number * (factors[String(text.dropFirst(digits.count))] ?? 1) * 1000).rounded(.up))
  }
}
