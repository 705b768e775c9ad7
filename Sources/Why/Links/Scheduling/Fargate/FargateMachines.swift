import Evidence
import Mechanisms
import Wire

extension Investigation {
  /// The pod of an effect and the profile that took it; a gap where either can't be read, nil where there is none.
  fileprivate func fargate(_ effect: Effect) async -> (pod: JSON?, profile: FargateProfileReading?, gap: Gap?) {
    let found = await object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return (nil, nil, found.gap) }
    switch await fargateProfile(FargatePod(pod).profile ?? "") {
    case .unknown(let gap): return (pod, nil, gap)
    case .known(let reading, _): return (pod, reading, nil)
    }
  }
}

/// The profile that took a pod is gone, or not ACTIVE.
struct FargateProfileMissing: Link {
  let code = "scheduling/fargate-profile-missing"
  let explains: [Effect.Kind] = [.fargateNoMachine]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (pod, profile, gap) = await world.fargate(effect)
    if let gap { return .open([gap]) }
    guard let pod else { return .silent }
    let name = FargatePod(pod).profile ?? ""
    let status = profile?.profile.status ?? "gone"
    let exhibit =
      profile?.exhibit("status", status)
      ?? Exhibit(Cite.aws(.describeFargateProfile, name, value: "does not exist", at: world.now))
    guard profile?.profile.status != "ACTIVE" else { return .refuted("profile \(name) is ACTIVE", [exhibit]) }
    let root = RootCause(
      code, layer: .eks, entity: Entity("FargateProfile", name),
      statement: "the Fargate profile \(name) that took the pod is \(status)", evidence: [exhibit],
      fixes: [
        Fix(
          "make the pod anew once a profile that is ACTIVE selects it", command: world.recreate(pod), owner: "hand",
          touches: [effect.entity.title], restarts: true,
          verify: "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")")
      ])
    return .holds(
      Explanation("its profile \(name) is \(status)", entity: effect.entity, evidence: [exhibit], root: root))
  }
}

/// A pod asks for what Fargate has not.
struct FargateUnsupported: Link {
  let code = "scheduling/fargate-unsupported"
  let explains: [Effect.Kind] = [.fargateNoMachine]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let citation = Cite.object(pod, "Pod", resource: .pods, field: "spec", at: world.now)
    let claims = await claims(of: pod, effect, world)
    let verdict = FargateSupport.decide(.init(pod: .known(pod, .read(citation)), claims: claims))
    switch verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes: return .refuted("Fargate can run all that its specification asks for", [Exhibit(citation)])
    case .no: break
    }
    let texts = verdict.reasons.map(\.text).joined(separator: ", ")
    let exhibit = Exhibit(
      citation, text: "k8s pods/\(effect.entity.namespace ?? "")/\(effect.entity.name), spec: \(texts)")
    let verify = "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")"
    let root = RootCause(
      code, layer: .application, entity: effect.entity, statement: "Fargate can't run it: \(texts)",
      evidence: [exhibit],
      fixes: [
        Fix(
          "take that out of what makes the pod, or keep it off Fargate with the annotation \(FargateMatch.computeType): ec2 and nodes of EC2",
          owner: "unknown", touches: [effect.entity.title], restarts: true, verify: verify)
      ])
    return .holds(
      Explanation("it asks for what Fargate has not", entity: effect.entity, evidence: [exhibit], root: root))
  }

  private func claims(
    of pod: JSON, _ effect: Effect, _ world: Investigation
  ) async -> Fact<[String: FargateSupport.Claim]> {
    let names = pod["spec"]["volumes"].items.compactMap { $0["persistentVolumeClaim"]["claimName"].string }
    guard !names.isEmpty else { return .known([:]) }
    let found = await world.list(.persistentVolumeClaims, namespace: effect.entity.namespace)
    if let gap = found.gap { return .unknown(gap) }
    var claims: [String: FargateSupport.Claim] = [:]
    for claim in found.items {
      let name = claim["metadata"]["name"].string ?? ""
      guard names.contains(name) else { continue }
      if claim["status"]["phase"].string == "Bound" {
        // Which driver the volume has stands on the PersistentVolume.
        return .unknown(
          Gap(
            read: "kubernetes:persistentvolumes/\(claim["spec"]["volumeName"].string ?? "")",
            why: "ekswhy does not ask about volumes yet", how: "\(world.target.kubectl) get pv"))
      }
      claims[name] = FargateSupport.Claim(claim: claim, volume: nil)
    }
    return .known(claims, .read(Citation(source: "kubernetes", locator: "persistentvolumeclaims", at: found.at)))
  }
}

