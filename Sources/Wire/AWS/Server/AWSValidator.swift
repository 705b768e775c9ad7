/// Checks an input against what its model demands, and says what is wrong in the service's own words.
enum AWSValidator {
  /// The error that the service would answer; nil when the input is as the model wants it.
  static func check(_ input: JSON, _ shape: AWSShape, service: AWSServiceModel, format: AWSFormat) -> AWSError? {
    if format == .ec2 { return ec2(input, shape) }
    var found: [String] = []
    structure(input, shape, path: "", query: format == .query, into: &found)
    guard !found.isEmpty else { return nil }
    let count = found.count == 1 ? "1 validation error" : "\(found.count) validation errors"
    let shown = found.prefix(violationLimit).joined(separator: "; ")
    return AWSError(code: code(service, format), message: "\(count) detected: \(shown)")
  }

  private static let violationLimit = 50

  /// The code under which a service reports a violation of its model.
  private static func code(_ service: AWSServiceModel, _ format: AWSFormat) -> String {
    switch service.id {
    case "eks", "eks-auth", "logs": "InvalidParameterException"
    case "route53": "InvalidInput"
    default: format.isQuery ? "ValidationError" : "ValidationException"
    }
  }

  // MARK: The common texts

  private static func structure(
    _ value: JSON, _ shape: AWSShape, path: String, query: Bool, into found: inout [String]
  ) {
    let object = value.object ?? JSONObject()
    for member in shape.members {
      let at = path.isEmpty ? member.name.decapitalizedFirst : "\(path).\(member.name.decapitalizedFirst)"
      let inner = object[member.name]
      if inner.isNull {
        if member.required {
          found.append("Value null at '\(at)' failed to satisfy constraint: Member must not be null")
        }
      } else {
        check(inner, member.shape, path: at, query: query, into: &found)
      }
      guard found.count <= violationLimit else { return }
    }
  }

  private static func check(
    _ value: JSON, _ shape: AWSShape, path: String, query: Bool, into found: inout [String]
  ) {
    switch shape.kind {
    case .structure: structure(value, shape, path: path, query: query, into: &found)
    case .list:
      report(constraints(value, shape), value, shape, path, &found)
      let element = shape.element.shape
      for (index, item) in value.items.enumerated() {
        guard found.count <= violationLimit else { return }
        if element.kind == .structure || element.kind == .list || element.kind == .map {
          check(item, element, path: "\(path).\(index + 1).member", query: query, into: &found)
        } else if !constraints(item, element).isEmpty {
          // One text for the whole list, with all that its elements must satisfy.
          let all = demands(element).joined(separator: ", ")
          found.append(
            "Value '[\(list(value))]' at '\(path)' failed to satisfy constraint: Member must satisfy constraint: [\(all)]"
          )
          return
        }
      }
    case .map:
      report(constraints(value, shape), value, shape, path, &found)
      for field in value.fields {
        guard found.count <= violationLimit else { return }
        if !constraints(.string(field.key), shape.key.shape).isEmpty {
          let all = demands(shape.key.shape).joined(separator: ", ")
          found.append(
            "Value '{\(map(value))}' at '\(path)' failed to satisfy constraint: Map keys must satisfy constraint: [\(all)]"
          )
          return
        }
        let inner = shape.value.shape
        if inner.kind == .structure || inner.kind == .list || inner.kind == .map {
          check(field.value, inner, path: "\(path).\(field.key.bounded).member", query: query, into: &found)
        } else if !constraints(field.value, inner).isEmpty {
          let all = demands(inner).joined(separator: ", ")
          found.append(
            "Value '{\(map(value))}' at '\(path)' failed to satisfy constraint: Map value must satisfy constraint: [\(all)]"
          )
          return
        }
      }
    default: report(constraints(value, shape), value, shape, path, &found)
    }
  }

  private static func report(
    _ broken: [String], _ value: JSON, _ shape: AWSShape, _ path: String, _ found: inout [String]
  ) {
    for constraint in broken {
      let shown =
        switch value {
        case .array: " '[\(list(value))]'"
        case .object: " '{\(map(value))}'"
        case .string(let text): " '\(text.bounded)'"
        default: " '\(value.text())'"
        }
      found.append("Value\(shape.isSecret ? "" : shown) at '\(path)' failed to satisfy constraint: \(constraint)")
    }
  }

  private static func list(_ value: JSON) -> String {
    value.items.prefix(20).map { $0.string?.bounded ?? $0.text().bounded }.joined(separator: ", ")
  }

