/// An object type of the Kubernetes API: its fields and how lists of them merge.
package final class KubernetesType: Sendable {
  /// As OpenAPI names it, such as `io.k8s.api.core.v1.PodSpec`.
  package let name: String
  /// What objects of this type may say they are; empty for a part of an object.
  package let kinds: [GroupVersionKind]
  /// In order of their names.
  package let fields: [Field]
  /// Those of the fields that are written even when they are empty.
  let alwaysWritten: [Field]
  /// The whole object belongs to one manager (`x-kubernetes-map-type: atomic`).
  package let isAtomic: Bool
  /// Fields that the type does not name are kept.
  package let preservesUnknownFields: Bool

  init(
    name: String, kinds: [GroupVersionKind] = [], fields: [Field], isAtomic: Bool = false,
    preservesUnknownFields: Bool = false
  ) {
    self.name = name
    self.kinds = kinds
    self.fields = fields.sorted { $0.name < $1.name }
    alwaysWritten = self.fields.filter { $0.presence == .always }
    self.isAtomic = isAtomic
    self.preservesUnknownFields = preservesUnknownFields
  }

  package subscript(field: String) -> Field? {
    var low = 0
    var high = fields.count
    while low < high {
      let middle = (low + high) / 2
      if fields[middle].name < field { low = middle + 1 } else { high = middle }
    }
    return low < fields.count && fields[low].name == field ? fields[low] : nil
  }

  /// What a value may be.
  package indirect enum Shape: Hashable, Sendable {
    case string, bool, int32, int64, double, bytes, quantity, time, microTime, intOrString
    /// Any object, kept as it is.
    case anyObject
    /// Any value at all.
    case any
    case list(Shape)
    case map(Shape)
    /// A type, by its place in the schema.
    case object(Int)
  }

  /// How a field stands in JSON when it is empty, as Go's encoder writes the type's declaration.
  package enum Presence: Sendable {
    /// Kept as it was said (a pointer).
    case asSaid
    /// Left out (`omitempty` on a value).
    case leftOut
    /// Written all the same: the empty value, null for a list, a map and a time.
    case always
  }

  /// How a list merges under server-side apply.
  package enum ListType: String, Sendable { case atomic, set, map }

  /// A class, since fields are looked up for every value of every object, and copying one costs as much as the rest.
  package final class Field: Sendable {
    package let name: String
    package let shape: Shape
    private let traits: FieldTraits

    init(name: String, shape: Shape, _ traits: FieldTraits = FieldTraits()) {
      self.name = name
      self.shape = shape
      self.traits = traits
    }

    package var isRequired: Bool { traits.isRequired }
    package var presence: Presence { traits.presence }
    package var listType: ListType? { traits.listType }
    package var listMapKeys: [String] { traits.listMapKeys }
    package var mergeKey: String? { traits.mergeKey }
    var patchStrategies: [String] { traits.patchStrategies }
    package var isAtomicMap: Bool { traits.isAtomicMap }
    package var keyDefault: String? { traits.keyDefault }
    package var values: [String] { traits.values }
    package var defaultValue: JSON? { traits.defaultValue }
    package var itemsListType: ListType? { traits.itemsListType }
    package var itemsListMapKeys: [String] { traits.itemsListMapKeys }
    package var merges: Bool { traits.patchStrategies.contains("merge") }
    package var retainsKeys: Bool { traits.patchStrategies.contains("retainKeys") }
  }

  /// What is said of a field beside its shape.
  struct FieldTraits: Sendable {
    var isRequired = false
    var presence = Presence.asSaid
    var listType: ListType?
    var listMapKeys: [String] = []
    /// Of strategic merge patches.
    var mergeKey: String?
    var patchStrategies: [String] = []
    var isAtomicMap = false
    /// The default of a key of a list.
    var keyDefault: String?
    var values: [String] = []
    /// Of a custom resource's schema.
    var defaultValue: JSON?
    var itemsListType: ListType?
    var itemsListMapKeys: [String] = []
  }
}
