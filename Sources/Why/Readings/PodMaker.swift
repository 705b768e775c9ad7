import Evidence
import Mechanisms
import Wire

/// What makes a pod: the controller at the top of its owners, in whose template a lasting change is made.
struct PodMaker: Sendable {
  var entity: Entity
  var resource: KubernetesResource
  /// The controller as it was read; the pod itself where nothing makes it.
  var object: JSON
  var owner: FieldOwner

  static func of(_ pod: JSON, _ world: Investigation) async -> PodMaker {
    var maker = PodMaker(
      entity: Entity("Pod", pod["metadata"]["name"].string ?? "", namespace: pod["metadata"]["namespace"].string),
      resource: .pods, object: pod, owner: FieldOwner(owner: .hand, evidence: []))
    for _ in 0..<3 {
      let reference = maker.object["metadata"]["ownerReferences"].items.first { $0["controller"].bool == true }
      let first = reference ?? maker.object["metadata"]["ownerReferences"][0]
      guard let kind = first["kind"].string, let name = first["name"].string else { break }
      maker.entity = Entity(kind, name, namespace: maker.entity.namespace)
      guard let resource = PodMaker.kinds.first(where: { $0.kind == kind }) else {
        maker.object = .null
        maker.owner = FieldOwner(
          owner: .unknown(Gap(read: maker.entity.title, why: "ekswhy doesn't know its kind")), evidence: [])
        return maker
      }
      maker.resource = resource
      let found = await world.object(resource, namespace: maker.entity.namespace, name: name)
      guard let object = found.first else {
        let gap = found.gap ?? Gap(read: "kubernetes:get \(resource.fileName)/\(name)", why: "it is gone")
        maker.object = .null
        maker.owner = FieldOwner(owner: .unknown(gap), evidence: [])
        return maker
      }
      maker.object = object
    }
    maker.owner = FieldOwner.shown(by: maker.object, maker.resource, at: world.now)
    return maker
  }

  private static let kinds: [KubernetesResource] = [
    .replicaSets, .deployments, .daemonSets, .statefulSets, .jobs, .cronJobs,
  ]

  /// Where the pod's spec stands in it; nil where it can't be changed in place.
  var specPath: String? {
    switch resource {
    case .deployments, .daemonSets, .statefulSets, .replicaSets: "/spec/template/spec"
    case .cronJobs: "/spec/jobTemplate/spec/template/spec"
    default: nil
    }
  }

  var spec: JSON {
    switch resource {
    case .pods: object["spec"]
    case .cronJobs: object["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    default: object["spec"]["template"]["spec"]
    }
  }

  /// The path of a container in it: `/spec/template/spec/containers/0`.
  func path(container name: String, isInit: Bool) -> String? {
    let list = isInit ? "initContainers" : "containers"
    guard let specPath, let at = spec[list].items.firstIndex(where: { $0["name"].string == name }) else { return nil }
    return "\(specPath)/\(list)/\(at)"
  }

  /// A change of it by a JSON patch; a statement alone where somebody else would undo that, or nothing can be patched.
  func fix(_ statement: String, patch: [JSON]?, undo: [JSON]? = nil, verify: String, _ world: Investigation) -> Fix {
    let title = entity.title
    // The pod asked about may be gone once it is made anew.
    let verify =
      resource == .pods ? verify : "ekswhy \(title)\(entity.namespace.map { " -n \($0)" } ?? "")"
    func plain(_ text: String, _ owner: String) -> Fix {
      Fix(text, owner: owner, touches: [title], restarts: true, verify: verify)
    }
    switch owner.owner {
    case .helm(let release):
      return plain("\(statement): in the values of Helm release \(release), and upgrade it", "helm")
    case .gitOps(let tool):
      return plain(
        "\(statement): in the repository that \(tool) applies; it would undo a change by hand", "gitops")
    case .unknown, .addon: return plain("\(statement), in \(title)", "unknown")
    case .hand: break
    }
    guard specPath != nil else {
      return plain(
        resource == .pods
          ? "\(statement): nothing makes this pod anew, so delete it and create it so"
          : "\(statement): its pods can't be changed, so delete \(title) and create it so", "hand")
    }
    guard let patch else { return plain("\(statement), in \(title)", "hand") }
    func command(_ patch: [JSON]) -> String {
      "\(world.target.kubectl) -n \(entity.namespace ?? "default") patch \(title) --type=json -p \(Shell.quote(JSON.array(patch).text()))"
    }
    return Fix(
      statement, command: command(patch), owner: "hand", touches: [title], restarts: true, undo: undo.map(command),
      verify: verify, expectWithin: "2m")
  }
}

extension JSON {
  /// One step of a JSON patch.
  static func step(_ op: String, _ path: String, _ value: JSON? = nil) -> JSON {
    var step: JSON = ["op": .string(op), "path": .string(path)]
    if let value { step["value"] = value }
    return step
  }
}
