import Mechanisms
import Wire
import World

/// Branches: made for pods, kept a while after them.
extension TrunkInterface {
  /// The delete queue is looked at as often.
  private static let queueInterval: Duration = .seconds(30)
  /// A pod whose branch is in the cache already is asked about again as often.
  private static let clashInterval: Duration = .seconds(60)

  mutating func podChanged(_ key: String, _ context: Context) {
    let parts = key.split(separator: "/").map(String.init)
    let pod = parts.count == 2 ? reads(context).object("pods", parts[0], parts[1]) : nil
    let uid = pod.map { ObjectView($0).uid }
    let isOver = pod.map { ObjectView($0).isPodFinished } ?? true
    for index in branches.indices
    where branches[index].pod == key && branches[index].freedAt == nil && (isOver || branches[index].uid != uid) {
      free(index, context)
    }
    guard let pod, !isOver, PodENI.isWanted(by: pod), PodENI(pod: pod) == nil, pod["spec"]["nodeName"].string == node
    else {
      waiting.removeAll { $0 == key }
      return
    }
    guard current != key, !waiting.contains(key) else { return }
    if let known = branches.first(where: { $0.uid == uid && $0.freedAt == nil }) {
      tellClash(known, pod, context)
      return
    }
    waiting.append(key)
    allocateNext(context)
  }

  /// A pod has lost its annotation, or never got it, and its branch stands in the controller's cache all the same.
  private mutating func tellClash(_ branch: Branch, _ pod: JSON, _ context: Context) {
    tellPod(
      pod, "Warning", "BranchAllocationFailed",
      "failed to allocate branch ENI to pod: \(PodENI.clash), older entry : [0xc000\(branch.eni.suffix(6))]", context)
    let parts = branch.pod.split(separator: "/").map(String.init)
    context.send(
      context.id, "pod", ["namespace": .string(parts[0]), "name": .string(parts[1])], after: Self.clashInterval)
  }

  private mutating func free(_ index: Int, _ context: Context) {
    branches[index].freedAt = context.now
    scheduleQueue(context)
  }

  /// The trunk goes with its instance; the branches are deleted one by one.
  mutating func nodeIsGone(_ context: Context) {
    guard !branches.isEmpty else { return context.stop() }
    for index in branches.indices where branches[index].freedAt == nil { branches[index].freedAt = context.now }
    scheduleQueue(context)
  }

  private func scheduleQueue(_ context: Context) {
    guard let first = branches.compactMap(\.freedAt).min() else { return }
    let period = Self.queueInterval.microseconds
    let due = (first + .seconds(reads(context).cooldown)).microseconds
    let turn = Timestamp(microseconds: (due + period - 1) / period * period)
    context.wake("queue", at: max(turn, context.now + .microseconds(1)))
  }

  /// One after the other, each when the trunk has room.
  mutating func allocateNext(_ context: Context) {
    guard phase == .ready, !subnetCIDR.isEmpty, current == nil, let key = waiting.first else { return }
    let parts = key.split(separator: "/").map(String.init)
    guard let pod = reads(context).object("pods", parts[0], parts[1]), PodENI(pod: pod) == nil else {
      waiting.removeFirst()
      return allocateNext(context)
    }
    let verdict = room
    guard verdict.value != nil else {
      // Tried again once a branch may have cooled down.
      if !context.isWaiting(for: "next") {
        context.wake("next", after: .seconds(reads(context).cooldown), .background)
      }
      return
    }
    waiting.removeFirst()
    current = key
    let wanted = reads(context).groups(pod).value ?? []
    if wanted.isEmpty {
      tellPod(
        pod, "Warning", "SecurityGroupRequested",
        "Pod will get the instance security group as the pod didn't match any Security Group from SecurityGroupPolicy",
        context)
    } else {
      tellPod(
        pod, "Normal", "SecurityGroupRequested",
        "Pod will get the following Security Groups [\(wanted.joined(separator: " "))]", context)
    }
    let vlan = verdict.value ?? 0
    ec2(
      "CreateNetworkInterface",
      [
        "SubnetId": .string(subnet), "Groups": JSON(wanted.isEmpty ? groups : wanted),
        "Description": "aws-k8s-branch-eni",
        "TagSpecifications": [
          [
            "ResourceType": "network-interface",
            "Tags": .array(
              tags.items + [
                ["Key": "vpcresources.k8s.aws/trunk-eni-id", "Value": .string(trunk)],
                ["Key": "vpcresources.k8s.aws/vlan-id", "Value": .string(String(vlan))],
              ]),
          ]
        ],
      ], "branch \(vlan)", context)
  }

  /// Whether the trunk takes another branch.
  private var room: Verdict<Int, Because> {
    BranchRoom.decide(
      .init(
        limit: .known(limit), used: .known(branches.filter { $0.freedAt == nil }.map(\.vlan)),
        cooling: .known(branches.filter { $0.freedAt != nil }.map(\.vlan))))
  }

  private func pod(_ context: Context) -> JSON? {
    guard let current else { return nil }
    let parts = current.split(separator: "/").map(String.init)
    return reads(context).object("pods", parts[0], parts[1])
  }

