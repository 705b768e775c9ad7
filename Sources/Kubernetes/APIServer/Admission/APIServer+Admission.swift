import Mechanisms
import Wire
import World

extension APIServer {
  /// The plug-ins that may change an object; once more when a webhook has changed it.
  func admit(_ object: inout JSON, _ request: AdmissionRequest) throws(KubeStatus) {
    var reinvocation = Reinvocation()
    try mutate(&object, request, &reinvocation)
    guard reinvocation.isNeeded else { return }
    reinvocation.isSecond = true
    try mutate(&object, request, &reinvocation)
  }

  /// One round of mutating plug-ins, in upstream's order; `object` is null for a deletion.
  private func mutate(_ object: inout JSON, _ request: AdmissionRequest, _ reinvocation: inout Reinvocation)
    throws(KubeStatus)
  {
    try checkNamespace(object, request)
    LimitRanger.mutate(&object, request, self)
    if request.operation == .create {
      if request.isFor("pods") {
        try ServiceAccountAdmission.admit(&object, request, self)
        try PriorityAdmission.admit(&object, request, self)
        TolerationAdmission.admit(&object)
        ClassAdmission.tolerateExtended(&object)
        try ClassAdmission.runtime(&object, request, self)
      }
      if request.isFor("nodes") { TaintAdmission.admit(&object) }
      if request.isFor("persistentvolumeclaims") { claimAdmission(&object) }
      if request.isFor("ingresses", group: "networking.k8s.io") {
        try ClassAdmission.ingress(&object, request, self)
      }
    }
    try applyMutatingPolicies(&object, request, &reinvocation)
    try askMutatingWebhooks(&object, request, &reinvocation)
  }

  /// The plug-ins that only say yes or no; `object` is null for a deletion.
  func validateAdmission(_ object: JSON, _ request: AdmissionRequest) throws(KubeStatus) {
    try LimitRanger.validate(object, request, self)
    // A request for a token was asked about before its audience was filled in.
    if !request.isFor("serviceaccounts", "token") { try restrictNode(object, request) }
    try PodSecurityAdmission.validate(object, request, self)
    if request.isFor("persistentvolumeclaims"), request.operation == .update {
      try ClassAdmission.resize(object, request, self)
    }
    if request.isFor("pods"), request.operation == .create { try ClassAdmission.checkRuntime(object, request, self) }
    if request.row.group == "rbac.authorization.k8s.io", request.operation != .delete {
      try EscalationCheck.check(object, request, self)
    }
    if request.row.group == "certificates.k8s.io", request.operation == .update {
      try checkSigner(object, request)
    }
    if request.isFor("certificatesigningrequests", group: "certificates.k8s.io"), request.operation == .create {
      try checkSubject(object, request)
    }
    try checkValidatingPolicies(object, request)
    try askValidatingWebhooks(object, request)
    try QuotaAdmission.validate(object, request, self)
  }

  // MARK: - NamespaceLifecycle

  private func checkNamespace(_ object: JSON, _ request: AdmissionRequest) throws(KubeStatus) {
    if request.operation == .delete, request.isFor("namespaces"),
      ["default", "kube-system", "kube-public"].contains(request.name)
    {
      throw request.refused("this namespace may not be deleted")
    }
    guard request.operation == .create, request.row.namespaced else { return }
    guard let namespace = read("namespaces", "", request.namespace) else {
      throw .notFound(GroupName(group: "", name: "namespaces"), request.namespace)
    }
    guard namespace["status"]["phase"].string == "Terminating" || !namespace["metadata"]["deletionTimestamp"].isNull
    else { return }
    // Access is still checked there, and what runs may still tell of itself.
    if request.row.plural == "localsubjectaccessreviews" { return }
    throw request.refused(
      "unable to create new content in namespace \(request.namespace) because it is being terminated",
      details: [
        .init(
          reason: "NamespaceTerminating", message: "namespace \(request.namespace) is being terminated",
          field: "metadata.namespace")
      ])
  }

  // MARK: - PersistentVolumeClaims

  private func claimAdmission(_ object: inout JSON) {
    if !object["metadata"]["finalizers"].strings.contains("kubernetes.io/pvc-protection") {
      object["metadata"]["finalizers"].append("kubernetes.io/pvc-protection")
    }
    guard object["spec"]["storageClassName"].isNull else { return }
    let classes = read("storageclasses.storage.k8s.io", namespace: "").filter {
      $0["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"].string == "true"
    }
    // The newest of several defaults counts.
    let chosen = classes.max {
      ($0["metadata"]["creationTimestamp"].string ?? "") < ($1["metadata"]["creationTimestamp"].string ?? "")
    }
    if let name = chosen?["metadata"]["name"].string { object["spec"]["storageClassName"] = .string(name) }
  }

  // MARK: - Certificates

  /// Nobody asks the cluster's signer of clients for a certificate of its masters (`certificates/subjectrestriction`).
  private func checkSubject(_ object: JSON, _ request: AdmissionRequest) throws(KubeStatus) {
    guard object["spec"]["signerName"].string == "kubernetes.io/kube-apiserver-client",
      let pem = object["spec"]["request"].string.flatMap({ Base64.decode($0) }),
      let facts = world.ports.clusters?.describeCertificateRequest(String(decoding: pem, as: UTF8.self)),
      facts.subject.organizations.contains("system:masters")
    else { return }
    throw request.refused(
      "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed")
  }

  private func checkSigner(_ object: JSON, _ request: AdmissionRequest) throws(KubeStatus) {
    let verb: String
    switch request.subresource {
    case "approval": verb = "approve"
    case "status":
      guard
        request.old?["status"]["certificate"] != object["status"]["certificate"]
          || request.old?["status"]["conditions"] != object["status"]["conditions"]
      else { return }
      verb = "sign"
    default: return
    }
    let signer = request.old?["spec"]["signerName"].string ?? ""
    let user = request.exchange.user!
    let domain = String(signer.prefix { $0 != "/" })
    for name in [signer, "\(domain)/*"] {
      let access = AccessRequest(
        username: user.name, groups: user.groups, verb: verb, group: "certificates.k8s.io", resource: "signers",
        name: name)
      if decide(access, user).isAllowed { return }
    }
    throw request.refused("user not permitted to \(verb) requests with signerName \(GoText.quote(signer))")
  }
}
