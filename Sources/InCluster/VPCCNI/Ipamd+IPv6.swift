import Mechanisms
import Wire
import World

/// In an IPv6 cluster: one /80 prefix on the primary interface, asked for once.
extension Ipamd {
  mutating func discoveredIPv6(_ interfaces: [JSON], _ context: Context) {
    let primary = interfaces.first { ($0["Attachment"]["DeviceIndex"].int ?? 0) == 0 } ?? .null
    let id = primary["NetworkInterfaceId"].string ?? ""
    let prefixes = primary["Ipv6Prefixes"].items.compactMap { $0["Ipv6Prefix"].string.flatMap { IPv6CIDR($0) } }
    log("debug", "ENI \(id) has \(prefixes.count) prefixe(s) attached", context, caller: "ipamd/ipamd.go")
    if let first = prefixes.first { return serveIPv6(id, first, context) }
    phase = .prescaling
    log("debug", "No IPv6 Prefix(es) found for ENI: \(id)", context, caller: "ipamd/ipamd.go")
    call("AssignIpv6Addresses", ["NetworkInterfaceId": .string(id), "Ipv6PrefixCount": 1], "prefix6", context)
  }

  mutating func assignedIPv6(_ reply: AWSReply, _ context: Context) {
    if let error = reply.error {
      failed("AssignIpv6Addresses", error, context)
      return exit("failed to assign an IPv6 prefix to the primary ENI: \(error.code): \(error.message)", context)
    }
    let output = reply.output ?? .null
    let id = output["NetworkInterfaceId"].string ?? ""
    guard let prefix = output["AssignedIpv6Prefixes"].strings.first.flatMap({ IPv6CIDR($0) }) else {
      return exit("failed to assign an IPv6 prefix to the primary ENI", context)
    }
    log("debug", "Successfully allocated an IPv6Prefix for ENI: \(id)", context, caller: "ipamd/ipamd.go")
    serveIPv6(id, prefix, context)
  }

  private mutating func serveIPv6(_ eni: String, _ prefix: IPv6CIDR, _ context: Context) {
    var pool = IPv6Pool(eni: eni, prefix: prefix)
    for pod in context.world.kube.host?.list(cluster: launch.cluster, resource: "pods", namespace: "") ?? [] {
      let pod = ObjectView(pod)
      guard pod.nodeName == launch.nodeName, pod.spec["hostNetwork"].bool != true, !pod.isPodFinished,
        let address = pod.status["podIP"].string.flatMap({ IPv6Address($0) })
      else { continue }
      pool.restore(pod.uid, address)
    }
    six = pool
    serve(context)
  }

  mutating func giveIPv6(_ uid: String, _ value: JSON, _ context: Context) {
    guard let address = six?.give(uid, at: context.now, cooldown: pool.settings.cooldown) else { return }
    log(
      "info", "Send AddNetworkReply: Success: true IPv4Addr: , IPv6Addr: \(address), DeviceNumber: 0, err: <nil>",
      context, caller: "rpc_handler.go")
    context.send(
      launch.kubelet, "cni", ["uid": .string(uid), "sandbox": value["sandbox"], "address": .string("\(address)")])
  }

  mutating func releaseIPv6(_ uid: String, _ context: Context) {
    guard let address = six?.release(uid, at: context.now) else { return }
    log("info", "UnassignPodIPAddress: sandbox's ipAddr \(address), DeviceNumber 0", context)
  }
}