/// A pod asks for more than the largest machine has.
struct FargateTooLarge: Link {
  let code = "scheduling/fargate-too-large"
  let explains: [Effect.Kind] = [.fargateNoMachine]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let citation = Cite.object(
      pod, "Pod", resource: .pods, field: "spec.containers[*].resources.requests", at: world.now)
    let verdict = FargateSize.decide(.init(requests: .known(PodNeeds.requests(pod["spec"]), .read(citation))))
    let requests = PodNeeds.requests(pod["spec"]).sorted { $0.key < $1.key }
      .map { "\($0.key) \(SchedulingPicture.amount($0.value, $0.key))" }.joined(separator: ", ")
    let exhibit = Exhibit(
      citation,
      text:
        "k8s pods/\(effect.entity.namespace ?? "")/\(effect.entity.name), requests: \(requests.isEmpty ? "none" : requests)"
    )
    guard verdict.isNo else { return .refuted(verdict.reasons.last?.text ?? "a machine is large enough", [exhibit]) }
    let root = RootCause(
      code, layer: .application, entity: effect.entity,
      statement:
        "it asks for \(requests), and 16 vCPU with 120 GB, 256 MiB of it for the machine itself, is the largest machine",
      evidence: [exhibit],
      fixes: [
        Fix(
          "ask for less in what makes the pod, or run it on nodes of EC2", owner: "unknown",
          touches: [effect.entity.title], restarts: true,
          verify: "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")")
      ])
    return .holds(
      Explanation("no machine of Fargate is that large", entity: effect.entity, evidence: [exhibit], root: root))
  }
}

/// The pod execution role can't be used: gone, not trusting, or not mapped to a node.
struct FargateRoleBlocked: Link {
  let code = "scheduling/fargate-role-blocked"
  let explains: [Effect.Kind] = [.fargateNoMachine]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (pod, profile, gap) = await world.fargate(effect)
    if let gap { return .open([gap]) }
    guard let pod, let profile else { return .silent }
    return await FargateProfileVerdict(profile: profile, world: world, pod: pod).role(effect.entity)
  }
}

/// No machine of the profile can come up in its subnets.
struct FargateNetworkFails: Link {
  let code = "scheduling/fargate-network"
  let explains: [Effect.Kind] = [.fargateNoMachine]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (pod, profile, gap) = await world.fargate(effect)
    if let gap { return .open([gap]) }
    guard pod != nil, let profile else { return .silent }
    return await FargateProfileVerdict(profile: profile, world: world).network(effect.entity)
  }
}

/// What ``FargateLaunch`` says of a profile, told for a pod of it or for the profile itself.
struct FargateProfileVerdict {
  let profile: FargateProfileReading
  let world: Investigation
  /// The pod that is told of, which is made anew once its profile is in order.
  var pod: JSON?

  private var name: String { profile.profile.name }
  private var unread: Gap { Gap(read: "", why: "not asked here") }
  private var known: Fact<FargateProfile> { .known(profile.profile, .read(profile.source)) }
  private var verify: String { "ekswhy fargateprofile/\(name)" }

