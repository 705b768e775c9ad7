import CEL
import Wire

/// One rule of a schema (`x-kubernetes-validations`), compiled.
struct SchemaRule: Sendable {
  var rule: String
  var message: String
  var messageExpression: CheckedExpression?
  var messageFault: String?
  var reason: String?
  var fieldPath: String
  var isOptional: Bool
  var expression: CheckedExpression?
  /// Why there is no expression.
  var fault: String?

  /// A rule about changes: it is asked only where there is a value from before.
  var usesOldSelf: Bool { expression?.variables.contains("oldSelf") ?? false }

  init(_ json: JSON, of type: SchemaType, minor: Int) {
    rule = (json["rule"].string ?? "").trimmingBlanks
    message = (json["message"].string ?? "").trimmingBlanks
    reason = json["reason"].string
    isOptional = json["optionalOldSelf"].bool == true
    fieldPath = SchemaRule.normalized(json["fieldPath"].string ?? "")
    var environment = Environment.kubernetes(minor: minor)
    environment.declare("self", type.celType)
    environment.declare("oldSelf", isOptional ? .optional(type.celType) : type.celType)
    guard !rule.isEmpty else { return }
    do throws(CheckedExpression.Failure) {
      let checked = try CheckedExpression(json["rule"].string ?? "", in: environment)
      if checked.type == .bool { expression = checked } else { fault = "cel expression must evaluate to a bool" }
    } catch {
      fault = "compilation failed: \(error.text)"
    }
    let text = json["messageExpression"].string ?? ""
    guard !text.trimmingBlanks.isEmpty else { return }
    do throws(CheckedExpression.Failure) {
      let checked = try CheckedExpression(text, in: environment)
      if checked.type == .string {
        messageExpression = checked
      } else {
        messageFault = "messageExpression must evaluate to a string"
      }
    } catch {
      messageFault = "messageExpression compilation failed: \(error.text)"
    }
  }

  /// `.spec['a b'].c` as paths of fields are told.
  private static func normalized(_ path: String) -> String {
    var text = path.hasPrefix(".") ? String(path.dropFirst()) : path
    text = text.replacing("['", with: "[").replacing("']", with: "]")
    return text
  }

  /// The rule as messages name it.
  var shown: String { message.isEmpty ? rule : message }
}