  private static func map(_ value: JSON) -> String {
    value.fields.prefix(20).map { "\($0.key.bounded)=\($0.value.string?.bounded ?? $0.value.text().bounded)" }
      .joined(separator: ", ")
  }

  /// The demands of a shape that a value breaks.
  private static func constraints(_ value: JSON, _ shape: AWSShape) -> [String] {
    guard shape.min != nil || shape.max != nil || shape.pattern != nil || !shape.values.isEmpty else { return [] }
    var broken: [String] = []
    let size: Double
    switch value {
    case .string(let text):
      size = shape.kind == .blob ? Double(text.utf8.count / 4 * 3) : Double(text.unicodeScalars.count)
      if !shape.values.isEmpty, !shape.values.contains(text) { broken.append(enumText(shape)) }
    case .array(let array): size = Double(array.count)
    case .object(let object): size = Double(object.count)
    case .int(let number): size = Double(number)
    case .double(let number): size = number
    default: return []
    }
    if let max = shape.max, size > max { broken.append(boundText(shape, max, "less")) }
    if let min = shape.min, size < min { broken.append(boundText(shape, min, "greater")) }
    if let pattern = shape.compiledPattern, case .string(let text) = value, broken.isEmpty || text.isEmpty,
      !pattern.matches(text)
    {
      broken.append(patternText(shape))
    }
    return broken
  }

  /// All that a shape demands, as a list's violation tells it.
  private static func demands(_ shape: AWSShape) -> [String] {
    var all: [String] = []
    if !shape.values.isEmpty { all.append(enumText(shape)) }
    if let max = shape.max { all.append(boundText(shape, max, "less")) }
    if let min = shape.min { all.append(boundText(shape, min, "greater")) }
    if shape.pattern != nil { all.append(patternText(shape)) }
    return all
  }

  private static func enumText(_ shape: AWSShape) -> String {
    "Member must satisfy enum value set: [\(shape.values.joined(separator: ", "))]"
  }

  private static func patternText(_ shape: AWSShape) -> String {
    "Member must satisfy regular expression pattern: \(shape.pattern ?? "")"
  }

  private static func boundText(_ shape: AWSShape, _ bound: Double, _ side: String) -> String {
    let what = isNumber(shape) ? "value" : "length"
    return "Member must have \(what) \(side) than or equal to \(text(bound))"
  }

  private static func isNumber(_ shape: AWSShape) -> Bool {
    switch shape.kind {
    case .integer, .long, .double, .float: true
    default: false
    }
  }

  private static func text(_ number: Double) -> String { Int64(exactly: number).map { "\($0)" } ?? "\(number)" }

  // MARK: EC2's texts

  private static func ec2(_ value: JSON, _ shape: AWSShape) -> AWSError? {
    let object = value.object ?? JSONObject()
    for member in shape.members {
      let inner = object[member.name]
      if inner.isNull {
        guard member.required else { continue }
        return AWSError(
          code: "MissingParameter",
          message: "The request must contain the parameter \(member.ec2Name.decapitalizedFirst)")
      }
      if let error = ec2Member(inner, member.shape, name: member.ec2Name) { return error }
    }
    return nil
  }

  private static func ec2Member(_ value: JSON, _ shape: AWSShape, name: String) -> AWSError? {
    switch shape.kind {
    case .structure: return ec2(value, shape)
    case .list:
      for item in value.items {
        if let error = ec2Member(item, shape.element.shape, name: name) { return error }
      }
      return nil
    case .string:
      // Long enumerations grow faster than their models (instance types): their operations check them.
      guard let text = value.string, !shape.values.isEmpty, shape.values.count < 100, !shape.values.contains(text)
      else { return nil }
      return AWSError(
        code: "InvalidParameterValue",
        message: "Value (\(text.bounded)) for parameter \(name.decapitalizedFirst) is invalid.")
    case .integer, .long, .double, .float:
      guard let number = value.double else { return nil }
      let shown = "Value ( \(text(number)) ) for parameter \(name.decapitalizedFirst) is invalid."
      if let min = shape.min, number < min {
        return AWSError(
          code: "InvalidParameterValue", message: "\(shown) Expecting a value greater than \(text(min)).")
      }
      if let max = shape.max, number > max {
        return AWSError(
          code: "InvalidParameterValue", message: "\(shown) Expecting a value less than or equal to \(text(max)).")
      }
      return nil
    default: return nil
    }
  }
}