  mutating func branchAnswered(_ tag: String, _ reply: AWSReply, _ context: Context) {
    let words = tag.split(separator: " ").map(String.init)
    switch words.first {
    case "branch": created(Int(words[1]) ?? 0, reply, context)
    case "associate": associated(words[1], reply, context)
    case "release":
      guard let branch = branches.first(where: { $0.eni == words[1] }) else { return }
      ec2("DeleteNetworkInterface", ["NetworkInterfaceId": .string(branch.eni)], "delete \(branch.eni)", context)
    case "delete":
      branches.removeAll { $0.eni == words[1] }
      if branches.isEmpty, reads(context).object("nodes", "", node) == nil { return context.stop() }
      scheduleQueue(context)
      context.cancel("next")
      allocateNext(context)
    default: break
    }
  }

  private mutating func created(_ vlan: Int, _ reply: AWSReply, _ context: Context) {
    guard let interface = reply.output?["NetworkInterface"], let current else {
      if let error = reply.error { branchFailed(error, context) } else { goOn(context) }
      return
    }
    guard let pod = pod(context) else {
      // Its pod went while it was made.
      branches.append(
        Branch(
          pod: current, uid: "", eni: interface["NetworkInterfaceId"].string ?? "",
          mac: interface["MacAddress"].string ?? "", address: interface["PrivateIpAddress"].string ?? "", vlan: vlan,
          freedAt: context.now))
      scheduleQueue(context)
      return goOn(context)
    }
    let branch = Branch(
      pod: current, uid: ObjectView(pod).uid, eni: interface["NetworkInterfaceId"].string ?? "",
      mac: interface["MacAddress"].string ?? "", address: interface["PrivateIpAddress"].string ?? "", vlan: vlan)
    branches.append(branch)
    ec2(
      "AssociateTrunkInterface",
      ["TrunkInterfaceId": .string(trunk), "BranchInterfaceId": .string(branch.eni), "VlanId": JSON(vlan)],
      "associate \(branch.eni)", asEKS: true, context)
  }

  private mutating func associated(_ eni: String, _ reply: AWSReply, _ context: Context) {
    guard let index = branches.firstIndex(where: { $0.eni == eni }) else { return goOn(context) }
    guard let association = reply.output?["InterfaceAssociation"]["AssociationId"].string else {
      branches[index].freedAt = context.now
      scheduleQueue(context)
      branchFailed(reply.error ?? AWSError(code: "InternalError", message: ""), context)
      return
    }
    branches[index].association = association
    let branch = branches[index]
    let text = PodENI(
      eni: branch.eni, mac: branch.mac, address: branch.address, vlan: branch.vlan, subnetCIDR: subnetCIDR,
      association: association
    ).text
    let parts = branch.pod.split(separator: "/").map(String.init)
    context.submit(
      client.patch(
        "pods", parts[0], parts[1],
        ["metadata": ["uid": .string(branch.uid), "annotations": [.init(PodENI.annotation): .string(text)]]], .merge),
      tag: "annotate \(eni)")
  }

  mutating func answered(_ tag: String, _ reply: KubeReply, _ context: Context) {
    guard tag.hasPrefix("annotate "), let index = branches.firstIndex(where: { $0.eni == tag.dropFirst(9) }) else {
      return
    }
    let pod = pod(context)
    if reply.isSuccess {
      let branch = branches[index]
      if let pod {
        let text = pod["metadata"]["annotations"][PodENI.annotation].string ?? ""
        tellPod(pod, "Normal", "ResourceAllocated", "Allocated \(text) to the pod", context)
      } else {
        podChanged(branch.pod, context)
      }
    } else {
      free(index, context)
      if let pod {
        tellPod(
          pod, "Warning", "BranchENIAnnotationFailed",
          "failed to annotate pod with branch ENI details: \(reply.message)", context)
        retry(context)
      }
    }
    goOn(context)
  }

  private mutating func goOn(_ context: Context) {
    current = nil
    allocateNext(context)
  }

  private mutating func branchFailed(_ error: AWSError, _ context: Context) {
    if let pod = pod(context) {
      tellPod(
        pod, "Warning", "BranchAllocationFailed",
        "failed to allocate branch ENI to pod: creating network interface, \(error.code): \(error.message)", context)
      retry(context)
    }
    goOn(context)
  }

  /// The pod whose branch could not be had comes again in a while.
  private func retry(_ context: Context) {
    guard let current else { return }
    let parts = current.split(separator: "/").map(String.init)
    context.send(
      context.id, "pod", ["namespace": .string(parts[0]), "name": .string(parts[1])], after: .seconds(15))
  }

  /// Deletes what has cooled down; with the node gone, everything.
  mutating func deleteCooledDown(_ context: Context) {
    let cooldown = Duration.seconds(reads(context).cooldown)
    for branch in branches {
      guard let freed = branch.freedAt, context.now - freed >= cooldown else { continue }
      if branch.association.isEmpty {
        ec2("DeleteNetworkInterface", ["NetworkInterfaceId": .string(branch.eni)], "delete \(branch.eni)", context)
      } else {
        ec2(
          "DisassociateTrunkInterface", ["AssociationId": .string(branch.association)], "release \(branch.eni)",
          asEKS: true, context)
      }
    }
    if branches.contains(where: { $0.freedAt.map { context.now - $0 < cooldown } ?? false }) { scheduleQueue(context) }
  }
}
