import Evidence
import Mechanisms
import Wire

/// Requests of kubelets for serving certificates that nobody approves, because whoever asked is no node.
struct ServingCertificates: Link {
  let code = "identity/serving-certificates"
  let explains: [Effect.Kind] = [.servingCertificates]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.list(.csrs)
    if let gap = found.gap { return .open([gap]) }
    let pending = found.items.filter {
      $0["spec"]["signerName"].string == KubeletCSR.signer && KubeletCSR.condition(csr: $0) == "Pending"
    }
    let strange = pending.filter { $0["spec"]["username"].string?.hasPrefix("system:node:") != true }
    guard let csr = strange.first else {
      guard let first = pending.first else { return .refuted("no request for a serving certificate is pending", []) }
      // Those of hybrid nodes are another link's.
      let name = (first["spec"]["username"].string ?? "").dropFirst("system:node:".count)
      let node = await world.node(String(name)).first ?? .null
      if KubeletCSR.Hybrid(node: node, name: String(name), cluster: .null) != nil { return .silent }
      return .open([
        Gap(
          read: "why certificate signing request \(first["metadata"]["name"].string ?? "") waits",
          why: "it was asked for by the node itself, as it should be",
          how: "\(world.target.kubectl) describe csr; the events of EKS's approver are in the audit log")
      ])
    }
    let user = csr["spec"]["username"].string ?? ""
    var evidence = [
      Exhibit(
        Cite.object(
          csr, "CertificateSigningRequest", resource: .csrs, field: "spec.username", value: user, at: found.at)
      )
    ]
    let map = await world.object(.configMaps, namespace: "kube-system", name: "aws-auth")
    if let gap = map.gap { return .open([gap]) }
    let auth = AWSAuth(configMap: map.first, parseYAML: YAML.parse)
    guard let line = auth.roles.last(where: { $0.username == user }) else {
      return .open([
        Gap(
          read: "who user \(user) is", why: "aws-auth gives nobody this name",
          how: "read the access entries of the cluster")
      ])
    }
    evidence.append(
      Exhibit(
        Citation(
          source: "kubernetes", locator: "configmaps/kube-system/aws-auth", field: line.place,
          value: "\(line.arn) is \(line.username)", at: map.at)))
    let twin = auth.roles.first { $0 != line && $0.arn.lowercased() == line.arn.lowercased() }
    let kept = auth.roles.filter { $0 != line }
    let items: [JSON] = kept.map {
      ["rolearn": .string($0.arn), "username": .string($0.username), "groups": JSON($0.groups)]
    }
    let kubectl = world.target.kubectl
    func patch(_ text: String) -> String {
      let body: JSON = ["data": ["mapRoles": .string(text)] as JSON]
      return "\(kubectl) -n kube-system patch configmap aws-auth --type merge -p \(Shell.quote(body.text()))"
    }
    let csrs = strange.compactMap { $0["metadata"]["name"].string }.joined(separator: " ")
    let old = map.first?["data"]["mapRoles"].string ?? ""
    let fix =
      twin == nil
      ? Fix(
        "give \(line.place) of aws-auth the username system:node:{{EC2PrivateDNSName}}", owner: "hand",
        touches: ["configmap/aws-auth"])
      : Fix(
        "takes the second line out of aws-auth and the stale requests away; kubelets ask again as their nodes",
        command: "\(patch(JSON.array(items).text())) && \(kubectl) delete csr \(csrs)", owner: "hand",
        touches: ["configmap/aws-auth"], undo: patch(old), expectWithin: "15m")
    let what =
      twin == nil
      ? "aws-auth \(line.place) gives the nodes' role the username \(user)"
      : "aws-auth names \(line.arn) twice, and \(line.place), the later, makes it user \(user)"
    return .holds(
      Explanation(
        "\(Count.of(strange.count, "request")) for a serving certificate \(strange.count == 1 ? "waits" : "wait"): user \(user) asked for it, and a node's is given to the node itself only",
        entity: effect.entity, evidence: evidence,
        root: RootCause(
          "identity/role-mapped-twice", layer: .eks, entity: Entity("Role", ARN.parse(line.arn)?.name ?? line.arn),
          statement: what, evidence: evidence, fixes: [fix])))
  }
}
