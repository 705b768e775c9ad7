import Wire

extension KindRules {
  static let services = KindRules(
    name: NameRules.dns1035Label,
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("sessionAffinity", "None")
        spec.setDefault("type", "ClusterIP")
        let type = spec["type"].string
        if spec["sessionAffinity"].string == "ClientIP" {
          spec["sessionAffinityConfig"]["clientIP"].setDefault("timeoutSeconds", 10800)
        }
        if spec["sessionAffinity"].string == "None" { spec["sessionAffinityConfig"] = .null }
        spec.ifPresent("ports") { ports in
          ports.changeEach { port in
            port.setDefault("protocol", "TCP")
            if port["targetPort"].isNull || port["targetPort"].string == "" || port["targetPort"].int == 0 {
              port["targetPort"] = port["port"]
            }
          }
        }
        if type != "ExternalName" {
          spec.setDefault("internalTrafficPolicy", "Cluster")
          spec.setDefault("ipFamilyPolicy", "SingleStack")
          spec.setDefault("ipFamilies", ["IPv4"])
        }
        if type == "NodePort" || type == "LoadBalancer" { spec.setDefault("externalTrafficPolicy", "Cluster") }
        if type == "LoadBalancer" { spec.setDefault("allocateLoadBalancerNodePorts", true) }
      }
      if object["status"]["loadBalancer"].isNull { object["status"]["loadBalancer"] = .emptyObject }
    },
    validate: { new, old in
      var errors: [FieldError] = []
      let spec = new["spec"]
      let type = spec["type"].string ?? ""
      let ports = spec["ports"].items
      if ports.isEmpty, spec["clusterIP"].string != "None", type != "ExternalName" {
        errors.append(.required("spec.ports"))
      }
      var names: Set<String> = []
      for (index, port) in ports.enumerated() {
        let at = FieldPath("spec.ports").index(index)
        let name = port["name"].string ?? ""
        if name.isEmpty {
          if ports.count > 1 { errors.append(.required(at.child("name"))) }
        } else {
          errors += NameRules.dns1123Label(name).map { .invalid(at.child("name"), .string(name), $0) }
          if !names.insert(name).inserted { errors.append(.duplicate(at.child("name"), .string(name))) }
        }
        errors += validatePort(port["port"].int ?? 0, at.child("port"))
        if let text = port["protocol"].string, !["TCP", "UDP", "SCTP"].contains(text) {
          errors.append(.notSupported(at.child("protocol"), .string(text), supported: ["SCTP", "TCP", "UDP"]))
        }
      }
      for field in spec["selector"].fields { errors += validateLabel(field.key, field.value, "spec.selector") }
      if !["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"].contains(type) {
        errors.append(
          .notSupported(
            "spec.type", .string(type), supported: ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]))
      }
      if type == "ExternalName", (spec["externalName"].string ?? "").isEmpty {
        errors.append(.required("spec.externalName"))
      }
      if let old, type != "ExternalName", old["spec"]["type"].string != "ExternalName",
        let before = old["spec"]["clusterIP"].string, !before.isEmpty, spec["clusterIP"].string != before
      {
        errors.append(
          .invalid("spec.clusterIPs[0]", JSON([spec["clusterIP"].string ?? ""]), "may not change once set"))
      }
      return errors
    },
    prepareUpdate: { new, old in
      // What the server gave stays, when the update leaves it out.
      guard new["spec"]["type"].string != "ExternalName" else { return }
      for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"]
      where new["spec"][field].isNull { new["spec"][field] = old["spec"][field] }
      guard new["spec"]["type"].string == "NodePort" || new["spec"]["type"].string == "LoadBalancer" else { return }
      var used = Set(new["spec"]["ports"].items.compactMap { $0["nodePort"].int })
      new["spec"].ifPresent("ports") { ports in
        ports.changeEach { port in
          guard port["nodePort"].isNull,
            let same = old["spec"]["ports"].items.first(where: {
              $0["port"] == port["port"] && $0["protocol"] == port["protocol"]
            }), let number = same["nodePort"].int, used.insert(number).inserted
          else { return }
          port["nodePort"] = .int(Int64(number))
        }
      }
    },
    fields: ["spec.clusterIP": text("spec", "clusterIP"), "spec.type": text("spec", "type")], returnsDeleted: true)

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
      var errors: [FieldError] = []
      let type = new["addressType"].string ?? ""
      if type.isEmpty {
        errors.append(.required("addressType"))
      } else if !["IPv4", "IPv6", "FQDN"].contains(type) {
        errors.append(.notSupported("addressType", .string(type), supported: ["FQDN", "IPv4", "IPv6"]))
      }
      if let old, old["addressType"] != new["addressType"] {
        errors.append(.invalid("addressType", new["addressType"], "field is immutable"))
      }
      for (index, endpoint) in new["endpoints"].items.enumerated() where endpoint["addresses"].items.isEmpty {
        errors.append(
          .required(FieldPath("endpoints").index(index).child("addresses"), "must contain at least 1 address"))
      }
      return errors
    },
    countsGenerations: true)

  static let defaultEndpoints: @Sendable (inout JSON) -> Void = { object in
    object.ifPresent("subsets") { subsets in
      subsets.changeEach { subset in
        subset.ifPresent("ports") { ports in ports.changeEach { $0.setDefault("protocol", "TCP") } }
      }
    }
  }

  static let validateEndpoints: Validation = { new, _ in
    var errors: [FieldError] = []
    for (index, subset) in new["subsets"].items.enumerated()
    where subset["addresses"].items.isEmpty && subset["notReadyAddresses"].items.isEmpty {
      errors.append(
        .required(FieldPath("subsets").index(index), "must specify `addresses` or `notReadyAddresses`"))
    }
    return errors
  }
}
