import Wire

/// Rules of `metadata`, the same for every kind (`apimachinery/pkg/api/validation/objectmeta.go`).
enum MetadataRules {
  static let annotationsLimit = 256 << 10

  static func validate(_ new: JSON, _ old: JSON?, _ row: KubeResource, _ rules: KindRules) -> [FieldError] {
    var errors: [FieldError] = []
    let path: FieldPath = "metadata"
    if let old {
      for field in ["name", "namespace", "uid", "creationTimestamp"] where old[field] != new[field] {
        errors.append(.invalid(path.child(field), new[field], "field is immutable"))
      }
    } else {
      let generate = new["generateName"].string ?? ""
      let name = new["name"].string ?? ""
      if name.isEmpty {
        errors.append(.required(path.child("name"), "name or generateName is required"))
      } else {
        errors += rules.name(name).map { .invalid(path.child("name"), .string(name), $0) }
      }
      if !generate.isEmpty, name.isEmpty {
        errors += rules.name(generate + "x").map { .invalid(path.child("generateName"), .string(generate), $0) }
      }
    }
    for field in new["labels"].fields {
      let at = path.child("labels")
      errors += NameRules.qualifiedName(field.key).map { .invalid(at, .string(field.key), $0) }
      errors += NameRules.labelValue(field.value.string ?? "").map { .invalid(at, field.value, $0) }
    }
    var size = 0
    for field in new["annotations"].fields {
      let at = path.child("annotations")
      errors += NameRules.qualifiedName(field.key.lowercased()).map { .invalid(at, .string(field.key), $0) }
      size += field.key.utf8.count + (field.value.string?.utf8.count ?? 0)
    }
    if size > annotationsLimit { errors.append(.tooLong(path.child("annotations"), limit: annotationsLimit)) }
    var controllers = 0
    for (index, owner) in new["ownerReferences"].items.enumerated() {
      let at = path.child("ownerReferences").index(index)
      for field in ["apiVersion", "kind", "name", "uid"] where (owner[field].string ?? "").isEmpty {
        errors.append(
          .invalid(
            at.child(field), owner[field].string.map { .string($0) } ?? "",
            "\(field == "apiVersion" ? "version" : field) must not be empty"))
      }
      if owner["controller"].bool == true { controllers += 1 }
    }
    if controllers > 1 {
      errors.append(
        .invalid(
          path.child("ownerReferences"), new["ownerReferences"],
          "Only one reference can have Controller set to true. Found \"true\" in references"))
    }
    for finalizer in new["finalizers"].strings {
      let at = path.child("finalizers")
      errors += NameRules.qualifiedName(finalizer).map { .invalid(at, .string(finalizer), $0) }
    }
    if let old, !old["deletionTimestamp"].isNull {
      let added = new["finalizers"].strings.filter { !old["finalizers"].strings.contains($0) }
      if !added.isEmpty {
        errors.append(
          .forbidden(
            path.child("finalizers"),
            "no new finalizers can be added if the object is being deleted, found new finalizers "
              + "[]string{\(added.map(GoText.quote).joined(separator: ", "))}"))
      }
    }
    return errors
  }
}
