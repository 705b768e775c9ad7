/// A node of an expression's tree.
package final class Node: Sendable {
  enum Kind: Sendable {
    case literal(Value)
    case identifier(String)
    case select(Node, field: String, testsOnly: Bool)
    case call(String, target: Node?, [Node])
    case list([Node], optional: [Bool])
    case map([MapEntry])
    /// A message: `Object{spec: …}`.
    case object(String, [FieldEntry])
    case fold(Fold)
  }

  struct MapEntry: Sendable {
    var key: Node
    var value: Node
    var isOptional: Bool
  }

  struct FieldEntry: Sendable {
    var at: Int
    var name: String
    var value: Node
    var isOptional: Bool
  }

  /// What the macros over lists and maps become.
  struct Fold: Sendable {
    var range: Node
    var variable: String
    /// Of the forms with two variables.
    var second: String?
    var accumulator: String
    var start: Node
    var condition: Node
    var step: Node
    var result: Node
  }

  let id: Int
  /// Place of the code point that an error points at.
  let at: Int
  let kind: Kind
  /// The depth of the tree under it.
  let depth: Int

  init(id: Int, at: Int, _ kind: Kind) {
    self.id = id
    self.at = at
    self.kind = kind
    switch kind {
    case .literal, .identifier: depth = 1
    case .select(let operand, _, _): depth = operand.depth + 1
    case .call(_, let target, let arguments):
      depth = 1 + max(target?.depth ?? 0, arguments.reduce(0) { max($0, $1.depth) })
    case .list(let items, _): depth = 1 + items.reduce(0) { max($0, $1.depth) }
    case .map(let entries): depth = 1 + entries.reduce(0) { max($0, $1.key.depth, $1.value.depth) }
    case .object(_, let fields): depth = 1 + fields.reduce(0) { max($0, $1.value.depth) }
    case .fold(let fold):
      depth =
        1 + max(max(fold.range.depth, fold.start.depth), max(fold.step.depth, fold.condition.depth, fold.result.depth))
    }
  }
}
