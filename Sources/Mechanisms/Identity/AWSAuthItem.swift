import Wire

/// One item of `mapRoles` or `mapUsers`, decoded as Go decodes JSON into a struct: names of fields in any case,
/// a value of another type left out (aws-iam-authenticator, `pkg/config`).
struct AWSAuthItem {
  enum List: String {
    case users = "mapUsers"
    case roles = "mapRoles"

    fileprivate var name: String { self == .roles ? "RoleMapping" : "UserMapping" }
    var type: String { "config.\(name)" }
  }

  private(set) var arn = ""
  private(set) var username = ""
  private(set) var groups: [String] = []
  /// The first value of another type than its field's.
  private(set) var typeFault: String?
  /// Why it maps nobody.
  private(set) var fault: String?

  init(_ item: JSON, _ list: List) {
    var sso: JSON = .null
    if item.object == nil, !item.isNull {
      typeFault = "json: cannot unmarshal \(GoJSON.kind(item)) into Go value of type \(list.type)"
    }
    let arnField = list == .roles ? "rolearn" : "userarn"
    // In the order in which Go writes a map's keys: of names that differ in case only, the last holds.
    for field in item.fields.sorted(by: { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }) {
      switch field.key.lowercased() {
      case arnField: arn = text(field.value, arnField, list) ?? arn
      case "username": username = text(field.value, "username", list) ?? username
      case "groups": setGroups(field.value, list)
      case "sso" where list == .roles: sso = field.value
      default: break
      }
    }
    fault = list == .users ? (arn.isEmpty ? "value for userarn must be supplied" : nil) : roleFault(sso)
  }

  private mutating func mismatch(_ value: JSON, _ field: String, _ type: String, _ list: List) {
    typeFault =
      typeFault
      ?? "json: cannot unmarshal \(GoJSON.kind(value)) into Go struct field \(list.name).\(field) of type \(type)"
  }

  private mutating func text(_ value: JSON, _ field: String, _ list: List) -> String? {
    if value.string == nil, !value.isNull { mismatch(value, field, "string", list) }
    return value.string
  }

  private mutating func setGroups(_ value: JSON, _ list: List) {
    if value.isNull {
      groups = []
      return
    }
    guard let items = value.array else { return mismatch(value, "groups", "[]string", list) }
    groups = items.map { $0.string ?? "" }
    for item in items where item.string == nil && !item.isNull { mismatch(item, "groups", "string", list) }
  }

  private func roleFault(_ sso: JSON) -> String? {
    if arn.isEmpty, sso.isNull { return "one of rolearn or SSO must be supplied" }
    if sso.isNull { return nil }
    if !arn.isEmpty { return "only one of rolearn or SSO can be supplied" }
    var known: [String: String] = [:]
    for field in sso.fields { known[field.key.lowercased()] = field.value.string }
    let account = known["accountid"] ?? ""
    guard account.utf8.count == 12, account.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return "AccountID '\(account)' is not a valid AWS Account ID"
    }
    let set = known["permissionsetname"] ?? ""
    guard (1...32).contains(set.utf8.count), set.utf8.allSatisfy(Self.isNameByte) else {
      return "PermissionSetName '\(set)' is not a valid AWS SSO PermissionSet Name"
    }
    let partition = known["partition"] ?? ""
    guard partition.isEmpty || Partition.named(partition) != nil else {
      return "partition '\(partition)' is not a valid AWS partition"
    }
    return nil
  }

  /// `[\w+=,.@-]`
  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f, 0x2b, 0x3d, 0x2c, 0x2e, 0x40, 0x2d: true
    default: false
    }
  }
}

/// How Go speaks of JSON.
enum GoJSON {
  /// What `json.UnmarshalTypeError` calls a value.
  static func kind(_ value: JSON) -> String {
    switch value {
    case .object: "object"
    case .array: "array"
    case .string: "string"
    case .bool: "bool"
    default: "number"
    }
  }

  /// A scalar as YAML wrote it, as near as its value tells.
  static func scalarText(_ value: JSON) -> String {
    switch value {
    case .string(let text): text
    case .int(let number): String(number)
    case .bool(let flag): flag ? "true" : "false"
    case .double(let number): JSON.numberText(number)
    default: ""
    }
  }
}
