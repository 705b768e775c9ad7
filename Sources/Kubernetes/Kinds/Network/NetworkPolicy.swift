import Wire

extension KindRules {
  static let networkPolicies = KindRules(
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("podSelector", .emptyObject)
        if spec["policyTypes"].items.isEmpty {
          spec["policyTypes"] = spec["egress"].items.isEmpty ? ["Ingress"] : ["Ingress", "Egress"]
        }
        for direction in ["ingress", "egress"] {
          spec.ifPresent(direction) { rules in
            rules.changeEach { rule in
              rule.ifPresent("ports") { ports in ports.changeEach { $0.setDefault("protocol", "TCP") } }
            }
          }
        }
      }
    },
    validate: { new, _ in NetworkPolicyRules.validate(new["spec"]) }, countsGenerations: true)

  static let ipAddresses = KindRules(
    name: { text in
      FieldRules.isAddress(text) ? [] : ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    },
    validate: { new, old in
      let reference = new["spec"]["parentRef"]
      let at: FieldPath = "spec.parentRef"
      if let old { return FieldRules.immutable(reference, old["spec"]["parentRef"], at) }
      if reference.isNull { return [.required(at)] }
      var errors: [FieldError] = []
      for field in ["resource", "name"] { errors += FieldRules.required(reference[field], at.child(field)) }
      errors += FieldRules.name(reference["group"], NameRules.dns1123Subdomain, at.child("group"))
      errors += FieldRules.name(reference["resource"], NameRules.pathSegment, at.child("resource"))
      errors += FieldRules.name(reference["name"], NameRules.pathSegment, at.child("name"))
      return errors + FieldRules.name(reference["namespace"], NameRules.pathSegment, at.child("namespace"))
    }, countsGenerations: true, fields: ["spec.parentRef.name": text("spec", "parentRef", "name")])

  static let serviceCIDRs = KindRules(
    validate: { new, old in
      let blocks = new["spec"]["cidrs"]
      let at: FieldPath = "spec.cidrs"
      if let old { return FieldRules.immutable(blocks, old["spec"]["cidrs"], at) }
      if blocks.items.isEmpty { return [.required(at, "at least one CIDR required")] }
      var errors: [FieldError] = []
      if blocks.items.count > 2 {
        errors.append(.invalid(at, blocks, "may only hold up to 2 values"))
      } else if blocks.items.count == 2, Set(blocks.strings.map { $0.contains(":") }).count == 1 {
        errors.append(
          .invalid(
            at, blocks, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96"))
      }
      for (index, block) in blocks.items.enumerated() { errors += FieldRules.block(block, at.index(index)) }
      return errors
    }, countsGenerations: true)
}

/// Rules of NetworkPolicies (`pkg/apis/networking/validation`).
enum NetworkPolicyRules {
  static func validate(_ spec: JSON) -> [FieldError] {
    var errors = FieldRules.labelSelector(spec["podSelector"], "spec.podSelector")
    for (direction, side) in [("ingress", "from"), ("egress", "to")] {
      for (index, rule) in spec[direction].items.enumerated() {
        let at = FieldPath("spec").child(direction).index(index)
        for (place, port) in rule["ports"].items.enumerated() {
          errors += validate(port: port, at.child("ports").index(place))
        }
        for (place, peer) in rule[side].items.enumerated() {
          errors += validate(peer: peer, at.child(side).index(place))
        }
      }
    }
    let types = spec["policyTypes"]
    if types.items.count > 2 {
      errors.append(.invalid("spec.policyTypes", types, "may not specify more than two policyTypes"))
      return errors
    }
    for (index, type) in types.items.enumerated() where type.string != "Ingress" && type.string != "Egress" {
      errors.append(
        .notSupported(FieldPath("spec.policyTypes").index(index), type, supported: ["Egress", "Ingress"]))
    }
    return errors
  }

  private static func validate(port: JSON, _ at: FieldPath) -> [FieldError] {
    var errors = FieldRules.oneOf(port["protocol"], ["SCTP", "TCP", "UDP"], at.child("protocol"), optional: true)
    let number = port["port"]
    let end = port["endPort"]
    guard !number.isNull else {
      if !end.isNull { errors.append(.required(at.child("port"), "may not be empty when `endPort` is specified")) }
      return errors
    }
    errors += FieldRules.portNumberOrName(number, at.child("port"))
    guard let last = end.int else { return errors }
    if let first = number.int {
      if last < first {
        errors.append(.invalid(at.child("endPort"), end, "must be greater than or equal to `port`"))
      }
      errors += FieldRules.port(end, at.child("endPort"))
    } else {
      errors.append(.invalid(at.child("endPort"), end, "may not be specified when `port` is non-numeric"))
    }
    return errors
  }

  private static func validate(peer: JSON, _ at: FieldPath) -> [FieldError] {
    let hasSelector = !peer["podSelector"].isNull || !peer["namespaceSelector"].isNull
    let block = peer["ipBlock"]
    var errors = FieldRules.labelSelector(peer["podSelector"], at.child("podSelector"))
    errors += FieldRules.labelSelector(peer["namespaceSelector"], at.child("namespaceSelector"))
    if block.isNull {
      return hasSelector ? errors : errors + [.required(at, "must specify a peer")]
    }
    errors += validate(block: block, at.child("ipBlock"))
    if hasSelector { errors.append(.forbidden(at, "may not specify both ipBlock and another peer")) }
    return errors
  }

  private static func validate(block: JSON, _ at: FieldPath) -> [FieldError] {
    if (block["cidr"].string ?? "").isEmpty { return [.required(at.child("cidr"))] }
    let faults = FieldRules.block(block["cidr"], at.child("cidr"))
    if !faults.isEmpty { return faults }
    var errors: [FieldError] = []
    for (index, except) in block["except"].items.enumerated() {
      let path = at.child("except").index(index)
      let faults = FieldRules.block(except, path)
      guard faults.isEmpty else {
        errors += faults
        continue
      }
      if let whole = CIDR(block["cidr"].string ?? ""), let part = CIDR(except.string ?? ""),
        !whole.contains(part) || whole == part
      {
        errors.append(.invalid(path, except, "must be a strict subset of `cidr`"))
      }
    }
    return errors
  }
}
