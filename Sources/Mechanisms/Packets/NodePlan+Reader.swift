package import Wire

extension NodePlan {
  /// A node as its interfaces (`DescribeNetworkInterfaces` of the instance), its pods and aws-node's settings show
  /// it; nil where its primary interface is not among them.
  package static func read(
    name: String, interfaces: [JSON], pods: [JSON], settings: CNISettings, fabric: Fabric, osImage: String = ""
  ) -> NodePlan? {
    var enis: [ENI] = []
    for interface in interfaces where interface["InterfaceType"].string != "trunk" {
      guard let port = interface["NetworkInterfaceId"].string.flatMap({ fabric.port(named: $0) }),
        let primary = fabric.ports[port].addresses.first
      else { continue }
      let device = interface["Attachment"]["DeviceIndex"].int ?? 0
      enis.append(
        ENI(device: device, primary: primary, subnet: fabric.subnets[fabric.ports[port].subnet].block, port: port))
    }
    guard enis.contains(where: { $0.device == 0 }) else { return nil }
    let vpc = fabric.subnets[fabric.ports[enis[0].port!].subnet].vpc
    var plan = NodePlan(
      name, enis: enis, settings: settings, vpcBlocks: fabric.vpcs[vpc].blocks,
      naming: osImage.contains("Amazon Linux 2023") ? .ens : .eth)
    for pod in pods {
      let phase = pod["status"]["phase"].string
      guard pod["spec"]["hostNetwork"].bool != true, phase != "Succeeded", phase != "Failed",
        let text = pod["status"]["podIP"].string
      else { continue }
      let namespace = pod["metadata"]["namespace"].string ?? ""
      let podName = pod["metadata"]["name"].string ?? ""
      let uid = pod["metadata"]["uid"].string ?? ""
      if let egress = egress(namespace, podName, text, settings) { plan.pods.append(egress) }
      guard let address = IPv4Address(text) else { continue }
      if let branch = branch(pod, fabric) {
        plan.pods.append(Pod(namespace, podName, address, branch: branch, uid: uid))
        continue
      }
      let device = plan.enis.first { eni in
        let port = fabric.ports[eni.port!]
        return port.addresses.contains(address) || port.prefixes.contains { $0.contains(address) }
      }?.device
      // An address on none of them is no pod of this network.
      if let device { plan.pods.append(Pod(namespace, podName, address, device: device, uid: uid)) }
    }
    return plan
  }

  /// What a pod of an IPv6 cluster has of IPv4; nil where it has nothing.
  package static func egress(
    _ namespace: String, _ name: String, _ address: String, _ settings: CNISettings
  ) -> Pod? {
    guard settings.isIPv6, settings.hasIPv4Egress, let six = IPv6Address(address) else { return nil }
    var pod = Pod(namespace, name, IPv4Egress.address(ofPod: six))
    pod.isEgress = true
    return pod
  }

  private static func branch(_ pod: JSON, _ fabric: Fabric) -> Branch? {
    guard let text = pod["metadata"]["annotations"]["vpc.amazonaws.com/pod-eni"].string,
      let first = (try? JSON.parse(text))?.items.first, let vlan = first["vlanId"].int,
      let subnet = first["subnetCidr"].string.flatMap({ CIDR($0) })
    else { return nil }
    return Branch(vlan: vlan, subnet: subnet, port: first["eniId"].string.flatMap { fabric.port(named: $0) })
  }
}

extension CNISettings {
  /// From the DaemonSet `aws-node`.
  package init(daemonSet: JSON) { self.init(podSpec: daemonSet["spec"]["template"]["spec"]) }

  /// From the spec of a pod of `aws-node`.
  package init(podSpec: JSON) {
    func environment(_ list: String, _ name: String) -> [String: String] {
      var out: [String: String] = [:]
      let container = podSpec[list].items.first { $0["name"].string == name }
      for variable in container?["env"].items ?? [] {
        if let name = variable["name"].string, let value = variable["value"].string { out[name] = value }
      }
      return out
    }
    self.init(
      environment: environment("containers", "aws-node"),
      initialEnvironment: environment("initContainers", "aws-vpc-cni-init"))
  }
}
