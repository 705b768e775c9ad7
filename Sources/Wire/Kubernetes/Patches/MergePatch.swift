/// A merge patch of RFC 7386.
package enum MergePatch {
  /// The patched document; null in the patch removes, a list replaces.
  package static func apply(_ patch: JSON, to document: JSON) -> JSON {
    guard case .object(let changes) = patch else { return patch }
    var object = document.object ?? JSONObject()
    for change in changes.fields {
      if change.value.isNull {
        object.remove(change.key)
      } else if let at = object.index(of: change.key) {
        let old = object.fields[at].value
        object.fields[at].value = .null
        object.fields[at].value = apply(change.value, to: old)
      } else {
        object.append(change.key, apply(change.value, to: .null))
      }
    }
    return .object(object)
  }
}
