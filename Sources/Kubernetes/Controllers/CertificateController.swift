import Mechanisms
import Wire
package import World

/// EKS's own approver and signer of kubelets' serving certificates.
///
/// Approves requests of `kubernetes.io/kubelet-serving` whose requester may create
/// `certificatesigningrequests/selfnodeserver`, then signs those whose names are the instance's. Requests of EKS's
/// signer for applications are signed when somebody has approved them.
package struct CertificateController: Reconciler {
  package static let name = "eks-certificate-controller"
  package static let credential = KubeClient.user("eks:certificate-controller")
  package static let informer = credential
  package static let resources = ["certificatesigningrequests.certificates.k8s.io"]

  private static let resource = "certificatesigningrequests.certificates.k8s.io"
  private static let signer = KubeletCSR.signer
  private static let applicationSigner = "beta.eks.amazonaws.com/app-serving"

  /// Requests by the time at which their turn is: as long as EKS takes.
  private var due: [String: Timestamp] = [:]
  /// What EKS last said of the cluster, for requests of hybrid nodes.
  private var described: [String: JSON]?

  package init() {}

  package mutating func reconcile(_ key: String, _ desk: inout Desk) {
    guard let csr = desk.get(Self.resource, "", key), csr.status["certificate"].isNull,
      [Self.signer, Self.applicationSigner].contains(csr.spec["signerName"].string)
    else {
      due[key] = nil
      described?[key] = nil
      return
    }
    if csr.isConditionTrue("Denied") || csr.isConditionTrue("Failed") { return }
    if csr.isConditionTrue("Approved") {
      sign(csr, &desk)
      return
    }
    guard csr.spec["signerName"].string == Self.signer else { return }
    guard let at = due[key] else {
      due[key] = desk.now + desk.context.durations[.certificateIssue]
      desk.again(after: desk.context.durations[.certificateIssue])
      return
    }
    let gap = Gap(read: "subjectaccessreviews", why: "not asked yet")
    if described?[key] == nil, hybrid(csr, desk)?.value.flatMap({ $0 }) != nil {
      desk.call(
        "eks", "DescribeCluster", ["name": .string(desk.facts.name)], region: desk.facts.region,
        caller: .service("eks.amazonaws.com"), "cluster")
      return
    }
    // What a hybrid node's request lacks may come: it is looked at again.
    if at <= desk.now, verdict(csr, mayServe: .known(true), desk)?.isNo == true, described?[key] != nil {
      described?[key] = nil
      desk.again(after: .seconds(60), .background)
      return
    }
    guard at <= desk.now, let verdict = verdict(csr, mayServe: .unknown(gap), desk), !verdict.isNo else { return }
    desk.send(
      desk.client.create(
        "subjectaccessreviews.authorization.k8s.io", "",
        [
          "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
          "spec": [
            "user": csr.spec["username"], "groups": csr.spec["groups"], "uid": csr.spec["uid"],
            "extra": csr.spec["extra"],
            "resourceAttributes": [
              "group": "certificates.k8s.io", "resource": "certificatesigningrequests",
              "subresource": "selfnodeserver", "verb": "create",
            ],
          ],
        ]), "review")
  }

  /// What the rule of serving certificates says of a request.
  private func verdict(_ csr: ObjectView, mayServe: Fact<Bool>, _ desk: Desk) -> Verdict<KubeletCSR.Outcome, Because>? {
    guard let facts = Self.facts(csr, desk) else { return nil }
    let request = KubeletCSR.Request(
      username: csr.spec["username"].string ?? "", groups: csr.spec["groups"].strings,
      signer: csr.spec["signerName"].string ?? "", usages: csr.spec["usages"].strings,
      commonName: facts.subject.commonName, organizations: facts.subject.organizations, dnsNames: facts.dnsNames,
      addresses: facts.addresses, emails: facts.emails, uris: facts.uris)
    let name = String(facts.subject.commonName.dropFirst("system:node:".count))
    let known = desk.get("nodes", "", name)?.status["addresses"].items.compactMap { $0["address"].string } ?? []
    return KubeletCSR.decide(
      KubeletCSR.Facts(
        request: .known(request), mayServe: mayServe, instanceNames: .known(known + [name]),
        hybrid: hybrid(csr, desk) ?? .known(nil)))
  }

  private func hybrid(_ csr: ObjectView, _ desk: Desk) -> Fact<KubeletCSR.Hybrid?>? {
    guard let facts = Self.facts(csr, desk) else { return nil }
    let name = String(facts.subject.commonName.dropFirst("system:node:".count))
    return .known(
      KubeletCSR.Hybrid(
        node: desk.get("nodes", "", name)?.json ?? .null, name: name, cluster: described?[csr.name] ?? .null))
  }

  package mutating func replied(_ key: String, purpose: String, _ reply: AWSReply, _ desk: inout Desk) {
    described = described ?? [:]
    described?[key] = reply.output?["cluster"] ?? .null
    desk.again(after: .zero)
  }

  private static func facts(_ csr: ObjectView, _ desk: Desk) -> CertificateRequestFacts? {
    guard let encoded = csr.spec["request"].string, let pem = Base64.decode(encoded) else { return nil }
    return desk.context.world.ports.clusters?.describeCertificateRequest(String(decoding: pem, as: UTF8.self))
  }

  package mutating func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool {
    if purpose == "review" {
      guard reply.body["status"]["allowed"].bool == true, let csr = desk.get(Self.resource, "", key) else {
        return !reply.isSuccess
      }
      var json = csr.json
      json["status"]["conditions"].append([
        "type": "Approved", "status": "True", "reason": .string(KubeletCSR.approvalReason),
        "message": .string(KubeletCSR.approvalMessage),
        "lastUpdateTime": desk.now.json, "lastTransitionTime": desk.now.json,
      ])
      desk.send(desk.client.update(Self.resource, json, subresource: "approval"), "approve")
      return false
    }
    return Desk.isFailure(purpose, reply)
  }

  private func sign(_ csr: ObjectView, _ desk: inout Desk) {
    guard let encoded = csr.spec["request"].string, let pem = Base64.decode(encoded),
      let clusters = desk.context.world.ports.clusters,
      csr.spec["signerName"].string == Self.applicationSigner
        || verdict(csr, mayServe: .known(true), desk)?.value == .issued
    else { return }
    let seconds = min(csr.spec["expirationSeconds"].int ?? 31_536_000, 31_536_000)
    guard
      let certificate = try? clusters.signCertificate(
        desk.cluster, request: String(decoding: pem, as: UTF8.self), usages: csr.spec["usages"].strings,
        notBefore: desk.now - .seconds(300), notAfter: desk.now + .seconds(seconds))
    else { return }
    var json = csr.json
    json["status"]["certificate"] = .string(Base64.encode(Array(certificate.utf8)))
    desk.send(desk.client.update(Self.resource, json, subresource: "status"), "status")
  }
}
