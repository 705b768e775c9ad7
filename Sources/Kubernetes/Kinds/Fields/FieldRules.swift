import Wire

/// Checks of single fields, in upstream's words, of which the rules of kinds are made.
enum FieldRules {
  static let negative = "must be greater than or equal to 0"
  static let notPositive = "must be greater than zero"
  static let immutableText = "field is immutable"

  // MARK: Numbers

  static func nonNegative(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    guard let number = value.int, number < 0 else { return [] }
    return [.invalid(at, value, negative)]
  }

  static func nonNegative(_ object: JSON, _ fields: [String], _ at: FieldPath) -> [FieldError] {
    fields.flatMap { nonNegative(object[$0], at.child($0)) }
  }

  static func range(_ value: JSON, _ range: ClosedRange<Int>, _ at: FieldPath) -> [FieldError] {
    guard let number = value.int, !range.contains(number) else { return [] }
    return [.invalid(at, value, "must be between \(range.lowerBound) and \(range.upperBound), inclusive")]
  }

  /// A port's number: 1 to 65535, and 0 where none is said.
  static func port(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    range(value.isNull ? 0 : value, 1...65535, at)
  }

  static func portNumberOrName(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    if let name = value.string { return texts(NameRules.portName(name), value, at) }
    return port(value, at)
  }

  /// A user's or group's number.
  static func identity(_ value: JSON, _ at: FieldPath) -> [FieldError] { range(value, 0...2_147_483_647, at) }

  /// Greater than or equal to 0, as a number or a share.
  static func intOrPercent(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    switch IntOrString(value) {
    case .string(let text):
      let isPercent = text.hasSuffix("%") && text.count > 1 && text.dropLast().allSatisfy { $0.isASCII && $0.isNumber }
      return isPercent
        ? []
        : [
          .invalid(
            at, value,
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
              + "regex used for validation is '[0-9]+%')")
        ]
    case .int: return nonNegative(value, at)
    case nil: return []
    }
  }

  static func notMoreThanAll(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    guard let percent = IntOrString(value)?.percent, percent > 100 else { return [] }
    return [.invalid(at, value, "must not be greater than 100%")]
  }

  // MARK: Texts

  static func texts(_ faults: [String], _ value: JSON, _ at: FieldPath) -> [FieldError] {
    faults.map { .invalid(at, value, $0) }
  }

  /// A name of a form, if there is one.
  static func name(_ value: JSON, _ form: (String) -> [String], _ at: FieldPath) -> [FieldError] {
    guard let text = value.string, !text.isEmpty else { return [] }
    return texts(form(text), value, at)
  }

  static func requiredName(_ value: JSON, _ form: (String) -> [String], _ at: FieldPath) -> [FieldError] {
    (value.string ?? "").isEmpty ? [.required(at)] : name(value, form, at)
  }

  static func required(_ value: JSON, _ at: FieldPath, _ detail: String = "") -> [FieldError] {
    let isEmpty =
      switch value {
      case .null: true
      case .string(let text): text.isEmpty
      case .array(let items): items.isEmpty
      default: false
      }
    return isEmpty ? [.required(at, detail)] : []
  }

  /// One of the values; an empty one is missing, or is left out where that is allowed.
  static func oneOf(_ value: JSON, _ allowed: [String], _ at: FieldPath, optional: Bool = false) -> [FieldError] {
    let text = value.string ?? ""
    if text.isEmpty, value.isNull || !optional { return optional ? [] : [.required(at)] }
    return allowed.contains(text) ? [] : [.notSupported(at, value, supported: allowed)]
  }

