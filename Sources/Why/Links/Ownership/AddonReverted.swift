import Evidence
import Mechanisms
import Wire

/// The add-on took fields over in its last update, and another manager has taken them back since: each undoes the
/// other.
struct AddonReverted: AddonLink {
  let code = "ownership/addon-reverted"
  let explains: [Effect.Kind] = [.addonDrift]

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let workloads = addon.workloads.value else { return .silent }
    let contested = workloads.flatMap { workload in FieldOwners.contested(workload).map { (workload, $0) } }
    guard !contested.isEmpty else { return .silent }
    let last = await addon.lastUpdate(world)
    if let gap = last.gap { return .open([gap]) }
    guard let update = last.value.flatMap({ $0 }), let at = update["createdAt"].time,
      AddonReading.param("ResolveConflicts", of: update) == "OVERWRITE", update["status"].string == "Successful"
    else { return .silent }
    let taken = contested.filter { ($0.1.since ?? at) > at }
    guard !taken.isEmpty else { return .silent }
    let managers = Set(taken.map(\.1.manager)).sorted()
    let fields = taken.map { workload, owned in "\(workload["metadata"]["name"].string ?? "") \(owned.path)" }
    let exhibit = Exhibit(
      Cite.aws(
        .describeUpdate, update["id"].string ?? "", field: "params[ResolveConflicts]",
        value: "OVERWRITE, of \(at.rfc3339)", at: at))
    let evidence =
      [exhibit]
      + taken.prefix(3).map { workload, owned in
        let kind = workload["kind"].string ?? ""
        return Exhibit(
          Cite.object(
            workload, kind, resource: kind == "DaemonSet" ? .daemonSets : .deployments,
            field: "metadata.managedFields \(owned.path)",
            value: "\(owned.manager), \(owned.since?.rfc3339 ?? "")", at: owned.since ?? world.now))
      }
    let repeats = taken.contains { $0.1.isApplied }
    let root = RootCause(
      code, layer: .kubernetes, entity: effect.entity,
      statement:
        "two managers write the same fields: the add-on's update of \(at.rfc3339) took them with OVERWRITE, and \(Count.list(managers)) took \(Count.list(fields, limit: 3)) back after it\(repeats ? ", as it does at each of its syncs" : "")",
      evidence: evidence, fixes: fixes(addon, managers, effect, world))
    return .holds(
      Explanation(
        "values that the add-on set in its last update are no longer its own", entity: effect.entity,
        evidence: evidence, root: root))
  }

  private func fixes(_ addon: AddonReading, _ managers: [String], _ effect: Effect, _ world: Investigation) -> [Fix] {
    [
      Fix(
        "leaves the fields to \(Count.list(managers)): the add-on applies the rest, and takes them no more while its updates say PRESERVE",
        command: addon.update(world, resolve: "PRESERVE"), owner: "eks-addon", touches: [effect.entity.title],
        verify: "ekswhy \(effect.entity.title)", expectWithin: "3m"),
      Fix(
        "or leave them to the add-on: take them out of what \(Count.list(managers)) applies, name the values you want in the add-on's configuration values, and update it with OVERWRITE",
        owner: "gitops", touches: [effect.entity.title], verify: "ekswhy \(effect.entity.title)"),
    ]
  }
}

extension AddonReading {
  /// The newest of its updates; nil where it had none.
  func lastUpdate(_ world: Investigation) async -> Fact<JSON?> {
    await world.updates(["name": world.target.cluster ?? "", "addonName": name]).map(\.first)
  }

  /// What an update was asked for.
  static func param(_ type: String, of update: JSON) -> String? {
    update["params"].items.first { $0["type"].string == type }?["value"].string
  }
}
