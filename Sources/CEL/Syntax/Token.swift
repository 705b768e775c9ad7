/// A piece of an expression's text.
struct Token: Sendable {
  enum Kind: Equatable, Sendable {
    case identifier(String)
    /// A field's name in backticks.
    case quoted(String)
    case int(UInt64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    /// An operator or a bracket.
    case mark(String)
    case end
  }

  var kind: Kind
  /// Place of its first code point.
  var at: Int
  /// As it was written.
  var text: String
}

/// Something wrong with an expression, at a place in it.
struct Issue: Error, Sendable {
  var at: Int
  var text: String
}
