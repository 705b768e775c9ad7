package import Wire

/// The interface that a pod has of its own: what its annotation says.
package struct PodENI: Sendable, Equatable {
  package static let resource = "vpc.amazonaws.com/pod-eni"
  /// The annotation has the resource's name.
  /// What the resource controller says where it has made a branch for the very pod before.
  package static let clash = "cannot create new eni entry already exist"
  package static let annotation = resource
  package static let feature = "SecurityGroupsForPods"
  package static let cooldownKey = "branch-eni-cooldown"
  /// Seconds.
  package static let defaultCooldown = 60
  package static let minimumCooldown = 30

  package var eni: String
  package var mac: String
  package var address: String
  package var vlan: Int
  package var subnetCIDR: String
  package var association: String

  package init(eni: String, mac: String, address: String, vlan: Int, subnetCIDR: String, association: String) {
    self.eni = eni
    self.mac = mac
    self.address = address
    self.vlan = vlan
    self.subnetCIDR = subnetCIDR
    self.association = association
  }

  /// What a pod's annotation tells; nil where it has none.
  package init?(pod: JSON) {
    guard let text = pod["metadata"]["annotations"][Self.annotation].string, let json = try? JSON.parse(text),
      let first = json.items.first, let eni = first["eniId"].string
    else { return nil }
    self.init(
      eni: eni, mac: first["ifAddress"].string ?? "", address: first["privateIp"].string ?? "",
      vlan: first["vlanId"].int ?? 0, subnetCIDR: first["subnetCidr"].string ?? "",
      association: first["associationID"].string ?? "")
  }

  /// The annotation's text.
  package var text: String {
    let one: JSON = [
      "eniId": .string(eni), "ifAddress": .string(mac), "privateIp": .string(address), "ipv6Addr": "",
      "vlanId": JSON(vlan), "subnetCidr": .string(subnetCIDR), "subnetV6Cidr": "",
      "associationID": .string(association),
    ]
    return JSON.array([one]).text()
  }

  /// Whether a pod asks for an interface of its own.
  package static func isWanted(by pod: JSON) -> Bool {
    pod["spec"]["containers"].items.contains { container in
      let resources = container["resources"]
      return !resources["limits"][resource].isNull || !resources["requests"][resource].isNull
    }
  }

  /// The patch that has a new pod ask for one: in its first container, limits and requests.
  package static func patch(_ pod: JSON) -> JSON {
    var operations: [JSON] = []
    let resources = pod["spec"]["containers"][0]["resources"]
    let key = resource.split(separator: "/").joined(separator: "~1")
    if resources.isNull { operations.append(add("/spec/containers/0/resources", [:])) }
    for part in ["limits", "requests"] {
      if resources[part].isNull { operations.append(add("/spec/containers/0/resources/\(part)", [:])) }
      operations.append(add("/spec/containers/0/resources/\(part)/\(key)", "1"))
    }
    return .array(operations)
  }

  private static func add(_ path: String, _ value: JSON) -> JSON {
    ["op": "add", "path": .string(path), "value": value]
  }

  /// Seconds that a branch waits before it is deleted, by the ConfigMap `kube-system/amazon-vpc-cni`.
  package static func cooldown(configMap: JSON) -> Int {
    guard let text = configMap["data"][cooldownKey].string, let seconds = Int(text) else { return defaultCooldown }
    return max(seconds, minimumCooldown)
  }
}
