/// Something that is so and wants an explanation: `nodes/not-ready` of one node.
package struct Effect: Hashable, Sendable {
  /// `group/kebab-name`, group as in `Mechanisms`.
  package struct Kind: Hashable, Sendable, RawRepresentable, ExpressibleByStringLiteral {
    package var rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package init(stringLiteral value: String) { rawValue = value }

    package var group: String { String(rawValue.prefix { $0 != "/" }) }
  }

  package var kind: Kind
  package var entity: Entity
  /// What else tells this effect from others of its kind, such as the node of a denied call.
  package var detail: String

  package init(_ kind: Kind, _ entity: Entity, detail: String = "") {
    self.kind = kind
    self.entity = entity
    self.detail = detail
  }
}