  /// Trust and mapping.
  func role(_ entity: Entity) async -> Finding {
    async let trustRead = world.executionRoleIsTrusted(profile)
    async let mapRead = world.executionRoleIsMapped(profile)
    let (trust, map) = await (trustRead, mapRead)
    let verdict = FargateLaunch.decide(
      .init(profile: known, isTrusted: trust, isMapped: map, subnets: .unknown(unread)))
    let evidence = [trust.citation, map.citation].compactMap { $0 }.map { Exhibit($0) }
    let gaps = [trust.gap, map.gap].compactMap { $0 }
    let role = profile.profile.role
    guard verdict.isNo, let reason = verdict.reasons.last else {
      return gaps.isEmpty
        ? .refuted("its pod execution role \(role) trusts Fargate and is a node to the cluster", evidence) : .open(gaps)
    }
    let isTrust = reason.code.hasSuffix("/trust")
    let code = isTrust ? "scheduling/fargate-role-trust" : "scheduling/fargate-role-not-mapped"
    let root = RootCause(
      code, layer: isTrust ? .aws : .eks, entity: Entity("Role", role), statement: reason.text,
      evidence: reason.evidence.map { Exhibit($0) }, fixes: [isTrust ? trustFix : await mapFix()])
    return .holds(
      Explanation(
        "profile \(name) is blocked for new launches: its pod execution role can't be used", entity: entity,
        evidence: evidence, root: root))
  }

