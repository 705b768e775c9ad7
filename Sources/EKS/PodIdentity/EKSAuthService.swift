import Mechanisms
package import Wire
package import World

/// EKS Auth: hands the Pod Identity agent of a node credentials for a pod's token.
package final class EKSAuthService: AWSService {
  package let name = "eks-auth"
  package let modelled: Set<String> = ["AssumeRoleForPodIdentity"]
  private let eks: EKSService

  init(eks: EKSService) { self.eks = eks }

  package func requirements(_ request: AWSRequest) -> [AWSRequirement] {
    let cluster = request.input["clusterName"].string ?? ""
    return [AWSRequirement("eks-auth:AssumeRoleForPodIdentity", resources: [eks.eksARN("cluster/\(cluster)")])]
  }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    let name = request.input["clusterName"].string ?? ""
    guard let cluster = eks.clusters[name] else {
      throw AWSError(code: "ResourceNotFoundException", message: "No cluster found for name: \(name).", status: 404)
    }
    let token = eks.world.ports.webIdentity(request.input["token"].string ?? "", request.call.isInside)
    let own = token.json["kubernetes.io"]
    let namespace = own["namespace"].string ?? ""
    let account = own["serviceaccount"]["name"].string ?? ""
    let row = eks.association(cluster: name, namespace: namespace, serviceAccount: account)
    let association = row.map {
      PodIdentityExchange.Association(id: $0["associationId"].string ?? "", roleARN: $0["roleArn"].string ?? "")
    }
    let tags = (row?["disableSessionTags"].bool ?? false) ? [] : Self.tags(cluster, own)
    var context = PolicyContext()
    for tag in tags { context.set("aws:RequestTag/\(tag.key)", tag.value) }
    if !tags.isEmpty { context.set("sts:TransitiveTagKeys", values: tags.map(\.key)) }
    context.set("aws:SourceArn", cluster.document["arn"].string)
    context.set("aws:SourceAccount", eks.world.account)
    let verdict = PodIdentityExchange.decide(
      .init(
        claims: .known(token.claims), isVerified: .known(token.cluster == cluster.id), now: .known(request.now),
        association: .known(association), trust: .known(association.flatMap { eks.trustPolicy(of: $0.roleARN) }),
        context: .known(context)))
    guard let association = verdict.value, let row, let claims = token.claims else {
      let reason = verdict.reasons.last ?? Because("", "")
      let code = PodIdentityExchange.errorCode(reason)
      throw AWSError(code: code, message: reason.text, status: code == "ResourceNotFoundException" ? 404 : 400)
    }
    let session = try assume(association.roleARN, row, own, tags, cluster)
    return [
      "subject": ["namespace": .string(namespace), "serviceAccount": .string(account)],
      "audience": .string(claims.audience?.first ?? ""),
      "podIdentityAssociation": [
        "associationArn": row["associationArn"], "associationId": row["associationId"],
      ],
      "assumedRoleUser": [
        "arn": session["AssumedRoleUser"]["Arn"], "assumeRoleId": session["AssumedRoleUser"]["AssumedRoleId"],
      ],
      "credentials": [
        "sessionToken": session["Credentials"]["SessionToken"],
        "secretAccessKey": session["Credentials"]["SecretAccessKey"],
        "accessKeyId": session["Credentials"]["AccessKeyId"], "expiration": session["Credentials"]["Expiration"],
      ],
    ]
  }

  /// The session of the role, and, where the association names a target, that of the target.
  private func assume(
    _ role: String, _ row: JSON, _ own: JSON, _ tags: [(key: String, value: String)], _ cluster: ClusterRow
  ) throws(AWSError) -> JSON {
    let session = Self.sessionName(cluster.name, own["pod"]["name"].string ?? "", eks.uuid())
    var input: JSON = ["RoleArn": .string(role), "RoleSessionName": .string(session), "DurationSeconds": 3600]
    if !tags.isEmpty {
      input["Tags"] = .array(tags.map { ["Key": .string($0.key), "Value": .string($0.value)] })
      input["TransitiveTagKeys"] = JSON(tags.map(\.key))
    }
    let target = row["targetRoleArn"].string
    if target == nil, let policy = row["policy"].string { input["Policy"] = .string(policy) }
    let first = try sts(input, .service("pods.eks.amazonaws.com"))
    guard let target else { return first }
    var chained: JSON = [
      "RoleArn": .string(target), "RoleSessionName": .string(session), "DurationSeconds": 3600,
      "ExternalId": row["externalId"],
    ]
    if let policy = row["policy"].string { chained["Policy"] = .string(policy) }
    return try sts(chained, .credential(accessKeyID: first["Credentials"]["AccessKeyId"].string ?? ""))
  }

  private func sts(_ input: JSON, _ caller: AWSCall.Caller) throws(AWSError) -> JSON {
    let reply = eks.world.aws.perform(
      AWSCall(
        service: "sts", operation: "AssumeRole", input: input, region: eks.world.region, caller: caller,
        sourceIP: "pods.eks.amazonaws.com", userAgent: "pods.eks.amazonaws.com"))
    switch reply {
    case .ok(let output): return output
    case .error:
      throw AWSError(code: "AccessDeniedException", message: PodIdentityExchange.trustText, status: 400)
    }
  }

  private static func tags(_ cluster: ClusterRow, _ own: JSON) -> [(key: String, value: String)] {
    [
      ("eks-cluster-arn", cluster.document["arn"].string ?? ""), ("eks-cluster-name", cluster.name),
      ("kubernetes-namespace", own["namespace"].string ?? ""),
      ("kubernetes-service-account", own["serviceaccount"]["name"].string ?? ""),
      ("kubernetes-pod-name", own["pod"]["name"].string ?? ""),
      ("kubernetes-pod-uid", own["pod"]["uid"].string ?? ""),
    ].filter { !$0.1.isEmpty }
  }

  /// `eks-CLUSTER-POD-UUID`, both names cut so that it fits into 64 characters.
  static func sessionName(_ cluster: String, _ pod: String, _ id: String) -> String {
    let room = 64 - id.count - "eks---".count
    let first = cluster.prefix(max(8, room - pod.count))
    return "eks-\(first)-\(pod.prefix(room - first.count))-\(id)"
  }
}
