import Mechanisms
package import Wire
package import World

/// Amazon EKS: clusters, node groups, access entries, updates.
package final class EKSService: AWSService {
  typealias Operation = @Sendable (EKSService) -> (AWSRequest) throws(AWSError) -> JSON

  package let name = "eks"
  unowned let world: World
  let clusters: Table<ClusterRow>
  let nodegroups: Table<NodegroupRow>
  let entries: Table<AccessEntryRow>
  let updates: Table<UpdateRow>
  let addons: Table<AddonRow>
  /// Pod Identity associations, identity providers and Fargate profiles as they are told, key `cluster|kind|name`.
  let records: Table<JSON>
  let machines: Table<FargateMachineRow>

  private static let operations: [String: Operation] =
    clusterOperations
    .merging(nodegroupOperations) { a, _ in a }.merging(nodegroupUpdateOperations) { a, _ in a }
    .merging(accessOperations) { a, _ in a }
    .merging(updateOperations) { a, _ in a }.merging(catalogueOperations) { a, _ in a }
    .merging(providerOperations) { a, _ in a }.merging(addonOperations) { a, _ in a }
    .merging(podIdentityOperations) { a, _ in a }.merging(fargateOperations) { a, _ in a }
    .merging(insightOperations) { a, _ in a }.merging(encryptionOperations) { a, _ in a }
    .merging(recordedOperations) { a, _ in a }

  package var modelled: Set<String> { Set(Self.operations.keys).subtracting(recorded) }
  package var recorded: Set<String> { Set(Self.recordedOperations.keys) }

  init(world: World) {
    self.world = world
    clusters = Table("eks-cluster", in: world)
    nodegroups = Table("eks-nodegroup", in: world)
    entries = Table("eks-access-entry", in: world)
    updates = Table("eks-update", in: world)
    addons = Table("eks-addon", in: world)
    records = Table("eks-record", in: world)
    machines = Table("eks-fargate-machine", in: world)
  }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    guard let operation = Self.operations[request.operation] else {
      throw .unsupported(service: name, operation: request.operation)
    }
    return try operation(self)(request)
  }

  /// The action on the cluster (or what lies in it), and the right to hand on the roles it names.
  package func requirements(_ request: AWSRequest) -> [AWSRequirement] {
    let input = request.input
    let base = "arn:aws:eks:\(world.region):\(world.account)"
    let cluster = input["clusterName"].string ?? (request.operation.contains("Cluster") ? input["name"].string : nil)
    var resource = "*"
    if let arn = input["resourceArn"].string {
      resource = arn
    } else if let cluster {
      resource = "\(base):cluster/\(cluster)"
      if let group = input["nodegroupName"].string, request.operation != "CreateNodegroup" {
        resource =
          nodegroups[Key.nodegroup(cluster, group)]?.document["nodegroupArn"].string
          ?? "\(base):nodegroup/\(cluster)/\(group)/*"
      } else if let principal = input["principalArn"].string, request.operation != "CreateAccessEntry" {
        resource =
          entries[Key.entry(cluster, principal)]?.document["accessEntryArn"].string
          ?? "\(base):access-entry/\(cluster)/*"
      } else if let profile = input["fargateProfileName"].string, request.operation != "CreateFargateProfile" {
        resource =
          records[recordKey(cluster, .fargate, profile)]?["fargateProfileArn"].string
          ?? "\(base):fargateprofile/\(cluster)/\(profile)/*"
      } else if let addon = input["addonName"].string, request.operation != "CreateAddon" {
        resource =
          addons[Self.addonKey(cluster, addon)]?.document["addonArn"].string ?? "\(base):addon/\(cluster)/\(addon)/*"
      }
    }
    var needs = [AWSRequirement("eks:\(request.operation)", resources: [resource])]
    switch request.operation {
    case "CreateCluster":
      needs.append(
        AWSRequirement(
          "iam:PassRole", resources: [input["roleArn"].string ?? "*"],
          context: ["iam:PassedToService": ["eks.amazonaws.com"]]))
    case "CreateNodegroup":
      needs.append(
        AWSRequirement(
          "iam:PassRole", resources: [input["nodeRole"].string ?? "*"],
          context: ["iam:PassedToService": ["eks.amazonaws.com"]]))
    case "CreateFargateProfile":
      needs.append(
        AWSRequirement(
          "iam:PassRole", resources: [input["podExecutionRoleArn"].string ?? "*"],
          context: ["iam:PassedToService": ["eks.amazonaws.com"]]))
    case "CreateAddon", "UpdateAddon":
      if let role = input["serviceAccountRoleArn"].string, !role.isEmpty {
        needs.append(
          AWSRequirement(
            "iam:PassRole", resources: [role], context: ["iam:PassedToService": ["eks.amazonaws.com"]]))
      }
      for association in input["podIdentityAssociations"].items {
        needs.append(
          AWSRequirement(
            "iam:PassRole", resources: [association["roleArn"].string ?? "*"],
            context: ["iam:PassedToService": ["pods.eks.amazonaws.com"]]))
      }
    case "CreatePodIdentityAssociation":
      needs.append(
        AWSRequirement(
          "iam:PassRole", resources: [input["roleArn"].string ?? "*"],
          context: ["iam:PassedToService": ["pods.eks.amazonaws.com"]]))
    default: break
    }
    return needs
  }

  // MARK: - What the operations share

  func cluster(_ name: String) throws(AWSError) -> ClusterRow {
    guard let row = clusters[name] else { throw .noCluster(name) }
    return row
  }

  func cluster(of request: AWSRequest) throws(AWSError) -> ClusterRow {
    try cluster(request.input["clusterName"].string ?? request.input["name"].string ?? "")
  }

  /// A call of EKS itself, by the service-linked role that it has for this.
  func call(
    _ service: String, _ operation: String, _ input: JSON, by actor: EKSActor = .service, for resource: String? = nil
  ) -> AWSReply {
    var call = AWSCall(
      service: service, operation: operation, input: input, region: world.region,
      caller: actor.caller(account: world.account), sourceIP: "eks.amazonaws.com", userAgent: "eks.amazonaws.com")
    call.sourceARN = resource
    return world.aws.perform(call)
  }

  /// Makes a role of EKS's own where the account has none yet, in the name of who asks: it needs their permission.
  /// Whether there is one, EKS asks in their name too, but for the role of clusters.
  func ensureServiceLinkedRole(
    _ service: String, _ name: String, for request: AWSRequest, looksAsCaller: Bool = true
  ) throws(AWSError) {
    let caller = onBehalf(of: request)
    let look: JSON = ["RoleName": .string(name)]
    let found = looksAsCaller ? call("iam", "GetRole", look, as: caller) : call("iam", "GetRole", look, by: .plain)
    if found.output != nil { return }
    if found.error?.code == "AccessDenied" {
      throw .invalidRequest(
        "Failed to validate if SLR: \(name) already exists due to missing permissions for 'iam:GetRole'")
    }
    let made = call("iam", "CreateServiceLinkedRole", ["AWSServiceName": .string(service)], as: caller)
    if made.error?.code == "AccessDenied" {
      throw .invalidRequest(
        "Failed to create service linked role: \(name) due to missing permissions for 'iam:CreateServiceLinkedRole'")
    }
  }

  /// The caller of a request, in whose name EKS goes on; EKS itself for callers that hold no key.
  private func onBehalf(of request: AWSRequest) -> AWSCall.Caller {
    let key = request.principal.accessKeyID
    return key.isEmpty ? EKSActor.plain.caller(account: world.account) : .credential(accessKeyID: key)
  }

  private func call(_ service: String, _ operation: String, _ input: JSON, as caller: AWSCall.Caller) -> AWSReply {
    world.aws.perform(
      AWSCall(
        service: service, operation: operation, input: input, region: world.region, caller: caller,
        sourceIP: "eks.amazonaws.com", userAgent: "eks.amazonaws.com"))
  }

  func uuid() -> String { world.newID { $0.uuid() } }

  /// One page of names: `maxResults`, `nextToken` as an offset.
  func page(_ names: [String], _ input: JSON, _ member: String) throws(AWSError) -> JSON {
    try page(names.map { .string($0) }, input, member)
  }

  func page(_ names: [JSON], _ input: JSON, _ member: String) throws(AWSError) -> JSON {
    let limit = input["maxResults"].int ?? 100
    let start = input["nextToken"].string.map { Int($0) } ?? 0
    guard let start, start >= 0, start <= names.count else {
      throw .invalidParameter("The specified nextToken is invalid.")
    }
    let slice = names[start..<min(names.count, start + limit)]
    return [
      member: .array(Array(slice)), "nextToken": slice.endIndex < names.count ? .string(String(slice.endIndex)) : .null,
    ]
  }
}

/// In whose name EKS calls other services.
enum EKSActor {
  /// The service principal itself.
  case plain
  case service
  case nodegroup
  /// What makes machines of Fargate, and what stands in them.
  case fargate, fargatePods

  func caller(account: String) -> AWSCall.Caller {
    let path = "arn:aws:iam::\(account):role/aws-service-role"
    switch self {
    case .plain: return .service("eks.amazonaws.com")
    case .service:
      return .service(
        "eks.amazonaws.com", roleARN: "\(path)/eks.amazonaws.com/AWSServiceRoleForAmazonEKS", session: "AmazonEKS")
    case .nodegroup:
      return .service(
        "eks-nodegroup.amazonaws.com",
        roleARN: "\(path)/eks-nodegroup.amazonaws.com/AWSServiceRoleForAmazonEKSNodegroup", session: "EKS")
    case .fargate:
      return .service(
        "eks-fargate.amazonaws.com",
        roleARN: "\(path)/eks-fargate.amazonaws.com/AWSServiceRoleForAmazonEKSForFargate", session: "EKSFargate")
    case .fargatePods: return .service(FargateLaunch.servicePrincipal)
    }
  }
}
