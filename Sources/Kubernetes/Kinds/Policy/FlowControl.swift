import Wire

extension KindRules {
  static let flowSchemas = KindRules(
    defaults: { object in
      object.ifPresent("spec") { spec in
        if (spec["matchingPrecedence"].int ?? 0) == 0 { spec["matchingPrecedence"] = 1000 }
        spec.ifPresent("rules") { rules in
          rules.changeEach { rule in
            rule.ifPresent("resourceRules") { $0.changeEach { $0.setDefault("clusterScope", false) } }
          }
        }
      }
    },
    validate: { new, _ in
      let spec = new["spec"]
      var errors: [FieldError] = []
      let precedence = spec["matchingPrecedence"].int ?? 0
      if precedence <= 0 {
        errors.append(.invalid("spec.matchingPrecedence", spec["matchingPrecedence"], "must be a positive value"))
      } else if precedence > 10_000 {
        errors.append(
          .invalid("spec.matchingPrecedence", spec["matchingPrecedence"], "must not be greater than 10000"))
      }
      if precedence == 1, new["metadata"]["name"].string != "exempt" {
        errors.append(
          .invalid("spec.matchingPrecedence", 1, "only the schema named 'exempt' may have matchingPrecedence 1"))
      }
      errors += FieldRules.oneOf(
        spec["distinguisherMethod"]["type"], ["ByNamespace", "ByUser"], "spec.distinguisherMethod",
        optional: true)
      errors += FieldRules.requiredName(
        spec["priorityLevelConfiguration"]["name"], NameRules.dns1123Subdomain,
        "spec.priorityLevelConfiguration.name")
      for (index, rule) in spec["rules"].items.enumerated() {
        let at = FieldPath("spec.rules").index(index)
        if rule["subjects"].items.isEmpty {
          errors.append(.required(at.child("subjects"), "subjects must contain at least one value"))
        }
        if rule["resourceRules"].items.isEmpty, rule["nonResourceRules"].items.isEmpty {
          errors.append(.required(at, "at least one of resourceRules and nonResourceRules has to be non-empty"))
        }
        for list in ["resourceRules", "nonResourceRules"] {
          for (place, inner) in rule[list].items.enumerated() where inner["verbs"].items.isEmpty {
            errors.append(
              .required(at.child(list).index(place).child("verbs"), "verbs must contain at least one value"))
          }
        }
      }
      return errors
    }, countsGenerations: true)

  static let priorityLevels = KindRules(
    defaults: { object in
      object["spec"].ifPresent("limited") { limited in
        limited.setDefault("nominalConcurrencyShares", 30)
        limited.setDefault("lendablePercent", 0)
        if limited["limitResponse"]["type"].string == "Queue" {
          for (field, value) in [("queues", 64), ("handSize", 8), ("queueLengthLimit", 50)] as [(String, JSON)] {
            // Protobuf can't leave a number out.
            if limited["limitResponse"]["queuing"][field].int ?? 0 == 0 {
              limited["limitResponse"]["queuing"][field] = value
            }
          }
        }
      }
      object["spec"].ifPresent("exempt") { exempt in
        exempt.setDefault("nominalConcurrencyShares", 0)
        exempt.setDefault("lendablePercent", 0)
      }
    },
    validate: { new, _ in
      let spec = new["spec"]
      let type = spec["type"].string ?? ""
      var errors: [FieldError] = []
      switch type {
      case "Exempt":
        if !spec["limited"].isNull {
          errors.append(.forbidden("spec.limited", "must be nil if the type is not Limited"))
        }
      case "Limited":
        if spec["limited"].isNull {
          errors.append(.required("spec.limited", "must not be empty when type is Limited"))
        }
        if !spec["exempt"].isNull {
          errors.append(.forbidden("spec.exempt", "must be nil if the type is Limited"))
        }
        errors += FieldRules.oneOf(
          spec["limited"]["limitResponse"]["type"], ["Queue", "Reject"], "spec.limited.limitResponse.type")
      default: errors.append(.notSupported("spec.type", .string(type), supported: ["Exempt", "Limited"]))
      }
      return errors
    }, countsGenerations: true)
}
