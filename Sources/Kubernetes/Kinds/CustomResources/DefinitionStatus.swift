import Wire

/// The status of a CustomResourceDefinition: which of its names it has, whether it is served, whether it goes
/// (`apiextensions-apiserver/pkg/controller/status` and `finalizer`).
enum DefinitionStatus {
  static func isTrue(_ type: String, _ definition: JSON) -> Bool {
    definition["status"]["conditions"].items.contains { $0["type"].string == type && $0["status"].string == "True" }
  }

  /// The status after its names were compared with those that others of its group have.
  static func accepted(_ definition: JSON, among others: [JSON], now: Timestamp) -> JSON {
    let names = definition["spec"]["names"]
    var status = definition["status"]
    let taken = self.taken(definition, others)
    let resources = taken.resources
    let kinds = taken.kinds
    var conflict: (reason: String, message: String)?
    func check(_ reason: String, _ texts: [String], _ used: Set<String>) -> Bool {
      let held = texts.filter(used.contains)
      guard !held.isEmpty else { return true }
      let listed = held.map { "\(GoText.quote($0)) is already in use" }
      conflict = (reason, listed.count == 1 ? listed[0] : "[\(listed.joined(separator: ", "))]")
      return false
    }
    var accepted = status["acceptedNames"]
    if accepted.isNull { accepted = ["plural": "", "kind": ""] }
    for (field, reason, used) in [
      ("plural", "PluralConflict", resources), ("singular", "SingularConflict", resources),
      ("shortNames", "ShortNamesConflict", resources), ("kind", "KindConflict", kinds),
      ("listKind", "ListKindConflict", kinds),
    ] {
      let texts = names[field].string.map { [$0] } ?? names[field].strings
      if check(reason, texts, used) { accepted[field] = names[field] }
    }
    accepted["categories"] = names["categories"]
    status["acceptedNames"] = accepted
    if let conflict {
      set(&status, "NamesAccepted", "False", conflict.reason, conflict.message, now)
      if !isTrue("Established", definition) {
        set(&status, "Established", "False", "NotAccepted", "not all names are accepted", now)
      }
    } else {
      set(&status, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now)
      set(
        &status, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted", now)
    }
    if status["storedVersions"].items.isEmpty {
      status["storedVersions"] = .array(
        definition["spec"]["versions"].items.filter { $0["storage"].bool == true }.map { $0["name"] })
    }
    return status
  }

  private static func taken(
    _ definition: JSON, _ others: [JSON]
  ) -> (resources: Set<String>, kinds: Set<String>) {
    var resources: Set<String> = []
    var kinds: Set<String> = []
    for other in others
    where other["spec"]["group"] == definition["spec"]["group"]
      && other["metadata"]["name"] != definition["metadata"]["name"]
    {
      let names = other["status"]["acceptedNames"]
      resources.formUnion(names["shortNames"].strings)
      for field in ["plural", "singular"] {
        if let name = names[field].string, !name.isEmpty { resources.insert(name) }
      }
      for field in ["kind", "listKind"] { if let name = names[field].string, !name.isEmpty { kinds.insert(name) } }
    }
    return (resources, kinds)
  }

  /// Sets a condition; its time changes with its status.
  static func set(
    _ status: inout JSON, _ type: String, _ value: String, _ reason: String, _ message: String, _ now: Timestamp
  ) {
    var conditions = status["conditions"].items
    let at = conditions.firstIndex { $0["type"].string == type }
    let old = at.map { conditions[$0] } ?? .null
    let condition: JSON = [
      "type": .string(type), "status": .string(value),
      "lastTransitionTime": old["status"].string == value ? old["lastTransitionTime"] : .string(now.rfc3339),
      "reason": .string(reason), "message": .string(message),
    ]
    if let at { conditions[at] = condition } else { conditions.append(condition) }
    status["conditions"] = .array(conditions)
  }
}
