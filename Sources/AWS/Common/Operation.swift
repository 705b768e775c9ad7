import Wire
import World

/// How a service carries an operation out.
typealias Operation<Service> = (Service) -> (AWSRequest) throws(AWSError) -> JSON

extension Dictionary where Key == String {
  /// The union of tables that share no name.
  static func joined(_ tables: [[String: Value]]) -> [String: Value] {
    var all: [String: Value] = [:]
    for table in tables { all.merge(table) { _, _ in preconditionFailure("an operation stands in two tables") } }
    return all
  }
}

extension AWSError {
  static func internalFailure(_ message: String) -> AWSError {
    AWSError(code: "InternalFailure", message: message, status: 500)
  }
}

extension JSON {
  /// A point of time as outputs carry it: seconds since 1970.
  static func time(_ time: Timestamp?) -> JSON { time.map { .int($0.seconds) } ?? .null }
  /// The same with milliseconds.
  static func preciseTime(_ time: Timestamp?) -> JSON {
    time.map { .double(Double($0.microseconds / 1000) / 1000) } ?? .null
  }

  /// The text of a scalar, as filters compare it.
  var scalarText: String? {
    switch self {
    case .string(let text): text
    case .bool(let value): value ? "true" : "false"
    case .int(let value): String(value)
    case .double(let value): value == value.rounded() ? String(Int64(value)) : String(value)
    default: nil
    }
  }

  /// The values at a dotted path, through arrays.
  func values(at path: [Substring]) -> [JSON] {
    if case .array(let elements) = self { return elements.flatMap { $0.values(at: path) } }
    guard let first = path.first else { return isNull ? [] : [self] }
    let value = self[String(first)]
    return value.isNull ? [] : value.values(at: Array(path.dropFirst()))
  }
}