  private var trustFix: Fix {
    let role = profile.profile.role
    let name = ARN.parse(role)?.name ?? role
    let pattern = profile.arn.split(separator: "/").prefix(2).joined(separator: "/") + "/*"
    let document =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks-fargate-pods.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"\#(pattern)"}}}]}"#
    return Fix(
      "lets Fargate's machines of this cluster take the role; where the role is gone, make it first",
      command:
        "aws iam update-assume-role-policy --role-name \(Shell.quote(name)) --policy-document \(Shell.quote(document))\(world.target.awsOptions)",
      owner: "hand", touches: ["role/\(name)"], verify: verify, expectWithin: "1m")
  }

  private func mapFix() async -> Fix {
    let role = profile.profile.role
    let mode = await world.cluster().first?["accessConfig"]["authenticationMode"].string ?? "CONFIG_MAP"
    let isAlone = pod?["metadata"]["ownerReferences"].items.isEmpty ?? true
    let again = isAlone ? nil : pod.map { world.recreate($0) }
    let after = again == nil ? "then make pods anew that Fargate has given up" : "and the pod is made anew"
    guard mode != "CONFIG_MAP" else { return await lineFix(role, after, again) }
    let which =
      "--cluster-name \(Shell.quote(world.target.cluster ?? "CLUSTER")) --principal-arn \(Shell.quote(role))"
    var commands = ["aws eks create-access-entry \(which) --type FARGATE_LINUX\(world.target.awsOptions)"]
    let present = await world.aws(
      .describeAccessEntry, ["clusterName": world.target.cluster ?? "", "principalArn": role])
    // An entry's type can't be changed.
    if present.first != nil {
      commands.insert("aws eks delete-access-entry \(which)\(world.target.awsOptions)", at: 0)
    }
    return Fix(
      "maps the role to Fargate's nodes; \(after)",
      command: (commands + [again].compactMap { $0 }).joined(separator: " && "),
      owner: "hand", touches: ["accessentry/\(role)"], restarts: again != nil, verify: verify, expectWithin: "2m")
  }

  /// The role's line in aws-auth, beside those that are there.
  private func lineFix(_ role: String, _ after: String, _ again: String?) async -> Fix {
    let read = await world.object(.configMaps, namespace: "kube-system", name: "aws-auth")
    guard read.gap == nil else {
      return Fix(
        "put a line for \(role) into mapRoles of kube-system/aws-auth, with username system:node:{{SessionName}} and the groups system:bootstrappers, system:nodes and system:node-proxier; \(after)",
        owner: "hand", touches: ["configmap/aws-auth"], verify: verify)
    }
    var fix = AWSAuthFix(
      arn: CanonicalARN.strippingPath(role), username: "system:node:{{SessionName}}",
      groups: ["system:bootstrappers", "system:nodes", "system:node-proxier"], outcome: after
    ).fix(read.first, nil, verify: verify, world)
    guard let command = fix.command, let again else { return fix }
    fix.command = "\(command) && \(again)"
    fix.restarts = true
    return fix
  }

  /// Addresses and the way out.
  func network(_ entity: Entity) async -> Finding {
    let subnets = await world.fargateSubnets(profile)
    if let gap = subnets.gap { return .open([gap]) }
    let verdict = FargateLaunch.decide(
      .init(profile: known, isTrusted: .known(true), isMapped: .known(true), subnets: subnets))
    let evidence = [subnets.citation].compactMap { $0 }.map { Exhibit($0) }
    guard verdict.isNo, let reason = verdict.reasons.last else {
      return .refuted(verdict.reasons.last?.text ?? "its subnets have room and a way out", evidence)
    }
    let isRoom = reason.code.hasSuffix("/no-addresses")
    let ids = reason.details["subnets"].strings
    let root = RootCause(
      isRoom ? "scheduling/fargate-no-addresses" : "scheduling/fargate-no-way-out", layer: .aws,
      entity: Entity("Subnet", ids.first ?? ""), statement: reason.text, evidence: evidence,
      fixes: [
        isRoom
          ? Fix(
            "free addresses in \(Count.list(ids)), or make a profile with larger subnets: a profile can't be changed",
            owner: "unknown", touches: ids.map { "subnet/\($0)" }, verify: verify)
          : await wayFix(ids)
      ])
    return .holds(
      Explanation(
        isRoom
          ? "no machine gets an address in a subnet of profile \(name)" : "a machine of profile \(name) is cut off",
        entity: entity, evidence: evidence, root: root))
  }

  /// The route that a machine needs, by a NAT gateway of the VPC where there is one.
  private func wayFix(_ ids: [String]) async -> Fix {
    var fix = Fix(
      "route 0.0.0.0/0 of \(Count.list(ids)) to a NAT gateway, or give the VPC endpoints for ecr.api, ecr.dkr and s3 and the cluster a private endpoint",
      owner: "unknown", touches: ids.map { "subnet/\($0)" }, verify: verify)
    let subnets = await world.aws(.describeSubnets, filters: ["SubnetIds": ids])
    let vpc = subnets.first?["VpcId"].string ?? ""
    let tables = await world.aws(.describeRouteTables, filters: ["vpc-id": [vpc]])
    let gateways = await world.aws(.describeNatGateways, filters: ["vpc-id": [vpc]])
    let gateway = gateways.items.first {
      $0["State"].string == "available" && !ids.contains($0["SubnetId"].string ?? "")
    }?["NatGatewayId"].string
    let found = ids.compactMap { FargateLaunch.Way.table(of: $0, vpc: vpc, in: tables.items) }
    guard let gateway, !found.isEmpty, subnets.gap == nil, tables.gap == nil else { return fix }
    var commands: [String] = []
    for table in found {
      // A route whose target is gone stands in the way of another.
      let stands = table["Routes"].items.contains { $0["DestinationCidrBlock"].string == "0.0.0.0/0" }
      let command =
        "aws ec2 \(stands ? "replace" : "create")-route --route-table-id \(table["RouteTableId"].string ?? "") --destination-cidr-block 0.0.0.0/0 --nat-gateway-id \(gateway)\(world.target.awsOptions)"
      if !commands.contains(command) { commands.append(command) }
    }
    fix.statement =
      "routes \(Count.list(ids)) by the NAT gateway \(gateway); or give the VPC endpoints for ecr.api, ecr.dkr and s3 and the cluster a private endpoint"
    fix.command = commands.joined(separator: " && ")
    fix.owner = "hand"
    fix.expectWithin = "5m"
    return fix
  }
}
