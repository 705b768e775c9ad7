/// What is wrong with one field of an object, as `k8s.io/apimachinery/pkg/util/validation/field` tells it.
package struct FieldError: Hashable, Sendable, CustomStringConvertible {
  /// The reason of the cause in the answer.
  package enum Kind: String, Sendable {
    case notFound = "FieldValueNotFound"
    case required = "FieldValueRequired"
    case duplicate = "FieldValueDuplicate"
    case invalid = "FieldValueInvalid"
    case notSupported = "FieldValueNotSupported"
    case forbidden = "FieldValueForbidden"
    case tooLong = "FieldValueTooLong"
    case tooMany = "FieldValueTooMany"
    case internalError = "InternalError"
    case typeInvalid = "FieldValueTypeInvalid"

    var text: String {
      switch self {
      case .notFound: "Not found"
      case .required: "Required value"
      case .duplicate: "Duplicate value"
      case .invalid, .typeInvalid: "Invalid value"
      case .notSupported: "Unsupported value"
      case .forbidden: "Forbidden"
      case .tooLong: "Too long"
      case .tooMany: "Too many"
      case .internalError: "Internal error"
      }
    }
  }

  package var type: Kind
  /// The path, such as `spec.containers[0].name`.
  package var field: String
  /// The bad value as it is printed; nil where none is.
  package var value: String?
  package var detail: String

  package init(_ type: Kind, _ field: FieldPath, value: String? = nil, detail: String = "") {
    self.type = type
    self.field = field.text
    self.value = value
    self.detail = detail
  }

  /// The error without its path.
  package var body: String {
    type.text + (value.map { ": \($0)" } ?? "") + (detail.isEmpty ? "" : ": \(detail)")
  }

  package var description: String { "\(field): \(body)" }

  // MARK: Builders

  package static func required(_ field: FieldPath, _ detail: String = "") -> FieldError {
    FieldError(.required, field, detail: detail)
  }
  package static func forbidden(_ field: FieldPath, _ detail: String) -> FieldError {
    FieldError(.forbidden, field, detail: detail)
  }
  package static func invalid(_ field: FieldPath, _ value: JSON, _ detail: String) -> FieldError {
    FieldError(.invalid, field, value: printed(value), detail: detail)
  }
  package static func typeInvalid(_ field: FieldPath, _ value: JSON, _ detail: String) -> FieldError {
    FieldError(.typeInvalid, field, value: printed(value), detail: detail)
  }
  package static func duplicate(_ field: FieldPath, _ value: JSON) -> FieldError {
    FieldError(.duplicate, field, value: printed(value))
  }
  package static func notFound(_ field: FieldPath, _ value: JSON) -> FieldError {
    FieldError(.notFound, field, value: printed(value))
  }
  package static func notSupported(_ field: FieldPath, _ value: JSON, supported: [String]) -> FieldError {
    FieldError(
      .notSupported, field, value: printed(value),
      detail: supported.isEmpty ? "" : "supported values: " + supported.map(GoText.quote).joined(separator: ", "))
  }
  package static func tooLong(_ field: FieldPath, limit: Int) -> FieldError {
    FieldError(.tooLong, field, detail: "may not be more than \(limit) bytes")
  }
  package static func tooMany(_ field: FieldPath, count: Int, limit: Int) -> FieldError {
    FieldError(
      .tooMany, field, value: String(count), detail: "must have at most \(limit) item\(limit == 1 ? "" : "s")")
  }

  /// A value as upstream prints it: strings quoted, objects as JSON.
  package static func printed(_ value: JSON) -> String {
    if case .string(let text) = value { GoText.quote(text) } else { value.text() }
  }
}

/// The path of a field: names joined by dots, indexes and keys in brackets.
package struct FieldPath: Hashable, Sendable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
  package var text: String

  package init(_ text: String) { self.text = text }
  package init(stringLiteral text: String) { self.text = text }

  package func child(_ name: String) -> FieldPath { FieldPath(text.isEmpty ? name : "\(text).\(name)") }
  package func index(_ index: Int) -> FieldPath { FieldPath("\(text)[\(index)]") }
  package func key(_ key: String) -> FieldPath { FieldPath("\(text)[\(key)]") }
}
