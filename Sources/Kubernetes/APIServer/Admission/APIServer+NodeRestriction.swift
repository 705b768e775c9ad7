import Mechanisms
import Wire
import World

extension APIServer {
  /// Judges what a node writes (`plugin/pkg/admission/noderestriction`).
  func restrictNode(_ object: JSON, _ request: AdmissionRequest) throws(KubeStatus) {
    let access = request.exchange.access
    guard access.groups.contains("system:nodes"), request.operation != .connect else { return }
    let operation: NodeRestriction.Operation =
      switch request.operation {
      case .create: .create
      case .update: .update
      case .delete: .delete
      case .connect: .update
      }
    var boundPod = JSON.null
    var audiences: [String] = []
    if request.isFor("serviceaccounts", "token"), let name = object["spec"]["boundObjectRef"]["name"].string,
      !name.isEmpty
    {
      guard let pod = read("pods", request.namespace, name) else {
        throw .notFound(GroupName(group: "", name: "pods"), name)
      }
      boundPod = pod
      audiences = tokenAudiences(of: pod, object["spec"]["audiences"].strings, request)
    }
    var ownNode = JSON.null
    if case .node(let name) = NodeIdentity(username: access.username, groups: access.groups) {
      ownNode = read("nodes", "", name) ?? .null
    }
    let verdict = NodeRestriction.decide(
      .init(
        request: .known(access), operation: .known(operation), object: .known(object),
        oldObject: .known(request.old ?? .null), boundPod: .known(boundPod), ownNode: .known(ownNode),
        audiences: .known(audiences)))
    guard !verdict.isYes else { return }
    throw request.refused(verdict.reasons.last?.text ?? "")
  }

  /// The audiences for which a node may ask for a pod's tokens: those of the pod's projected volumes, those that the
  /// CSI drivers of its volumes ask for, and what the node may ask for by `request-serviceaccounts-token-audience`.
  private func tokenAudiences(of pod: JSON, _ asked: [String], _ request: AdmissionRequest) -> [String] {
    var audiences = NodeReferences.audiences(of: pod)
    for volume in pod["spec"]["volumes"].items {
      var driver = volume["csi"]["driver"].string
      var claim = volume["persistentVolumeClaim"]["claimName"].string
      if !volume["ephemeral"].isNull {
        claim = "\(pod["metadata"]["name"].string ?? "")-\(volume["name"].string ?? "")"
      }
      if let claim, let bound = read("persistentvolumeclaims", request.namespace, claim)?["spec"]["volumeName"].string {
        driver = read("persistentvolumes", "", bound)?["spec"]["csi"]["driver"].string
      }
      guard let driver, let object = read("csidrivers.storage.k8s.io", "", driver) else { continue }
      audiences += object["spec"]["tokenRequests"].items.map { $0["audience"].string ?? "" }
    }
    let user = request.exchange.user!
    for audience in asked where !audiences.contains(audience) {
      let access = AccessRequest(
        username: user.name, groups: user.groups, verb: "request-serviceaccounts-token-audience", group: "",
        resource: audience, namespace: request.namespace, name: request.name)
      if decide(access, user).isAllowed { audiences.append(audience) }
    }
    return audiences
  }
}
