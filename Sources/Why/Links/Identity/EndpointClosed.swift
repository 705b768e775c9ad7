import Evidence
import Mechanisms
import Wire

/// The cluster's endpoint takes no connections from where the caller is, or there is none yet.
struct EndpointClosed: Link {
  let code = "identity/endpoint-closed"
  let explains: [Effect.Kind] = [.endpointUnreached]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let cluster = await world.cluster()
    guard let item = cluster.first, let name = item["name"].string else {
      return .open([cluster.gap ?? Gap(read: "eks:DescribeCluster", why: "there is no such cluster")])
    }
    let status = item["status"].string ?? ""
    let access = item["resourcesVpcConfig"]
    let cidrs = access["publicAccessCidrs"].strings
    func source(_ field: String, _ value: String) -> Source {
      .read(Cite.aws(.describeCluster, name, field: field, value: value, at: cluster.at))
    }
    if ["CREATING", "DELETING", "FAILED", "PENDING"].contains(status) {
      let evidence = [Exhibit(Cite.aws(.describeCluster, name, field: "status", value: status, at: cluster.at))]
      return .holds(
        Explanation(
          "the cluster is \(status)", entity: effect.entity, evidence: evidence,
          root: RootCause(
            "identity/cluster-\(status.lowercased())", layer: .eks, entity: effect.entity,
            statement: "cluster \(name) is \(status), and has no endpoint that answers", evidence: evidence)))
    }
    let isPublic = access["endpointPublicAccess"].bool ?? true
    let admits = cidrs.isEmpty ? [CIDR.everything] : cidrs.compactMap { CIDR($0) }
    var from = Fact<IPv4Address>.known(IPv4Address(bits: 0))
    if isPublic, !admits.contains(.everything) { from = await world.ownAddress() }
    let verdict = EndpointAdmission.decide(
      .init(
        isPublic: .known(isPublic, source("resourcesVpcConfig.endpointPublicAccess", "\(isPublic)")),
        admits: .known(admits, source("resourcesVpcConfig.publicAccessCidrs", cidrs.joined(separator: ", "))),
        from: from))
    let evidence = verdict.reasons.flatMap(\.evidence).map { Exhibit($0) }
    switch verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes:
      return .refuted(verdict.reasons.last?.text ?? "the endpoint takes connections from outside", evidence)
    case .no: break
    }
    let reason = verdict.reasons[verdict.reasons.count - 1]
    let isPrivate = reason.code.hasSuffix("/private")
    return .holds(
      Explanation(
        "packets to the endpoint are dropped: \(reason.text)", entity: effect.entity, evidence: evidence,
        root: RootCause(
          isPrivate ? "identity/endpoint-private-only" : "identity/endpoint-not-admitted", layer: .eks,
          entity: effect.entity, statement: "cluster \(name): \(reason.text)", evidence: evidence,
          fixes: fixes(name, isPrivate, cidrs, reason, world))))
  }

  private func fixes(
    _ name: String, _ isPrivate: Bool, _ cidrs: [String], _ reason: Because, _ world: Investigation
  ) -> [Fix] {
    let address = reason.evidence.last?.value ?? ""
    let update = "aws eks update-cluster-config --name \(Shell.quote(name)) --resources-vpc-config "
    let aws = world.target.awsOptions
    let wait = " && aws eks wait cluster-active --name \(Shell.quote(name))\(aws)"
    let verify = "kubectl get --raw /readyz"
    guard isPrivate else {
      let list = (cidrs + ["\(address)/32"]).joined(separator: ",")
      return [
        Fix(
          "admits this address too", command: "\(update)publicAccessCidrs=\(list)\(aws)\(wait)", owner: "hand",
          touches: ["cluster/\(name)"],
          undo: "\(update)publicAccessCidrs=\(cidrs.joined(separator: ","))\(aws)", verify: verify, expectWithin: "10m")
      ]
    }
    return [
      Fix(
        "connect from inside: by a VPN, a peering connection or a machine of the VPC, with port 443 let into the cluster's security group",
        owner: "hand", touches: ["the client's network"], verify: verify),
      Fix(
        "opens the endpoint to the Internet again", command: "\(update)endpointPublicAccess=true\(aws)\(wait)",
        owner: "hand", touches: ["cluster/\(name)"], undo: "\(update)endpointPublicAccess=false\(aws)", verify: verify,
        expectWithin: "10m"),
    ]
  }
}

extension Investigation {
  /// The address from which AWS sees the caller, as CloudTrail wrote it down.
  func ownAddress() async -> Fact<IPv4Address> {
    let gap = Gap(
      read: "the public address of this machine", why: "no call of this caller is in CloudTrail yet",
      how: "curl https://checkip.amazonaws.com, and compare it with publicAccessCidrs")
    guard let caller = await aws(.getCallerIdentity).first?["Arn"].string else { return .unknown(gap) }
    let found = await aws(.lookupEvents, filters: ["EventName": ["DescribeCluster"]])
    if let missing = found.gap { return .unknown(missing) }
    for item in found.items {
      guard let event = item["CloudTrailEvent"].string.flatMap({ try? JSON.parse(Array($0.utf8)) }),
        event["userIdentity"]["arn"].string == caller,
        let address = event["sourceIPAddress"].string.flatMap({ IPv4Address($0) })
      else { continue }
      return .known(
        address,
        .read(
          Citation(
            source: "cloudtrail", locator: "DescribeCluster \(event["eventID"].string ?? "")", field: "sourceIPAddress",
            value: address.description, at: item["EventTime"].time)))
    }
    return .unknown(gap)
  }
}
