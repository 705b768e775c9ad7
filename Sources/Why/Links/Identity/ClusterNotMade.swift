import Evidence
import Mechanisms
import Wire

/// EKS refuses to make a cluster: its role, its subnets, its version or its name.
struct ClusterNotMade: Link {
  let code = "identity/cluster-not-made"
  let explains: [Effect.Kind] = [.clusterNotMade]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let call = await RefusedCluster.read(effect.detail, world)
    let low = effect.detail.lowercased()
    if low.contains("could not be assumed") { return await role(call, effect, world) }
    if low.contains("availability zone") || low.contains("different azs") || low.contains("same vpc") {
      return await subnets(call, effect, world)
    }
    if low.contains("unsupported kubernetes version") { return await version(call, effect, world) }
    if low.contains("already exists with name") { return await name(effect, world) }
    if low.hasPrefix("the subnet id '") { return await missing(call, effect, world) }
    return .silent
  }

  private func holds(
    _ code: String, _ entity: Entity, _ said: String, _ statement: String, _ evidence: [Exhibit], _ fixes: [Fix],
    _ effect: Effect
  ) -> Finding {
    .holds(
      Explanation(
        said, entity: effect.entity, evidence: evidence,
        root: RootCause(
          code, layer: .aws, entity: entity, statement: statement, evidence: evidence, fixes: fixes)))
  }

  // MARK: - Its role

  private func role(_ call: RefusedCluster, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let arn = call.role else { return .open([call.gap].compactMap { $0 }) }
    let (trust, document, role) = await world.trustPolicy(ofRole: arn)
    var evidence = call.evidence
    if let citation = trust.citation { evidence.append(Exhibit(citation)) }
    let name = ARN.parse(arn)?.name ?? arn
    let entity = Entity("Role", name)
    let said = "EKS takes the cluster's role \(arn) when the cluster is made, and could not"
    let again = call.again(world) { _ in }
    func fix(_ statement: String, _ command: String) -> Fix {
      Fix(
        again == nil ? statement : "\(statement), and asks for the cluster once more",
        command: again.map { "\(command) && \($0)" } ?? command, owner: "hand", touches: [entity.title],
        verify: "aws eks describe-cluster --name \(call.parameters?["name"].string ?? "NAME")")
    }
    switch trust {
    case .unknown(let gap): return .open([gap])
    case .known(nil, _) where !role.isNull:
      return holds(
        "identity/role-arn-differs", entity, said,
        "there is no role \(arn): the role of that name is \(role["Arn"].string ?? "")", evidence,
        [
          Fix(
            "names the role as IAM does",
            command: call.again(world) { $0["roleArn"] = role["Arn"] }, owner: "hand", touches: [entity.title])
        ], effect)
    case .known(nil, _):
      let document = Self.trust([])
      return holds(
        "identity/no-such-role", entity, said, "there is no role \(arn)", evidence,
        [
          fix(
            "makes the role with EKS's own policy",
            "aws iam create-role --role-name \(Shell.quote(name)) --assume-role-policy-document \(Shell.quote(document.text())) && aws iam attach-role-policy --role-name \(Shell.quote(name)) --policy-arn arn:\(ARN.parse(arn)?.partition ?? "aws"):iam::aws:policy/AmazonEKSClusterPolicy"
          )
        ], effect)
    case .known(let policy?, let source):
      let verdict = TrustPolicy.decide(
        .init(
          trust: .known(policy, source), principal: .known(.service(Self.service)), action: .known("sts:AssumeRole")))
      if !verdict.gaps.isEmpty { return .open(verdict.gaps) }
      guard verdict.isNo else {
        return .refuted("\(entity.title) is there and trusts EKS now: ask for the cluster once more", evidence)
      }
      let mended = Self.trust(document["Statement"].array ?? [document["Statement"]].filter { $0.object != nil })
      let denies = verdict.reasons.contains { if case .explicitDeny = $0 { true } else { false } }
      return holds(
        "identity/trust-policy-differs", entity, said,
        "the trust policy of \(arn) does not let \(Self.service) assume it\(denies ? ": a statement denies it" : ""): it lets in \(Self.trusted(document))",
        evidence,
        denies
          ? [
            Fix(
              "take the denial out of the role's trust policy", owner: "hand", touches: [entity.title],
              verify: "aws iam get-role --role-name \(name)")
          ]
          : [
            fix(
              "lets EKS assume the role; whom it lets in now stays in",
              "aws iam update-assume-role-policy --role-name \(Shell.quote(name)) --policy-document \(Shell.quote(mended.text()))"
            )
          ], effect)
    }
  }

  private static let service = "eks.amazonaws.com"

  private static func trust(_ before: [JSON]) -> JSON {
    let own: JSON = [
      "Effect": "Allow", "Principal": ["Service": .string(service)], "Action": ["sts:AssumeRole", "sts:TagSession"],
    ]
    return ["Version": "2012-10-17", "Statement": .array(before + [own])]
  }

  private static func trusted(_ document: JSON) -> String {
    let statements = document["Statement"].array ?? [document["Statement"]]
    let names = statements.filter { $0["Effect"].string == "Allow" }.flatMap { statement in
      statement["Principal"].string.map { [$0] }
        ?? statement["Principal"].fields.flatMap { $0.value.string.map { [$0] } ?? $0.value.strings }
    }
    return names.isEmpty ? "nobody" : Count.list(names, limit: 4)
  }

  // MARK: - Its subnets

  private func subnets(_ call: RefusedCluster, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let ids = call.parameters?["resourcesVpcConfig"]["subnetIds"].strings else {
      return .open([call.gap].compactMap { $0 })
    }
    let all = await world.aws(.describeSubnets)
    if let gap = all.gap { return .open([gap]) }
    let named = all.items.filter { ids.contains($0["SubnetId"].string ?? "") }.map(ClusterSubnets.Subnet.init)
    let citation = Cite.aws(
      .describeSubnets, field: "AvailabilityZoneId",
      value: named.map { "\($0.id) \($0.zone) (\($0.zoneID)) of \($0.vpc)" }.joined(separator: ", "), at: all.at)
    let verdict = ClusterSubnets.decide(.init(subnets: .known(named, .read(citation))))
    let evidence = call.evidence + [Exhibit(citation)]
    guard verdict.isNo, let reason = verdict.reasons.last else {
      return .refuted("its subnets would do: \(verdict.reasons.last?.text ?? "")", evidence)
    }
    // One subnet of each zone that takes control planes, the named ones first.
    let vpc = named.first?.vpc
    var chosen: [ClusterSubnets.Subnet] = []
    for subnet in named + all.items.map(ClusterSubnets.Subnet.init).sorted(by: { $0.id < $1.id })
    where subnet.vpc == vpc && !ClusterSubnets.refusedZones.contains(subnet.zoneID)
      && !chosen.contains(where: { $0.zone == subnet.zone })
    {
      chosen.append(subnet)
    }
    let isEnough = ClusterSubnets.decide(.init(subnets: .known(chosen))).isYes
    let fix = Fix(
      isEnough
        ? "asks for the cluster once more, in subnets of other zones of \(vpc ?? "the VPC")"
        : "make a subnet in another zone of \(vpc ?? "the VPC"), and name it too",
      command: isEnough
        ? call.again(world) { $0["resourcesVpcConfig"]["subnetIds"] = JSON(chosen.map(\.id)) } : nil,
      owner: "hand", touches: chosen.map(\.id))
    return holds(
      "identity/cluster-subnets", Entity("VPC", vpc ?? ""),
      "EKS puts interfaces of the control plane into at least two zones, and checks the subnets for it",
      "of the subnets that are named, \(reason.text)", evidence, [fix], effect)
  }

  /// A subnet that is not there.
  private func missing(_ call: RefusedCluster, _ effect: Effect, _ world: Investigation) async -> Finding {
    let id = effect.detail.split(separator: "'").dropFirst().first.map(String.init) ?? ""
    let found = await world.aws(.describeSubnets, filters: ["subnet-id": [id]])
    if let gap = found.gap { return .open([gap]) }
    let citation = Cite.aws(.describeSubnets, id, value: found.first == nil ? "does not exist" : "exists", at: found.at)
    guard found.first == nil else { return .refuted("\(id) is there now", call.evidence + [Exhibit(citation)]) }
    let place = world.target.region.map { " in \($0)" } ?? ""
    return holds(
      "identity/cluster-subnet-gone", Entity("Subnet", id), "the API looks at each subnet that is named",
      "there is no subnet \(id)\(place)", call.evidence + [Exhibit(citation)],
      [
        Fix(
          "name subnets that are there: aws ec2 describe-subnets\(world.target.awsOptions)", owner: "hand",
          touches: [id]
        )
      ], effect)
  }

  // MARK: - Its version and name

  private func version(_ call: RefusedCluster, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let wanted = call.parameters?["version"].string else { return .open([call.gap].compactMap { $0 }) }
    let read = await world.aws(.describeClusterVersions)
    if let gap = read.gap { return .open([gap]) }
    let offered = read.items.compactMap { $0["clusterVersion"].string }
    let citation = Cite.aws(
      .describeClusterVersions, field: "clusterVersion", value: offered.joined(separator: ", "), at: read.at)
    let evidence = call.evidence + [Exhibit(citation)]
    guard !offered.contains(wanted) else { return .refuted("EKS offers \(wanted) now", evidence) }
    let standard = read.items.first { $0["defaultVersion"].bool == true }?["clusterVersion"].string
    return holds(
      "identity/cluster-version", Entity("Version", wanted), "EKS makes clusters of the versions that it offers",
      "EKS does not offer Kubernetes \(wanted); it offers \(Count.list(offered, limit: 12))", evidence,
      [
        Fix(
          "asks for the cluster once more, with \(standard.map { "\($0), the default" } ?? "a version that is offered")",
          command: call.again(world) { $0["version"] = standard.map { .string($0) } ?? .null }, owner: "hand",
          touches: [])
      ], effect)
  }

  private func name(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.aws(.describeCluster, ["name": effect.entity.name])
    if let gap = found.gap { return .open([gap]) }
    guard let cluster = found.first else {
      return .refuted(
        "no cluster has that name now",
        [Exhibit(Cite.aws(.describeCluster, effect.entity.name, value: "does not exist", at: found.at))])
    }
    let exhibit = Exhibit(
      Cite.aws(
        .describeCluster, effect.entity.name, field: "createdAt", value: cluster["createdAt"].time?.rfc3339 ?? "",
        at: found.at))
    return holds(
      "identity/cluster-name-taken", effect.entity, "names of clusters are unique in an account and region",
      "there is a cluster \(effect.entity.name) already, \(cluster["status"].string ?? ""), of \(cluster["createdAt"].time?.rfc3339 ?? "")",
      [exhibit],
      [
        Fix(
          "uses the one that is there; or choose another name",
          command: "aws eks update-kubeconfig --name \(Shell.quote(effect.entity.name))\(world.target.awsOptions)",
          owner: "hand", touches: [])
      ], effect)
  }
}
