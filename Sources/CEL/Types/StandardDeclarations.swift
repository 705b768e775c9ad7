/// What CEL itself declares.
enum StandardDeclarations {
  static let operators = """
    _?_:_(bool, A, A) -> A
    _&&_(bool, bool) -> bool
    _||_(bool, bool) -> bool
    !_(bool) -> bool
    @not_strictly_false(bool) -> bool
    _==_(A, A) -> bool
    _!=_(A, A) -> bool
    _+_(int, int) -> int
    _+_(uint, uint) -> uint
    _+_(double, double) -> double
    _+_(string, string) -> string
    _+_(bytes, bytes) -> bytes
    _+_(list(A), list(A)) -> list(A)
    _+_(duration, duration) -> duration
    _+_(duration, timestamp) -> timestamp
    _+_(timestamp, duration) -> timestamp
    _-_(int, int) -> int
    _-_(uint, uint) -> uint
    _-_(double, double) -> double
    _-_(duration, duration) -> duration
    _-_(timestamp, duration) -> timestamp
    _-_(timestamp, timestamp) -> duration
    _*_(int, int) -> int
    _*_(uint, uint) -> uint
    _*_(double, double) -> double
    _/_(int, int) -> int
    _/_(uint, uint) -> uint
    _/_(double, double) -> double
    _%_(int, int) -> int
    _%_(uint, uint) -> uint
    -_(int) -> int
    -_(double) -> double
    _[_](list(A), int) -> A
    _[_](map(A, B), A) -> B
    @in(A, list(A)) -> bool
    @in(A, map(A, B)) -> bool
    @mapInsert(map(A, B), A, B) -> map(A, B)
    @mapInsert(map(A, B), map(A, B)) -> map(A, B)
    """

  /// Operators of order take two of one kind; numbers may be mixed.
  static let orders: String = ["_<_", "_<=_", "_>_", "_>=_"].map { name in
    let same = ["bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration"]
    let mixed = ["int, double", "int, uint", "uint, double", "uint, int", "double, int", "double, uint"]
    return (same.map { "\($0), \($0)" } + mixed).map { "\(name)(\($0)) -> bool" }.joined(separator: "\n")
  }.joined(separator: "\n")

  static let functions = """
    size(string) -> int
    size(bytes) -> int
    size(list(A)) -> int
    size(map(A, B)) -> int
    .size(string) -> int
    .size(bytes) -> int
    .size(list(A)) -> int
    .size(map(A, B)) -> int
    .contains(string, string) -> bool
    .startsWith(string, string) -> bool
    .endsWith(string, string) -> bool
    .matches(string, string) -> bool
    matches(string, string) -> bool
    type(A) -> type(A)
    dyn(A) -> dyn
    """

  static let conversions: String = [
    ("bool", "bool string"), ("bytes", "bytes string"), ("double", "double int string uint"),
    ("duration", "duration string"), ("int", "int double duration string timestamp uint"),
    ("string", "string bool bytes double duration int timestamp uint"), ("timestamp", "timestamp int string"),
    ("uint", "uint double int string"),
  ].flatMap { name, from in from.split(separator: " ").map { "\(name)(\($0)) -> \(name)" } }.joined(separator: "\n")

  static let times: String =
    [
      "getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek", "getHours", "getMinutes",
      "getSeconds", "getMilliseconds",
    ].map { ".\($0)(timestamp) -> int\n.\($0)(timestamp, string) -> int" }.joined(separator: "\n")
    + ["getHours", "getMinutes", "getSeconds", "getMilliseconds"].map { "\n.\($0)(duration) -> int" }.joined()

  static let optionals = """
    optional.of(A) -> optional(A)
    optional.ofNonZeroValue(A) -> optional(A)
    optional.none() -> optional(A)
    .hasValue(optional(A)) -> bool
    .value(optional(A)) -> A
    .or(optional(A), optional(A)) -> optional(A)
    .orValue(optional(A), A) -> A
    _[?_](list(A), int) -> optional(A)
    _[?_](optional(list(A)), int) -> optional(A)
    _[?_](map(A, B), A) -> optional(B)
    _[?_](optional(map(A, B)), A) -> optional(B)
    _[_](optional(list(A)), int) -> optional(A)
    _[_](optional(map(A, B)), A) -> optional(B)
    """
}
