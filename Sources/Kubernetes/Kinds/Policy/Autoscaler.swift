import Wire

extension KindRules {
  static let autoscalers = KindRules(
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("minReplicas", 1)
        if spec["metrics"].items.isEmpty {
          spec["metrics"] = [
            [
              "type": "Resource",
              "resource": ["name": "cpu", "target": ["type": "Utilization", "averageUtilization": 80]],
            ]
          ]
        }
        AutoscalerRules.behaviorDefaults(&spec)
      }
    },
    validate: { new, _ in AutoscalerRules.validate(new["spec"]) },
    validateStatus: { new, _ in
      FieldRules.nonNegative(new["status"], ["currentReplicas", "desiredReplicas"], "status")
    })
}

/// Rules of HorizontalPodAutoscalers (`pkg/apis/autoscaling/validation`), in the form of autoscaling/v2.
enum AutoscalerRules {
  private static let windowLimit = 3600
  private static let periodLimit = 1800

  /// Where a behaviour is given, what it leaves open is written out.
  static func behaviorDefaults(_ spec: inout JSON) {
    guard spec["behavior"].object != nil else { return }
    let policies: [(String, JSON)] = [
      (
        "scaleUp",
        [["type": "Pods", "value": 4, "periodSeconds": 15], ["type": "Percent", "value": 100, "periodSeconds": 15]]
      ),
      ("scaleDown", [["type": "Percent", "value": 100, "periodSeconds": 15]]),
    ]
    for (direction, standard) in policies {
      if direction == "scaleUp" { spec["behavior"][direction].setDefault("stabilizationWindowSeconds", 0) }
      spec["behavior"][direction].setDefault("selectPolicy", "Max")
      if spec["behavior"][direction]["policies"].isNull { spec["behavior"][direction]["policies"] = standard }
    }
  }

  static func validate(_ spec: JSON) -> [FieldError] {
    let path: FieldPath = "spec"
    var errors: [FieldError] = []
    let least = spec["minReplicas"].int ?? 1
    let most = spec["maxReplicas"].int ?? 0
    if least < 1 {
      errors.append(.invalid(path.child("minReplicas"), .int(Int64(least)), "must be greater than or equal to 1"))
    }
    if most < 1 {
      errors.append(.invalid(path.child("maxReplicas"), .int(Int64(most)), "must be greater than 0"))
    }
    if most < least {
      errors.append(
        .invalid(path.child("maxReplicas"), .int(Int64(most)), "must be greater than or equal to `minReplicas`"))
    }
    let target = spec["scaleTargetRef"]
    for field in ["kind", "name"] {
      errors += FieldRules.requiredName(
        target[field], NameRules.pathSegment, path.child("scaleTargetRef").child(field))
    }
    for (index, metric) in spec["metrics"].items.enumerated() {
      errors += validate(metric: metric, path.child("metrics").index(index))
    }
    for direction in ["scaleUp", "scaleDown"] {
      errors += validate(scaling: spec["behavior"][direction], path.child("behavior").child(direction))
    }
    return errors
  }

  private static let sources = [
    "ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
    "Resource": "resource",
  ]

  private static func validate(metric: JSON, _ at: FieldPath) -> [FieldError] {
    let type = metric["type"].string ?? ""
    if type.isEmpty { return [.required(at.child("type"), "must specify a metric source type")] }
    guard let field = sources[type] else {
      return [.notSupported(at.child("type"), .string(type), supported: sources.keys.sorted())]
    }
    let source = metric[field]
    let path = at.child(field)
    if source.isNull {
      return [.required(path, "must populate information for the given metric source")]
    }
    var errors: [FieldError] = []
    for other in sources.values.sorted() where other != field && !metric[other].isNull {
      errors.append(.forbidden(at.child(other), "must populate the given metric source only"))
    }
    if type == "Resource" || type == "ContainerResource" {
      errors += FieldRules.required(source["name"], path.child("name"), "must specify a resource name")
    } else {
      errors += FieldRules.required(source["metric"]["name"], path.child("metric").child("name"))
    }
    if type == "ContainerResource" {
      errors += FieldRules.required(source["container"], path.child("container"), "must specify a container")
    }
    return errors + validate(target: source["target"], path.child("target"))
  }

  private static func validate(target: JSON, _ at: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    let type = target["type"].string ?? ""
    if type.isEmpty {
      errors.append(.required(at.child("type"), "must specify a metric target type"))
    } else if !["AverageValue", "Utilization", "Value"].contains(type) {
      errors.append(.invalid(at.child("type"), .string(type), "must be either Utilization, Value, or AverageValue"))
    }
    if let share = target["averageUtilization"].int, share < 1 {
      errors.append(.invalid(at.child("averageUtilization"), target["averageUtilization"], "must be greater than 0"))
    }
    for field in ["value", "averageValue"] {
      guard let quantity = target[field].quantity, quantity <= .zero else { continue }
      errors.append(.invalid(at.child(field), .string(quantity.description), "must be positive"))
    }
    return errors
  }

  private static func validate(scaling rules: JSON, _ at: FieldPath) -> [FieldError] {
    guard rules.object != nil else { return [] }
    var errors = FieldRules.nonNegative(rules["stabilizationWindowSeconds"], at.child("stabilizationWindowSeconds"))
    if let seconds = rules["stabilizationWindowSeconds"].int, seconds > windowLimit {
      errors.append(
        .invalid(
          at.child("stabilizationWindowSeconds"), rules["stabilizationWindowSeconds"],
          "must be less than or equal to \(windowLimit)"))
    }
    errors += FieldRules.oneOf(
      rules["selectPolicy"], ["Disabled", "Max", "Min"], at.child("selectPolicy"), optional: true)
    if rules["policies"].items.isEmpty {
      errors.append(.required(at.child("policies"), "must specify at least one Policy"))
    }
    for (index, policy) in rules["policies"].items.enumerated() {
      let path = at.child("policies").index(index)
      if policy["type"].string != "Pods", policy["type"].string != "Percent" {
        errors.append(.notSupported(path.child("type"), policy["type"], supported: ["Percent", "Pods"]))
      }
      for field in ["value", "periodSeconds"] where (policy[field].int ?? 0) <= 0 {
        errors.append(.invalid(path.child(field), .int(Int64(policy[field].int ?? 0)), "must be greater than zero"))
      }
      if let seconds = policy["periodSeconds"].int, seconds > periodLimit {
        errors.append(
          .invalid(path.child("periodSeconds"), policy["periodSeconds"], "must be less than or equal to \(periodLimit)")
        )
      }
    }
    return errors
  }
}
