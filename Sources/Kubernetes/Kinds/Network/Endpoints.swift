import Wire

extension KindRules {
  static let endpoints = KindRules(
    defaults: { object in
      object.ifPresent("subsets") { subsets in
        subsets.changeEach { subset in
          subset.ifPresent("ports") { ports in ports.changeEach { $0.setDefault("protocol", "TCP") } }
        }
      }
    },
    validate: { new, _ in
      var errors: [FieldError] = []
      for (index, subset) in new["subsets"].items.enumerated() {
        let at = FieldPath("subsets").index(index)
        if subset["addresses"].items.isEmpty, subset["notReadyAddresses"].items.isEmpty {
          errors.append(.required(at, "must specify `addresses` or `notReadyAddresses`"))
        }
        for list in ["addresses", "notReadyAddresses"] {
          for (place, address) in subset[list].items.enumerated() {
            let at = at.child(list).index(place)
            errors += FieldRules.address(address["ip"], at.child("ip"))
            errors += FieldRules.name(address["hostname"], NameRules.dns1123Label, at.child("hostname"))
            errors += FieldRules.name(address["nodeName"], NameRules.dns1123Subdomain, at.child("nodeName"))
            errors += FieldRules.ordinaryAddress(address["ip"], at.child("ip"))
          }
        }
        let ports = subset["ports"].items
        for (place, port) in ports.enumerated() {
          let at = at.child("ports").index(place)
          if ports.count > 1, (port["name"].string ?? "").isEmpty { errors.append(.required(at.child("name"))) }
          errors += FieldRules.name(port["name"], NameRules.dns1123Label, at.child("name"))
          errors += FieldRules.port(port["port"], at.child("port"))
          errors += FieldRules.oneOf(port["protocol"], ["SCTP", "TCP", "UDP"], at.child("protocol"))
          errors += FieldRules.name(port["appProtocol"], NameRules.qualifiedName, at.child("appProtocol"))
        }
      }
      return errors
    })

  private static let addressesLimit = 100
  private static let endpointsLimit = 1000
  private static let portsLimit = 20_000

  static let endpointSlices = KindRules(
    defaults: { object in
      object.ifPresent("ports") { ports in
        ports.changeEach { port in
          port.setDefault("name", "")
          port.setDefault("protocol", "TCP")
        }
      }
    },
    validate: { new, old in
      let type = new["addressType"].string ?? ""
      var errors = FieldRules.oneOf(new["addressType"], ["FQDN", "IPv4", "IPv6"], "addressType")
      if let old { errors += FieldRules.immutable(new["addressType"], old["addressType"], "addressType") }
      if new["endpoints"].items.count > endpointsLimit {
        errors.append(.tooMany("endpoints", count: new["endpoints"].items.count, limit: endpointsLimit))
      }
      for (index, endpoint) in new["endpoints"].items.enumerated() {
        errors += slice(endpoint, type, FieldPath("endpoints").index(index))
      }
      var names: Set<String> = []
      if new["ports"].items.count > portsLimit {
        errors.append(.tooMany("ports", count: new["ports"].items.count, limit: portsLimit))
      }
      for (index, port) in new["ports"].items.enumerated() {
        let at = FieldPath("ports").index(index)
        errors += FieldRules.name(port["name"], NameRules.dns1123Label, at.child("name"))
        if !names.insert(port["name"].string ?? "").inserted {
          errors.append(.duplicate(at.child("name"), .string(port["name"].string ?? "")))
        }
        errors += FieldRules.oneOf(port["protocol"], ["SCTP", "TCP", "UDP"], at.child("protocol"))
        errors += FieldRules.name(port["appProtocol"], NameRules.qualifiedName, at.child("appProtocol"))
      }
      return errors
    },
    countsGenerations: true)

  private static func slice(_ endpoint: JSON, _ type: String, _ at: FieldPath) -> [FieldError] {
    let addresses = endpoint["addresses"].items
    var errors: [FieldError] = []
    if addresses.isEmpty {
      errors.append(.required(at.child("addresses"), "must contain at least 1 address"))
    } else if addresses.count > addressesLimit {
      errors.append(.tooMany(at.child("addresses"), count: addresses.count, limit: addressesLimit))
    }
    for (place, address) in addresses.enumerated() {
      let at = at.child("addresses").index(place)
      let text = address.string ?? ""
      switch type {
      case "IPv4":
        if IPv4Address(text) == nil { errors.append(.invalid(at, address, "must be an IPv4 address")) }
        errors += FieldRules.ordinaryAddress(address, at)
      case "IPv6":
        if !IPv6Text.isValid(text) { errors.append(.invalid(at, address, "must be an IPv6 address")) }
        errors += FieldRules.ordinaryAddress(address, at)
      case "FQDN": errors += FieldRules.texts(NameRules.dns1123Subdomain(text), address, at)
      default: break
      }
    }
    errors += FieldRules.name(endpoint["nodeName"], NameRules.dns1123Subdomain, at.child("nodeName"))
    return errors + FieldRules.name(endpoint["hostname"], NameRules.dns1123Label, at.child("hostname"))
  }
}
