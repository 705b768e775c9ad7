import Wire
package import World

/// EKS's own approver and signer of kubelets' serving certificates.
///
/// Approves requests of `kubernetes.io/kubelet-serving` whose requester may create
/// `certificatesigningrequests/selfnodeserver`, then signs those whose names are the instance's.
package struct CertificateController: Reconciler {
  package static let name = "eks-certificate-controller"
  package static let credential = KubeClient.user("eks:certificate-controller")
  package static let resources = ["certificatesigningrequests.certificates.k8s.io"]

  private static let resource = "certificatesigningrequests.certificates.k8s.io"
  private static let signer = "kubernetes.io/kubelet-serving"

  /// Requests by the time at which their turn is: as long as EKS takes.
  private var due: [String: Timestamp] = [:]

  package init() {}

  package mutating func reconcile(_ key: String, _ desk: inout Desk) {
    guard let csr = desk.get(Self.resource, "", key), csr.spec["signerName"].string == Self.signer,
      csr.status["certificate"].isNull
    else {
      due[key] = nil
      return
    }
    if csr.isConditionTrue("Denied") || csr.isConditionTrue("Failed") { return }
    if csr.isConditionTrue("Approved") {
      sign(csr, &desk)
      return
    }
    guard let at = due[key] else {
      due[key] = desk.now + desk.context.durations[.certificateIssue]
      desk.again(after: desk.context.durations[.certificateIssue])
      return
    }
    guard at <= desk.now, isSelfNodeServer(csr, desk) else { return }
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

  /// Whether the request is one that a node makes for itself, in form.
  private func isSelfNodeServer(_ csr: ObjectView, _ desk: Desk) -> Bool {
    guard let facts = Self.facts(csr, desk) else { return false }
    return KubeletServing.faults(facts, usages: csr.spec["usages"].strings).isEmpty
      && facts.subject.commonName == csr.spec["username"].string
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
        "type": "Approved", "status": "True", "reason": "AutoApproved",
        "message": "Auto approving self kubelet server certificate after SubjectAccessReview.",
        "lastUpdateTime": desk.now.json, "lastTransitionTime": desk.now.json,
      ])
      desk.send(desk.client.update(Self.resource, json, subresource: "approval"), "approve")
      return false
    }
    return Desk.isFailure(purpose, reply)
  }

  private func sign(_ csr: ObjectView, _ desk: inout Desk) {
    guard let encoded = csr.spec["request"].string, let pem = Base64.decode(encoded),
      let clusters = desk.context.world.ports.clusters, let facts = Self.facts(csr, desk),
      isInstance(facts, desk)
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

  /// Whether the names asked for are those of an instance of the node: unverifiable ones stay unsigned.
  private func isInstance(_ facts: CertificateRequestFacts, _ desk: Desk) -> Bool {
    let name = String(facts.subject.commonName.dropFirst("system:node:".count))
    guard let node = desk.get("nodes", "", name) else { return false }
    let known = node.status["addresses"].items.compactMap { $0["address"].string } + [name]
    return (facts.dnsNames + facts.addresses).allSatisfy(known.contains)
  }
}

/// The form of a request for a kubelet's serving certificate.
///
/// Source: kubernetes `pkg/apis/certificates/helpers.go`.
enum KubeletServing {
  static func faults(_ facts: CertificateRequestFacts, usages: [String]) -> [String] {
    var faults: [String] = []
    if facts.subject.organizations != ["system:nodes"] { faults.append("subject organization is not system:nodes") }
    if facts.dnsNames.isEmpty, facts.addresses.isEmpty { faults.append("DNS or IP subjectAltName is required") }
    if !facts.emails.isEmpty { faults.append("Email subjectAltNames are not allowed") }
    if !facts.uris.isEmpty { faults.append("URI subjectAltNames are not allowed") }
    let allowed = [["digital signature", "server auth"], ["digital signature", "key encipherment", "server auth"]]
    if !allowed.contains(usages.sorted()) {
      faults.append("usages did not match [digital signature key encipherment server auth]")
    }
    if !facts.subject.commonName.hasPrefix("system:node:") {
      faults.append("subject common name does not begin with system:node:")
    }
    return faults
  }
}
