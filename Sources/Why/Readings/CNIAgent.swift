import Evidence
import Mechanisms
import Wire

/// The `aws-node` pod of a node, and whose permissions its EC2 calls use.
struct CNIAgent: Sendable {
  enum Identity: Sendable {
    case nodeRole
    case serviceAccountRole
    case podIdentity
  }

  var pod: JSON
  var identity: Identity
  var roleARN: Fact<String>
  var evidence: [Exhibit]

  /// Whether it serves a node of an IPv6 cluster.
  var isIPv6: Bool { PoolSettings.read(awsNode: pod).value?.withIPv6 == true }
}

extension Investigation {
  /// The pod of `aws-node` on a node.
  func cniPod(on node: String) async -> Found {
    let found = await list(.pods, namespace: "kube-system", fields: ["spec.nodeName": node])
    return Found(
      items: found.items.filter { $0["metadata"]["labels"]["k8s-app"].string == "aws-node" }, gap: found.gap,
      at: found.at)
  }

  /// The role behind the EC2 calls of a node's `aws-node`: its service account's, Pod Identity's, else the node's.
  func cniAgent(_ pod: JSON, node: String) async -> CNIAgent {
    let name = pod["metadata"]["name"].string ?? ""
    let container = pod["spec"]["containers"].items.first { $0["name"].string == "aws-node" } ?? .null
    let environment = container["env"].items
    func value(_ variable: String) -> String? {
      environment.first { $0["name"].string == variable }?["value"].string
    }
    if let arn = value("AWS_ROLE_ARN") {
      let citation = Cite.object(
        pod, "Pod", resource: .pods, field: "env AWS_ROLE_ARN", value: arn, at: now)
      return CNIAgent(
        pod: pod, identity: .serviceAccountRole, roleARN: .known(arn, .read(citation)), evidence: [Exhibit(citation)])
    }
    if value("AWS_CONTAINER_CREDENTIALS_FULL_URI") != nil, let cluster = target.cluster {
      let account = pod["spec"]["serviceAccountName"].string ?? "aws-node"
      let found = await aws(
        .listPodIdentityAssociations, ["clusterName": cluster],
        filters: ["namespace": ["kube-system"], "serviceAccount": [account]])
      if let gap = found.gap { return CNIAgent(pod: pod, identity: .podIdentity, roleARN: .unknown(gap), evidence: []) }
      if let id = found.first?["associationId"].string {
        let described = await aws(
          .describePodIdentityAssociation, ["associationId": id, "clusterName": cluster])
        let arn: Fact<String>
        if let role = described.first?["roleArn"].string {
          arn = .known(
            role, .read(Cite.aws(.describePodIdentityAssociation, id, field: "roleArn", value: role, at: described.at)))
        } else {
          arn = .unknown(described.gap ?? Gap(read: "eks:DescribePodIdentityAssociation \(id)", why: "no role in it"))
        }
        return CNIAgent(
          pod: pod, identity: .podIdentity, roleARN: arn, evidence: [arn.citation].compactMap { $0 }.map { Exhibit($0) }
        )
      }
    }
    let object = await self.node(node).first
    let id = object.flatMap { NodeState($0).instanceID } ?? node
    let role = await role(ofNode: object, instance: id)
    let note = Exhibit(
      Cite.object(pod, "Pod", resource: .pods, field: "env", value: "no AWS_ROLE_ARN", at: now),
      text: "k8s pods/kube-system/\(name): no role of its own in its environment, so the node's is used")
    return CNIAgent(pod: pod, identity: .nodeRole, roleARN: role.arn, evidence: [note] + role.evidence)
  }
}
