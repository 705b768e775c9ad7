import Wire
package import World

/// Says that a ServiceCIDR is ready, and lets none go of which a Service still has its address.
///
/// Source: kubernetes `pkg/controller/servicecidrs`.
package struct ServiceCIDRController: Reconciler {
  package static let name = "service-cidrs-controller"
  package static let eventSource = "service-cidr-controller"
  package static let resources = [blocks, addresses]

  static let finalizer = "networking.k8s.io/service-cidr-finalizer"
  static let managedBy = "ipaddress.kubernetes.io/managed-by"
  /// Who writes the IPAddresses of Services.
  static let allocator = "ipallocator.k8s.io"

  private static let blocks = "servicecidrs.networking.k8s.io"
  private static let addresses = "ipaddresses.networking.k8s.io"
  /// For so long whoever gives addresses may not have heard of the end.
  private static let grace = Duration.seconds(10)

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    let blocks = desk.list(Self.blocks)
    if reference.resource == Self.addresses {
      return blocks.filter { block in Self.prefixes(block).contains { $0.contains(reference.name) } }.map(\.name)
    }
    guard let changed = blocks.first(where: { $0.name == reference.name }) else { return blocks.map(\.name) }
    let own = Self.prefixes(changed)
    return [reference.name]
      + blocks.filter { other in
        other.name != reference.name && Self.prefixes(other).contains { one in own.contains { $0.overlaps(one) } }
      }.map(\.name)
  }

  /// A block of either family.
  private enum Prefix {
    case plain(CIDR)
    case six(IPv6CIDR)

    init?(_ text: String) {
      if let block = CIDR(text) {
        self = .plain(block)
      } else if let block = IPv6CIDR(text) {
        self = .six(block)
      } else {
        return nil
      }
    }

    func contains(_ address: String) -> Bool {
      switch self {
      case .plain(let block): IPv4Address(address).map { block.contains($0) } ?? false
      case .six(let block): IPv6Address(address).map { block.contains($0) } ?? false
      }
    }

    func contains(_ other: Prefix) -> Bool {
      switch (self, other) {
      case (.plain(let block), .plain(let other)): block.contains(other)
      case (.six(let block), .six(let other)): block.contains(other)
      default: false
      }
    }

    func overlaps(_ other: Prefix) -> Bool { contains(other) || other.contains(self) }
  }

  private static func prefixes(_ block: ObjectView) -> [Prefix] {
    block.spec["cidrs"].strings.compactMap { Prefix($0) }
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let block = desk.get(Self.blocks, key: key) else { return }
    guard block.isTerminating else {
      if !block.finalizers.contains(Self.finalizer) {
        desk.send(
          desk.client.patch(Self.blocks, "", block.name, ["metadata": ["finalizers": [.string(Self.finalizer)]]]),
          "update")
      }
      let isReady = block.condition("Ready")["status"].string == "True"
      if !isReady { tell(block, "True", reason: "", "Kubernetes Service CIDR is ready", &desk) }
      return
    }
    guard mayGo(block, desk) else {
      return tell(
        block, "False", reason: "Terminating",
        "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
        &desk)
    }
    let left = (block.json["metadata"]["deletionTimestamp"].time ?? desk.now) + Self.grace - desk.now
    guard left <= .zero else { return desk.again(after: left) }
    guard block.finalizers.contains(Self.finalizer) else { return }
    desk.send(
      desk.client.patch(
        Self.blocks, "", block.name,
        ["metadata": ["$deleteFromPrimitiveList/finalizers": [.string(Self.finalizer)]]]), "delete")
  }

  /// Whether every address of the block would still be in one that stays.
  private func mayGo(_ block: ObjectView, _ desk: Desk) -> Bool {
    let others = desk.list(Self.blocks).filter { $0.name != block.name }.flatMap(Self.prefixes)
    let own = Self.prefixes(block)
    if own.allSatisfy({ prefix in others.contains { $0.contains(prefix) } }) { return true }
    return !desk.list(Self.addresses).contains { record in
      guard record.labels[Self.managedBy].string == Self.allocator else { return false }
      return own.contains { $0.contains(record.name) } && !others.contains { $0.contains(record.name) }
    }
  }

  private func tell(
    _ block: ObjectView, _ value: String, reason: String, _ message: String, _ desk: inout Desk
  ) {
    let old = block.condition("Ready")
    if old["status"].string == value, old["message"].string == message { return }
    var status = block.status
    status["conditions"] = .array(
      status["conditions"].items.filter { $0["type"].string != "Ready" } + [
        [
          "type": "Ready", "status": .string(value), "reason": .string(reason), "message": .string(message),
          "lastTransitionTime": old["status"].string == value ? old["lastTransitionTime"] : desk.now.json,
        ]
      ])
    desk.updateStatus(Self.blocks, desk.get(Self.blocks, key: block.name) ?? block, status)
  }
}
