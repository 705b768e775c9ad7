/// A strategic merge patch: a merge patch in which lists merge by their keys, and directives steer it.
///
/// Semantics and texts of `k8s.io/apimachinery/pkg/util/strategicpatch`.
package struct StrategicMergePatch {
  private let schema: KubernetesSchema

  /// The patched object, merged by the type of its kind. Throws the answer to a malformed patch.
  package static func apply(
    _ patch: JSON, to object: JSON, as gvk: GroupVersionKind, in schema: KubernetesSchema
  ) throws(KubeStatus) -> JSON {
    guard case .object(let changes) = patch else {
      throw .badRequest("json: cannot unmarshal \(patch.goKind) into Go value of type map[string]interface {}")
    }
    guard let index = schema.index(of: gvk) else { throw .unsupportedMediaType(mediaTypesWithout) }
    let merged = try StrategicMergePatch(schema: schema).merge(
      object.object ?? JSONObject(), changes, Context(shape: .object(index)), depth: 0)
    return .object(merged)
  }

  private static let mediaTypesWithout = [
    "application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml",
  ]

  private static let directive = "$patch"
  private static let retainKeys = "$retainKeys"
  private static let setElementOrder = "$setElementOrder/"
  private static let deleteFromList = "$deleteFromPrimitiveList/"

  /// What the schema says about the place that is merged.
  private struct Context {
    var shape: KubernetesType.Shape
    var mergeKey: String?
    var strategies: [String] = []

    var merges: Bool { strategies.contains("merge") }
    var replaces: Bool { strategies.contains("replace") }
  }

  private func context(_ parent: Context, _ key: String) -> Context {
    switch parent.shape {
    case .object(let index):
      guard let field = schema.types[index][key] else { return Context(shape: .any) }
      return Context(shape: field.shape, mergeKey: field.mergeKey, strategies: field.patchStrategies)
    case .map(let values): return Context(shape: values)
    default: return Context(shape: .any)
    }
  }

  // MARK: Maps

  private func merge(
    _ original: JSONObject, _ patch: JSONObject, _ context: Context, depth: Int
  ) throws(KubeStatus) -> JSONObject {
    var patch = patch
    if let kind = patch.remove(Self.directive) {
      switch kind.string {
      case "replace": return patch
      case "delete": return JSONObject()
      case "merge": break
      default:
        throw .unprocessableText(
          "unknown patch type: \(kind.string ?? kind.text()) in map: \(JSON.object(patch).text())")
      }
    }
    var original = original
    try applyRetainKeys(&original, &patch)
    try applyElementOrder(&original, &patch, context, depth: depth)
    for change in patch.fields {
      var key = change.key
      let isDeletion = key.hasPrefix(Self.deleteFromList)
      if isDeletion { key = String(key.dropFirst(Self.deleteFromList.count)) }
      if change.value.isNull {
        original.remove(key)
        continue
      }
      guard let at = original.index(of: key) else {
        if !isDeletion { original.append(key, Self.plain(change.value)) }
        continue
      }
      let inner = self.context(context, key)
      switch (original.fields[at].value, change.value) {
      case (.object(let old), .object(let new)):
        original.fields[at].value =
          inner.replaces ? .object(new) : .object(try merge(old, new, inner, depth: depth + 1))
      case (.array(let old), .array(let new)):
        original.fields[at].value =
          isDeletion || inner.merges
          ? .array(try mergeList(old, new, inner, isDeletion: isDeletion, depth: depth + 1)) : change.value
      default:
        if !isDeletion { original.fields[at].value = Self.plain(change.value) }
      }
    }
    return original
  }

  private func applyRetainKeys(_ original: inout JSONObject, _ patch: inout JSONObject) throws(KubeStatus) {
    guard let directive = patch.remove(Self.retainKeys) else { return }
    guard directive.array != nil else { throw .badRequest("invalid patch format of retainKeys") }
    let kept = Set(directive.strings)
    for field in patch.fields
    where !field.value.isNull && !field.key.hasPrefix(Self.deleteFromList) && !field.key.hasPrefix(Self.setElementOrder)
      && !kept.contains(field.key)
    {
      throw .badRequest("invalid patch format of retainKeys")
    }
    original.fields.removeAll { !kept.contains($0.key) }
  }

  private func applyElementOrder(
    _ original: inout JSONObject, _ patch: inout JSONObject, _ context: Context, depth: Int
  ) throws(KubeStatus) {
    for directive in patch.fields where directive.key.hasPrefix(Self.setElementOrder) {
      patch.remove(directive.key)
      let key = String(directive.key.dropFirst(Self.setElementOrder.count))
      guard let order = directive.value.array else {
        throw .badRequest("invalid patch format of setElementOrder list")
      }
      let old = original[key].array
      let new = patch[key].array
      let inner = self.context(context, key)
      if let new { try check(new, against: order, inner.mergeKey) }
      let merged: [JSON]
      switch (old, new) {
      case (let old?, nil): merged = old
      case (nil, let new?): merged = Self.plain(.array(new)).items
      case (let old?, let new?):
        merged = inner.merges ? try mergeList(old, new, inner, isDeletion: false, depth: depth + 1) : new
      case (nil, nil): continue
      }
      let list = Self.ordered(merged, by: order, server: old ?? [], inner.mergeKey)
      if let at = original.index(of: key) {
        original.fields[at].value = .array(list)
      } else {
        original.append(key, .array(list))
      }
      patch.remove(key)
    }
  }

  /// The patch's list may hold nothing that the order list does not name, and in the same order.
  private func check(_ patch: [JSON], against order: [JSON], _ mergeKey: String?) throws(KubeStatus) {
    let named = patch.filter { mergeKey == nil || $0[Self.directive].string != "delete" }
    let fault = KubeStatus.badRequest("invalid patch format of setElementOrder list")
    var at = 0
    for element in named {
      if mergeKey != nil, element[Self.directive].string != nil { continue }
      while at < order.count, !Self.same(order[at], element, mergeKey) { at += 1 }
      guard at < order.count else { throw fault }
      at += 1
    }
  }

  // MARK: Lists

  private func mergeList(
    _ original: [JSON], _ patch: [JSON], _ context: Context, isDeletion: Bool, depth: Int
  ) throws(KubeStatus) -> [JSON] {
    if original.isEmpty && patch.isEmpty { return original }
    let isMaps = (original.first ?? patch.first)?.object != nil
    for element in original + patch {
      if element.array != nil { throw KubeStatus.unprocessable }
      guard (element.object != nil) == isMaps else {
        throw .unprocessableText("list element types are not identical")
      }
    }
    guard isMaps else {
      if isDeletion { return original.filter { !patch.contains($0) } }
      var merged: [JSON] = []
      for element in original + patch where !merged.contains(element) { merged.append(element) }
      return Self.ordered(merged, by: patch, server: original, nil)
    }
    guard let mergeKey = context.mergeKey else {
      throw .unprocessableText("cannot merge lists without merge key")
    }
    var items = context
    if case .list(let shape) = context.shape { items = Context(shape: shape) }
    var merged = original
    var changes: [JSON] = []
    var replaces = false
    for element in patch {
      switch element[Self.directive].string {
      case nil: changes.append(element)
      case "delete":
        let key = element[mergeKey]
        guard !key.isNull else { throw .noMergeKey(element, mergeKey) }
        merged.removeAll { $0[mergeKey] == key }
      case "replace": replaces = true
      case "merge": throw .unprocessableText("merging lists cannot yet be specified in the patch")
      case let other?:
        throw .unprocessableText("unknown patch type: \(other) in map: \(element.text())")
      }
    }
    if replaces { return changes }
    let server = merged
    for change in changes {
      let key = change[mergeKey]
      guard !key.isNull else { throw .noMergeKey(change, mergeKey) }
      if let at = merged.firstIndex(where: { $0[mergeKey] == key }), case .object(let old) = merged[at],
        case .object(let new) = change
      {
        merged[at] = .object(try merge(old, new, items, depth: depth + 1))
      } else {
        merged.append(Self.plain(change))
      }
    }
    return Self.ordered(merged, by: changes, server: server, mergeKey)
  }

  private static func same(_ a: JSON, _ b: JSON, _ mergeKey: String?) -> Bool {
    guard let mergeKey else { return a == b }
    return a[mergeKey] == b[mergeKey]
  }

  private static func place(_ element: JSON, in list: [JSON], _ mergeKey: String?) -> Int? {
    list.firstIndex { same($0, element, mergeKey) }
  }

  /// The merged list: elements that the patch names in its order, the server's own where they stood before them.
  private static func ordered(_ merged: [JSON], by order: [JSON], server: [JSON], _ mergeKey: String?) -> [JSON] {
    func sorted(_ list: [JSON], _ order: [JSON]) -> [JSON] {
      list.enumerated().map { (place($0.element, in: order, mergeKey) ?? .max, $0.offset, $0.element) }
        .sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
    }
    let named = sorted(merged.filter { place($0, in: order, mergeKey) != nil }, order)
    let own = sorted(merged.filter { place($0, in: order, mergeKey) == nil }, server)
    var result: [JSON] = []
    var left = own[...]
    var right = named[...]
    while let ours = left.first, let theirs = right.first {
      if let a = place(ours, in: server, mergeKey), let b = place(theirs, in: server, mergeKey), a < b {
        result.append(ours)
        left = left.dropFirst()
      } else {
        result.append(theirs)
        right = right.dropFirst()
      }
    }
    return result + left + right
  }

  /// What a patch leaves where nothing was: without nulls and directives.
  private static func plain(_ value: JSON) -> JSON {
    switch value {
    case .object(let object):
      .object(
        JSONObject(
          object.fields.filter { !$0.value.isNull && !isDirective($0.key) }.map { ($0.key, plain($0.value)) }))
    case .array(let array):
      .array(array.filter { $0[directive].string != "delete" && !isReplaceMark($0) }.map(plain))
    default: value
    }
  }

  private static func isDirective(_ key: String) -> Bool {
    key == directive || key == retainKeys || key.hasPrefix(setElementOrder) || key.hasPrefix(deleteFromList)
  }

  private static func isReplaceMark(_ value: JSON) -> Bool {
    value[directive].string == "replace" && value.object?.count == 1
  }
}

extension KubeStatus {
  /// Upstream answers faults of the patch's contents that it does not foresee with 500.
  fileprivate static func unprocessableText(_ text: String) -> KubeStatus {
    KubeStatus(code: 500, reason: "", message: text)
  }

  fileprivate static func noMergeKey(_ map: JSON, _ key: String) -> KubeStatus {
    unprocessableText("map: \(map.text()) does not contain declared merge key: \(key)")
  }
}
