import Wire

/// What the containers of a pod ask for together, resource by resource (`component-helpers/resource`).
enum PodResources {
  typealias Amounts = [String: Quantity]

  static func amounts(_ json: JSON) -> Amounts {
    var amounts: Amounts = [:]
    for field in json.fields { amounts[field.key] = field.value.quantity }
    return amounts
  }

  /// `requests` or `limits` of a pod: all containers together, or the init container that wants most while those
  /// that stay run beside it.
  static func total(_ spec: JSON, _ field: String) -> Amounts {
    var total: Amounts = [:]
    for container in spec["containers"].items { add(amounts(container["resources"][field]), to: &total) }
    var staying: Amounts = [:]
    var peak: Amounts = [:]
    for container in spec["initContainers"].items {
      let own = amounts(container["resources"][field])
      if container["restartPolicy"].string == "Always" {
        add(own, to: &total)
        add(own, to: &staying)
        raise(&peak, to: staying)
      } else {
        var together = staying
        add(own, to: &together)
        raise(&peak, to: together)
      }
    }
    raise(&total, to: peak)
    // What the pod says of itself as a whole counts before its containers.
    for (name, amount) in amounts(spec["resources"][field]) { total[name] = amount }
    add(amounts(spec["overhead"]).filter { field == "requests" || total[$0.key] != nil }, to: &total)
    return total
  }

  static func add(_ more: Amounts, to total: inout Amounts) {
    for (name, amount) in more { total[name] = total[name].map { $0 + amount } ?? amount }
  }

  private static func raise(_ total: inout Amounts, to least: Amounts) {
    for (name, amount) in least where total[name].map({ $0 < amount }) ?? true { total[name] = amount }
  }
}
