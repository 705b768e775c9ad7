import Wire

extension KindRules {
  static let services = KindRules(
    name: NameRules.dns1035Label,
    defaults: ServiceRules.defaults,
    validate: { new, old in
      (old.map { ServiceRules.validateChange(new, $0) } ?? []) + ServiceRules.validate(new)
    },
    validateStatus: { new, _ in ServiceRules.validate(status: new["status"]["loadBalancer"]) },
    prepareUpdate: ServiceRules.keepAllocated,
    warnings: ServiceRules.warnings,
    fields: ["spec.clusterIP": text("spec", "clusterIP"), "spec.type": text("spec", "type")], returnsDeleted: true)
}

/// Rules of Services (`pkg/apis/core/validation`, `pkg/registry/core/service`).
enum ServiceRules {
  static let affinityLimitSeconds = 86_400

  static func defaults(_ object: inout JSON) {
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
          if port["nodePort"].int == 0 { port["nodePort"] = .null }
        }
      }
      // The two ways to say the address are kept in step.
      if spec["clusterIPs"].items.isEmpty, let address = spec["clusterIP"].string, !address.isEmpty {
        spec["clusterIPs"] = [.string(address)]
      } else if (spec["clusterIP"].string ?? "").isEmpty, let first = spec["clusterIPs"].strings.first {
        spec["clusterIP"] = .string(first)
      }
      if type != "ExternalName" {
        spec.setDefault("internalTrafficPolicy", "Cluster")
        spec.setDefault("ipFamilyPolicy", "SingleStack")
        spec.setDefault("ipFamilies", ["IPv4"])
      }
      if isExternal(spec) { spec.setDefault("externalTrafficPolicy", "Cluster") }
      if type == "LoadBalancer" { spec.setDefault("allocateLoadBalancerNodePorts", true) }
    }
    if object["status"]["loadBalancer"].isNull { object["status"]["loadBalancer"] = .emptyObject }
    if !object["status"]["loadBalancer"]["ingress"].isNull {
      object["status"]["loadBalancer"]["ingress"].changeEach { ingress in
        if !(ingress["ip"].string ?? "").isEmpty { ingress.setDefault("ipMode", "VIP") }
      }
    }
  }

  private static func isHeadless(_ spec: JSON) -> Bool { spec["clusterIPs"].strings == ["None"] }

  /// Reached from outside the cluster.
  private static func isExternal(_ spec: JSON) -> Bool {
    let type = spec["type"].string
    return type == "LoadBalancer" || type == "NodePort" || type == "ClusterIP" && !spec["externalIPs"].items.isEmpty
  }

  // MARK: - Validation

  static func validate(_ service: JSON) -> [FieldError] {
    let spec = service["spec"]
    let type = spec["type"].string ?? ""
    let path: FieldPath = "spec"
    var errors: [FieldError] = []
    if spec["ports"].items.isEmpty, !isHeadless(spec), type != "ExternalName" {
      errors.append(.required("spec.ports"))
    }
    switch type {
    case "LoadBalancer", "NodePort":
      if isHeadless(spec) {
        errors.append(.invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for \(type) services"))
      }
    case "ExternalName": errors += validate(externalName: spec)
    default: break
    }
    errors += validate(ports: spec)
    errors += FieldRules.labels(spec["selector"], path.child("selector"))
    errors += FieldRules.oneOf(spec["sessionAffinity"], ["ClientIP", "None"], path.child("sessionAffinity"))
    if spec["sessionAffinity"].string == "ClientIP" {
      let timeout = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
      if let seconds = timeout.int, !(1...affinityLimitSeconds).contains(seconds) {
        errors.append(
          .invalid(
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds", timeout,
            "must be greater than 0 and less than \(affinityLimitSeconds)"))
      }
    }
    if type != "ExternalName" { errors += validate(addresses: spec) }
    for (index, address) in spec["externalIPs"].items.enumerated() {
      let at = path.child("externalIPs").index(index)
      let faults = FieldRules.address(address, at)
      errors += faults.isEmpty ? FieldRules.ordinaryAddress(address, at) : faults
    }
    errors += FieldRules.oneOf(
      spec["type"], ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], path.child("type"))
    errors += duplicates(spec)
    errors += validate(balancer: service, type)
    return errors + validate(traffic: spec)
  }

  private static func validate(externalName spec: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    for (field, isSet) in [
      ("clusterIPs", !spec["clusterIPs"].items.isEmpty), ("ipFamilies", !spec["ipFamilies"].items.isEmpty),
      ("ipFamilyPolicy", !spec["ipFamilyPolicy"].isNull),
    ] where isSet {
      errors.append(.forbidden(FieldPath("spec").child(field), "may not be set for ExternalName services"))
    }
    var name = spec["externalName"].string ?? ""
    if name.hasSuffix(".") { name.removeLast() }
    return errors + FieldRules.requiredName(.string(name), NameRules.dns1123Subdomain, "spec.externalName")
  }

  private static func validate(ports spec: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    var names: Set<String> = []
    let ports = spec["ports"].items
    for (index, port) in ports.enumerated() {
      let at = FieldPath("spec.ports").index(index)
      let name = port["name"].string ?? ""
      if name.isEmpty {
        if ports.count > 1 { errors.append(.required(at.child("name"))) }
      } else {
        errors += FieldRules.texts(NameRules.dns1123Label(name), .string(name), at.child("name"))
        if !names.insert(name).inserted { errors.append(.duplicate(at.child("name"), .string(name))) }
      }
      errors += FieldRules.port(port["port"], at.child("port"))
      errors += FieldRules.oneOf(port["protocol"], ["SCTP", "TCP", "UDP"], at.child("protocol"))
      errors += FieldRules.portNumberOrName(port["targetPort"], at.child("targetPort"))
      errors += FieldRules.name(port["appProtocol"], NameRules.qualifiedName, at.child("appProtocol"))
      if spec["type"].string == "ClusterIP", (port["nodePort"].int ?? 0) != 0 {
        errors.append(.forbidden(at.child("nodePort"), "may not be used when `type` is 'ClusterIP'"))
      }
    }
    return errors
  }

  private static func duplicates(_ spec: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    var nodePorts: Set<String> = []
    var ports: Set<String> = []
    for (index, port) in spec["ports"].items.enumerated() {
      let at = FieldPath("spec.ports").index(index)
      let name = port["protocol"].string ?? ""
      if let number = port["nodePort"].int, number != 0, !nodePorts.insert("\(name)/\(number)").inserted {
        errors.append(.duplicate(at.child("nodePort"), port["nodePort"]))
      }
      if !ports.insert("\(name)/\(port["port"].int ?? 0)").inserted {
        errors.append(.duplicate(at, ["port": port["port"], "protocol": port["protocol"]] as JSON))
      }
    }
    return errors
  }

  private static func validate(addresses spec: JSON) -> [FieldError] {
    let path: FieldPath = "spec.clusterIPs"
    let list = spec["clusterIPs"]
    let first = spec["clusterIP"].string ?? ""
    var errors: [FieldError] = []
    if !first.isEmpty, list.strings.first != first {
      errors.append(.invalid(path, list, "first value must match `clusterIP`"))
    } else if first.isEmpty, !list.items.isEmpty {
      errors.append(.invalid(path, list, "must be empty when `clusterIP` is not specified"))
    }
    var families: Set<String> = []
    for (index, family) in spec["ipFamilies"].items.enumerated() {
      let at = FieldPath("spec.ipFamilies").index(index)
      errors += FieldRules.oneOf(family, ["IPv4", "IPv6"], at)
      if !families.insert(family.string ?? "").inserted { errors.append(.duplicate(at, family)) }
    }
    errors += FieldRules.oneOf(
      spec["ipFamilyPolicy"], ["PreferDualStack", "RequireDualStack", "SingleStack"], "spec.ipFamilyPolicy",
      optional: true)
    var isBroken = false
    for (index, address) in list.items.enumerated() {
      if index == 0, address.string == "None" {
        guard list.items.count > 1 else { continue }
        isBroken = true
        errors.append(.invalid(path, list, "'None' must be the first and only value"))
        continue
      }
      let faults = FieldRules.address(address, path.index(index))
      isBroken = isBroken || !faults.isEmpty
      errors += faults
    }
    if list.items.count > 2 { errors.append(.invalid(path, list, "may only hold up to 2 values")) }
    if isBroken || isHeadless(spec) { return errors }
    let isV6 = list.strings.map { $0.contains(":") }
    if isV6.count > 1, Set(isV6).count == 1 {
      errors.append(.invalid(path, list, "may specify no more than one IP for each IP family"))
    }
    for (index, pair) in zip(isV6, spec["ipFamilies"].strings).enumerated() where pair.0 != (pair.1 == "IPv6") {
      errors.append(
        .invalid(
          path.index(index), list[index], "expected an \(pair.1) value as indicated by `ipFamilies[\(index)]`"))
    }
    return errors
  }

  private static let sourceRanges = "service.beta.kubernetes.io/load-balancer-source-ranges"

  private static func validate(balancer service: JSON, _ type: String) -> [FieldError] {
    let spec = service["spec"]
    let only = "may only be used when `type` is 'LoadBalancer'"
    var errors: [FieldError] = []
    let ranges = spec["loadBalancerSourceRanges"].items
    if !ranges.isEmpty {
      let at: FieldPath = "spec.LoadBalancerSourceRanges"
      if type != "LoadBalancer" { errors.append(.forbidden(at, only)) }
      for (index, range) in ranges.enumerated() {
        errors += FieldRules.block(.string((range.string ?? "").trimmingBlanks), at.index(index))
      }
    } else if let text = service["metadata"]["annotations"][sourceRanges].string {
      let at = FieldPath("metadata.annotations").key(sourceRanges)
      if type != "LoadBalancer" { errors.append(.forbidden(at, only)) }
      if !text.trimmingBlanks.isEmpty {
        for range in text.split(separator: ",", omittingEmptySubsequences: false) {
          errors += FieldRules.block(.string(String(range).trimmingBlanks), at)
        }
      }
    }
    if !spec["allocateLoadBalancerNodePorts"].isNull, type != "LoadBalancer" {
      errors.append(.forbidden("spec.allocateLoadBalancerNodePorts", only))
    }
    if let name = spec["loadBalancerClass"].string {
      if type != "LoadBalancer" {
        errors.append(.forbidden("spec.loadBalancerClass", only))
      } else {
        errors += FieldRules.texts(NameRules.qualifiedName(name), .string(name), "spec.loadBalancerClass")
      }
    }
    return errors
  }

  private static func validate(traffic spec: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    let external = spec["externalTrafficPolicy"]
    if isExternal(spec) {
      errors += FieldRules.oneOf(external, ["Cluster", "Local"], "spec.externalTrafficPolicy")
    } else if !(external.string ?? "").isEmpty {
      errors.append(
        .invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services"))
    }
    let check = spec["healthCheckNodePort"]
    let needsCheck = spec["type"].string == "LoadBalancer" && external.string == "Local"
    if !needsCheck, (check.int ?? 0) != 0 {
      errors.append(
        .invalid(
          "spec.healthCheckNodePort", check,
          "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"))
    } else if needsCheck, (check.int ?? 0) != 0 {
      errors += FieldRules.port(check, "spec.healthCheckNodePort")
    }
    errors += FieldRules.oneOf(
      spec["internalTrafficPolicy"], ["Cluster", "Local"], "spec.internalTrafficPolicy", optional: true)
    return errors
      + FieldRules.oneOf(
        spec["trafficDistribution"], ["PreferClose", "PreferSameNode", "PreferSameZone"], "spec.trafficDistribution",
        optional: true)
  }

  static func validate(status balancer: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    for (index, ingress) in balancer["ingress"].items.enumerated() {
      let at = FieldPath("status.loadBalancer.ingress").index(index)
      let address = ingress["ip"].string ?? ""
      let mode = ingress["ipMode"]
      if !address.isEmpty { errors += FieldRules.address(ingress["ip"], at.child("ip")) }
      if mode.isNull {
        if !address.isEmpty { errors.append(.required(at.child("ipMode"), "must be specified when `ip` is set")) }
      } else if address.isEmpty {
        errors.append(.forbidden(at.child("ipMode"), "may not be specified when `ip` is not set"))
      } else {
        errors += FieldRules.oneOf(mode, ["Proxy", "VIP"], at.child("ipMode"))
      }
      if let name = ingress["hostname"].string, !name.isEmpty {
        errors += FieldRules.texts(NameRules.dns1123Subdomain(name), .string(name), at.child("hostname"))
        if FieldRules.isAddress(name) {
          errors.append(.invalid(at.child("hostname"), .string(name), "must be a DNS name, not an IP address"))
        }
      }
    }
    return errors
  }

  // MARK: - Updates

  static func validateChange(_ new: JSON, _ old: JSON) -> [FieldError] {
    let after = new["spec"]
    let before = old["spec"]
    var errors: [FieldError] = []
    let isNamed = after["type"].string == "ExternalName" || before["type"].string == "ExternalName"
    if !isNamed {
      if !(isHeadless(after) && isHeadless(before)) { errors += addressChange(after, before) }
      if !isHeadless(after), !isHeadless(before) { errors += familyChange(after, before) }
    }
    if before["type"].string == "LoadBalancer", after["type"].string == "LoadBalancer",
      before["loadBalancerClass"] != after["loadBalancerClass"]
    {
      errors.append(.invalid("spec.loadBalancerClass", after["loadBalancerClass"], "may not change once set"))
    }
    return errors
  }

  private static func addressChange(_ after: JSON, _ before: JSON) -> [FieldError] {
    let new = after["clusterIPs"].strings
    let old = before["clusterIPs"].strings
    let path: FieldPath = "spec.clusterIPs"
    if old.count == new.count {
      return old.indices.filter { old[$0] != new[$0] }.map {
        .invalid(path.index($0), after["clusterIPs"], "may not change once set")
      }
    }
    var errors: [FieldError] = []
    if old.count > new.count, new.isEmpty {
      errors.append(.invalid(path.index(0), .array([]), "primary clusterIP can not be unset"))
    }
    if let first = old.first, let now = new.first, first != now {
      errors.append(.invalid(path.index(0), after["clusterIPs"], "may not change once set"))
    }
    if old.count > new.count, new.count == 1, after["ipFamilyPolicy"].string != "SingleStack" {
      errors.append(
        .invalid(
          "spec.ipFamilyPolicy", after["ipFamilyPolicy"],
          "must be set to 'SingleStack' when releasing the secondary clusterIP"))
    }
    return errors
  }

  private static func familyChange(_ after: JSON, _ before: JSON) -> [FieldError] {
    let new = after["ipFamilies"].strings
    let old = before["ipFamilies"].strings
    guard let first = old.first, let now = new.first, first != now else { return [] }
    return [.invalid("spec.ipFamilies[0]", after["ipFamilies"], "may not change once set")]
  }

  /// What the server gave stays, when the update leaves it out.
  static func keepAllocated(_ new: inout JSON, _ old: JSON, _ write: KindRules.Write) {
    dropWhatTypeLacks(&new, old)
    let type = new["spec"]["type"].string
    if type == "ExternalName" { return }
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] where new["spec"][field].isNull {
      new["spec"][field] = old["spec"][field]
    }
    if needsCheck(new["spec"]), new["spec"]["healthCheckNodePort"].isNull {
      new["spec"]["healthCheckNodePort"] = old["spec"]["healthCheckNodePort"]
    }
    guard type == "NodePort" || type == "LoadBalancer" else { return }
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
  }

  private static func needsCheck(_ spec: JSON) -> Bool {
    spec["type"].string == "LoadBalancer" && spec["externalTrafficPolicy"].string == "Local"
  }

  /// What the new type has no use for goes by itself, where the update left it as it was.
  private static func dropWhatTypeLacks(_ new: inout JSON, _ old: JSON) {
    let before = old["spec"]
    let type = new["spec"]["type"].string
    func drop(_ fields: [String]) {
      for field in fields where new["spec"][field] == before[field] { new["spec"][field] = .null }
    }
    if type == "ExternalName", before["type"].string != "ExternalName" {
      // Written alone, the first address stands for the list.
      if new["spec"]["clusterIP"] == before["clusterIP"] { drop(["clusterIP", "clusterIPs"]) }
      drop(["ipFamilies", "ipFamilyPolicy"])
    }
    if type != "LoadBalancer" { drop(["allocateLoadBalancerNodePorts", "loadBalancerClass"]) }
    if !needsCheck(new["spec"]) { drop(["healthCheckNodePort"]) }
    if !isExternal(new["spec"]) { drop(["externalTrafficPolicy"]) }
    if type != "NodePort", type != "LoadBalancer" { dropNodePorts(&new, old) }
  }

  /// A Service that became one without node ports need not say so port by port.
  private static func dropNodePorts(_ new: inout JSON, _ old: JSON) {
    let held = Set(old["spec"]["ports"].items.compactMap { $0["nodePort"].int })
    guard !held.isEmpty else { return }
    new["spec"].ifPresent("ports") { ports in
      ports.changeEach { port in
        if let number = port["nodePort"].int, held.contains(number) { port["nodePort"] = .null }
      }
    }
  }

  static func warnings(_ new: JSON, _ old: JSON?) -> [String] {
    let spec = new["spec"]
    var warnings: [String] = []
    if !(spec["loadBalancerIP"].string ?? "").isEmpty, spec["type"].string != "LoadBalancer" {
      warnings.append("spec.loadBalancerIP is ignored when spec.type is not \"LoadBalancer\"")
    }
    if !(spec["externalName"].string ?? "").isEmpty, spec["type"].string != "ExternalName" {
      warnings.append("spec.externalName is ignored when spec.type is not \"ExternalName\"")
    }
    if isHeadless(spec), spec["sessionAffinity"].string == "ClientIP" {
      warnings.append("spec.SessionAffinity is ignored for headless services")
    }
    return warnings
  }
}
