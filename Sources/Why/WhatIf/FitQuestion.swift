import Evidence
import Mechanisms
import Wire

/// How many pods get an address on nodes that are yet to come.
package struct FitQuestion: Sendable {
  /// What is asked; what is nil is as the cluster has it.
  package struct Wish: Sendable {
    package var type: String?
    package var nodes = 1
    package var pods: Int?
    package var maxPods: Int?
    package var subnets: [String] = []
    package var prefixes: Bool?
    package var customNetworking: Bool?
    package var podENI: Bool?
    /// Variables of aws-node, by name.
    package var variables: [String: String] = [:]

    package init() {}
  }

  private let world: Investigation

  package init(_ world: Investigation) { self.world = world }

  package func ask(_ wish: Wish) async throws(QuestionError) -> FitReport {
    var assumed: [String] = []
    var gaps: [Gap] = []
    let nodes = await world.list(.nodes)
    if let gap = nodes.gap { gaps.append(gap) }
    let type = try self.type(wish, nodes.items, &assumed)
    let limitsRead = await world.limits(of: type)
    guard let limits = limitsRead.value else {
      throw .noSuchObject("instance type \(type) whose limits are known")
    }
    let (settings, settingsFrom) = await settings(wish, &gaps)
    let (maxPods, maxPodsFrom) = maxPods(wish, type, nodes.items)
    let ids = await subnetIDs(wish, &gaps)
    let subnets = try await spaces(ids, &gaps)
    var podSubnets: [PodFit.Subnet] = []
    if settings.customNetworking {
      let configs = await world.list(.eniConfigs)
      if let gap = configs.gap { gaps.append(gap) }
      var wanted: [String] = []
      for id in configs.items.compactMap({ $0["spec"]["subnet"].string }) where !wanted.contains(id) {
        wanted.append(id)
      }
      podSubnets = try await spaces(wanted, &gaps)
      if podSubnets.isEmpty {
        throw .unsupported("custom networking is asked about, and there is no ENIConfig whose subnet could be read")
      }
    }
    var nodeSubnets = subnets
    if nodeSubnets.isEmpty {
      assumed.append("a subnet with room for all: none was named or read")
      nodeSubnets = [.init("any", SubnetSpace(CIDR(IPv4Address(bits: 0x0a00_0000), length: 16)))]
    }
    let plan = PodFit.Plan(
      limits: limits, settings: settings, maxPods: maxPods, nodes: wish.nodes, subnets: nodeSubnets,
      podSubnets: podSubnets, pods: wish.pods)
    var report = FitReport(
      target: world.target, asOf: world.now, plan: plan, outcome: PodFit.simulate(plan), settingsFrom: settingsFrom,
      maxPodsFrom: maxPodsFrom, assumed: assumed, gaps: gaps)
    report.alternatives = FitQuestion.alternatives(plan)
    return report
  }

  private func type(_ wish: Wish, _ nodes: [JSON], _ assumed: inout [String]) throws(QuestionError) -> String {
    if let type = wish.type { return type }
    var counts: [String: Int] = [:]
    for type in nodes.compactMap({ NodeState($0).instanceType }) { counts[type, default: 0] += 1 }
    guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) })?.key else {
      throw .unsupported("name an instance type: the cluster has no node to take one from")
    }
    assumed.append("\(most), as the cluster's nodes are")
    return most
  }

  private func settings(_ wish: Wish, _ gaps: inout [Gap]) async -> (PoolSettings, String) {
    var from = "daemonset/aws-node"
    var settings = PoolSettings()
    let object = await world.awsNode()
    switch object.value.map({ PoolSettings.read(awsNode: $0) }) ?? .unknown(object.gap!) {
    case .known(let value, _): settings = value
    case .unknown(let gap):
      gaps.append(gap)
      from = "the CNI's defaults"
    }
    let before = settings
    if !wish.variables.isEmpty {
      let named = PoolSettings(environment: wish.variables)
      if wish.variables["WARM_ENI_TARGET"] != nil { settings.warmENITarget = named.warmENITarget }
      if wish.variables["WARM_IP_TARGET"] != nil { settings.warmIPTarget = named.warmIPTarget }
      if wish.variables["MINIMUM_IP_TARGET"] != nil { settings.minimumIPTarget = named.minimumIPTarget }
      if wish.variables["WARM_PREFIX_TARGET"] != nil { settings.warmPrefixTarget = named.warmPrefixTarget }
      if wish.variables["MAX_ENI"] != nil { settings.maxENI = named.maxENI }
    }
    settings.prefixDelegation = wish.prefixes ?? settings.prefixDelegation
    settings.customNetworking = wish.customNetworking ?? settings.customNetworking
    settings.podENI = wish.podENI ?? settings.podENI
    return (settings, settings == before ? from : "\(from), changed as asked")
  }

  private func maxPods(_ wish: Wish, _ type: String, _ nodes: [JSON]) -> (Int, String) {
    if let asked = wish.maxPods { return (asked, "as asked") }
    let same = nodes.first { NodeState($0).instanceType == type }
    if let text = same?["status"]["capacity"]["pods"].string, let number = Int(text) {
      return (number, "as nodes of that type have")
    }
    return (MaxPods.nodeadm(type), "what nodeadm sets for the type")
  }

  private func subnetIDs(_ wish: Wish, _ gaps: inout [Gap]) async -> [String] {
    if !wish.subnets.isEmpty { return wish.subnets }
    let cluster = await world.cluster()
    if let gap = cluster.gap { gaps.append(gap) }
    return cluster.first?["resourcesVpcConfig"]["subnetIds"].strings ?? []
  }

  /// The subnets as full as they are.
  private func spaces(_ ids: [String], _ gaps: inout [Gap]) async throws(QuestionError) -> [PodFit.Subnet] {
    var spaces: [PodFit.Subnet] = []
    for id in ids {
      let found = await world.aws(.describeSubnets, filters: ["subnet-id": [id]])
      guard let block = found.first?["CidrBlock"].string.flatMap({ CIDR($0) }) else {
        if let gap = found.gap {
          gaps.append(gap)
          continue
        }
        throw .noSuchObject("subnet \(id)")
      }
      let interfaces = await world.aws(.describeNetworkInterfaces, filters: ["subnet-id": [id]])
      if let gap = interfaces.gap { gaps.append(gap) }
      let singles = interfaces.items.flatMap { eni in
        eni["PrivateIpAddresses"].items.compactMap { $0["PrivateIpAddress"].string.flatMap { IPv4Address($0) } }
      }
      let prefixes = interfaces.items.flatMap { eni in
        eni["Ipv4Prefixes"].items.compactMap { $0["Ipv4Prefix"].string.flatMap { CIDR($0) } }
      }
      spaces.append(.init(id, SubnetSpace(block, used: singles, prefixes: prefixes)))
    }
    return spaces
  }

  /// What else could be set, where it would take more pods.
  private static func alternatives(_ plan: PodFit.Plan) -> [FitReport.Alternative] {
    let present = PodFit.simulate(plan).pods
    var found: [FitReport.Alternative] = []
    func tried(_ what: String, _ change: (inout PodFit.Plan) -> Void) {
      var other = plan
      change(&other)
      let pods = PodFit.simulate(other).pods
      if pods > present { found.append(.init(what: what, pods: pods)) }
    }
    let recommended = MaxPods.recommended(
      plan.limits, prefixDelegation: plan.settings.prefixDelegation, customNetworking: plan.settings.customNetworking)
    if recommended > plan.maxPods { tried("max-pods \(recommended)") { $0.maxPods = recommended } }
    if !plan.settings.warmDefined {
      tried("WARM_IP_TARGET=2, MINIMUM_IP_TARGET=6") {
        ($0.settings.warmIPTarget, $0.settings.minimumIPTarget) = (2, 6)
      }
    }
    if !plan.settings.prefixDelegation, plan.limits.supportsPrefixes {
      let most = MaxPods.recommended(
        plan.limits, prefixDelegation: true, customNetworking: plan.settings.customNetworking)
      tried("ENABLE_PREFIX_DELEGATION=true with max-pods \(most)") {
        $0.settings.prefixDelegation = true
        $0.maxPods = most
      }
    }
    return found
  }
}
