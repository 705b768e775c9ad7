import Evidence
import Mechanisms
import Wire

/// A line in which a program says that somebody else failed it: AWS or the API server refused a call, it got no
/// credentials, no address for a name or no connection. What stands behind it is asked on.
struct ContainerComplaint: Sendable {
  var line: String
  /// `AWS refuses it s3:PutObject`.
  var statement: String
  var causes: [Explanation.Cause]

  /// Nil for a line that complains of nothing that can be asked on.
  init?(_ line: String, of pod: Entity) {
    guard let symptom = Symptom(line) else { return nil }
    self.line = line
    let namespace = pod.namespace ?? "default"
    func cause(_ kind: Effect.Kind, _ entity: Entity, _ detail: String = "") -> [Explanation.Cause] {
      [.init(Effect(kind, entity, detail: detail))]
    }
    switch symptom {
    case .denied(_, let action, let resource, _, _):
      let asked = AccessAsked(.pod(namespace: namespace, name: pod.name), .aws(action: action, resource: resource))
      statement = "AWS refuses it \(action)"
      causes = cause(.awsAccess, pod, asked.detail)
    case .forbidden(let username, let deed):
      let asked = AccessAsked(Principal(username: username), .kubernetes(deed))
      statement = "the API server refuses it to \(deed.text)"
      causes = cause(.kubernetesAccess, asked.principal.entity, asked.detail)
    case .webIdentity, .podIdentity, .noCredentials:
      statement = "it gets no AWS credentials"
      causes = cause(.podCredentials, pod)
    case .invalidToken:
      statement = "AWS doesn't know its credentials"
      causes = [.init(Effect(.tokenOfNobody, pod), deciding: false)] + cause(.podCredentials, pod)
    case .oldSDK:
      statement = "its SDK can't take credentials of EKS Pod Identity"
      causes = cause(.oldSDK, pod)
    case .unresolved(let name):
      statement = "it gets no address for \(name)"
      causes = cause(.nameLookup, Entity("Name", name, namespace: namespace), pod.name)
    case .noConnection(let host, let port, let isSilence):
      statement = "it gets no connection to \(host):\(port)"
      causes = cause(.hostUnreached, pod, "\(host):\(port)\(isSilence ? HostUnreached.silence : "")")
    case .unauthorized, .console, .thumbprint, .nodesMissing, .servingCertificate, .updateFailed, .unreachable,
      .clusterNotMade, .interrupted, .noAddress, .nodeUnreached, .noMachine:
      return nil
    }
  }

  func exhibit(_ log: ContainerLog) -> Exhibit {
    var exhibit = log.evidence.last ?? Exhibit(Citation(source: "kubernetes", locator: "log"))
    exhibit.citation.value = line
    exhibit.text = "its log: \(Ages.shortened(line, 300))"
    return exhibit
  }
}
