/// A set of fields in the form in which `metadata.managedFields` keeps it.
///
/// A write most often touches a few paths of an object whose managers own hundreds: they are changed where they
/// stand, without reading the rest.
package struct FieldsV1: Sendable, Equatable {
  private typealias Fields = [JSONObject.Field]

  private var object = JSONObject()

  init() {}

  /// As it was written by ``FieldSet/json``.
  init(kept json: JSON) { object.fields = json.fields }

  init(_ set: FieldSet) { object.fields = set.json.fields }

  var json: JSON { .object(object) }
  var set: FieldSet { FieldSet(json) }
  package var isEmpty: Bool { object.isEmpty }

  mutating func subtract(_ other: FieldSet) { FieldsV1.subtract(other, from: &object.fields) }
  mutating func formUnion(_ other: FieldSet) { FieldsV1.add(other, to: &object.fields) }

  private static func subtract(_ other: FieldSet, from fields: inout Fields) {
    for (element, theirs) in other.entries {
      let key = element.key
      guard let at = fields.firstIndex(where: { $0.key == key }) else { continue }
      change(at, in: &fields) { isMember, below in
        if theirs.isMember { isMember = false }
        subtract(theirs.children, from: &below)
      }
    }
  }

  private static func add(_ other: FieldSet, to fields: inout Fields) {
    for (element, theirs) in other.entries {
      let key = element.key
      if let at = fields.firstIndex(where: { $0.key == key }) {
        change(at, in: &fields) { isMember, below in
          if theirs.isMember { isMember = true }
          add(theirs.children, to: &below)
        }
      } else {
        let at = fields.firstIndex { FieldSet.Element(key: $0.key).map { element < $0 } ?? false } ?? fields.count
        fields.insert(.init(key: key, value: theirs.json), at: at)
      }
    }
  }

  /// What stands first in a place that is a member and has something below it as well.
  static let itself = "."

  private static func change(_ at: Int, in fields: inout Fields, _ body: (inout Bool, inout Fields) -> Void) {
    var below = fields[at].value.fields
    fields[at].value = .null
    var isMember = below.isEmpty
    if below.first?.key == itself {
      isMember = true
      below.removeFirst()
    }
    body(&isMember, &below)
    if below.isEmpty, !isMember {
      fields.remove(at: at)
    } else {
      if !below.isEmpty, isMember { below.insert(.init(key: itself, value: .emptyObject), at: 0) }
      fields[at].value = .object(JSONObject(fields: below))
    }
  }
}