  /// An IPv4 or IPv6 address.
  static func address(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    isAddress(value.string ?? "")
      ? []
      : [.invalid(at, .string(value.string ?? ""), "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
  }

  static func block(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    let text = value.string ?? ""
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let isBlock =
      CIDR(text) != nil
      || parts.count == 2 && IPv6Text.isValid(String(parts[0])) && Int(parts[1]).map { (0...128).contains($0) } == true
    return isBlock
      ? [] : [.invalid(at, .string(text), "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
  }

  static func isAddress(_ text: String) -> Bool { IPv4Address(text) != nil || IPv6Text.isValid(text) }

  /// An address that other hosts can reach.
  static func ordinaryAddress(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    let text = value.string ?? ""
    guard isAddress(text) else { return [.invalid(at, .string(text), "must be a valid IP address")] }
    func refused(_ why: String) -> [FieldError] { [.invalid(at, value, why)] }
    let v4 = IPv4Address(text)?.bits
    let v6 = text.lowercased()
    if v4 == 0 || v6 == "::" { return refused("may not be unspecified (\(text))") }
    if v4.map({ $0 >> 24 == 127 }) == true || v6 == "::1" {
      return refused("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    }
    if v4.map({ $0 >> 16 == 0xa9fe }) == true || ["fe8", "fe9", "fea", "feb"].contains(String(v6.prefix(3))) {
      return refused("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    }
    if v4.map({ $0 >> 8 == 0xe00000 }) == true || v6.hasPrefix("ff02:") {
      return refused("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    }
    return []
  }

  // MARK: Changes

  static func immutable(_ new: JSON, _ old: JSON, _ at: FieldPath) -> [FieldError] {
    same(new, old) ? [] : [.invalid(at, new, immutableText)]
  }

  /// Equal as Go's semantic comparison has it: an empty list or map is as good as none.
  static func same(_ a: JSON, _ b: JSON) -> Bool { a == b || a.withoutEmptyContainers == b.withoutEmptyContainers }

  // MARK: Labels and selectors

  static func labels(_ labels: JSON, _ at: FieldPath) -> [FieldError] {
    labels.fields.flatMap { field -> [FieldError] in
      texts(NameRules.qualifiedName(field.key), .string(field.key), at)
        + texts(NameRules.labelValue(field.value.string ?? ""), field.value, at)
    }
  }

  static func labelName(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    texts(NameRules.qualifiedName(value.string ?? ""), .string(value.string ?? ""), at)
  }

  static func annotations(_ annotations: JSON, _ at: FieldPath) -> [FieldError] {
    annotations.fields.flatMap { texts(NameRules.qualifiedName($0.key.lowercased()), .string($0.key), at) }
  }

  static func labelSelector(_ selector: JSON, _ at: FieldPath) -> [FieldError] {
    guard selector.object != nil else { return [] }
    var errors = labels(selector["matchLabels"], at.child("matchLabels"))
    for (index, expression) in selector["matchExpressions"].items.enumerated() {
      let at = at.child("matchExpressions").index(index)
      let values = expression["values"].items
      switch expression["operator"].string {
      case "In", "NotIn":
        if values.isEmpty {
          errors.append(.required(at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'"))
        }
      case "Exists", "DoesNotExist":
        if !values.isEmpty {
          errors.append(
            .forbidden(at.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        }
      case let other:
        errors.append(.invalid(at.child("operator"), .string(other ?? ""), "not a valid selector operator"))
      }
      errors += labelName(expression["key"], at.child("key"))
      for (place, value) in values.enumerated() {
        errors += texts(NameRules.labelValue(value.string ?? ""), value, at.child("values").index(place))
      }
    }
    return errors
  }
}

extension JSON {
  /// Without lists and objects that hold nothing, and without nulls.
  var withoutEmptyContainers: JSON {
    switch self {
    case .array(let array): return .array(array.map(\.withoutEmptyContainers))
    case .object(let object):
      return .object(
        JSONObject(
          object.fields.compactMap { field in
            let value = field.value.withoutEmptyContainers
            let isEmpty = value.isNull || value.array?.isEmpty == true || value.object?.isEmpty == true
            return isEmpty ? nil : (field.key, value)
          }))
    default: return self
    }
  }
}
