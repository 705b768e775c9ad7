package import Wire

extension AWSAuth {
  /// Reads the ConfigMap as the authenticator does: a key that is no YAML of the right form adds nothing,
  /// the other keys still count; nil stands for no ConfigMap.
  package init(configMap: JSON?, parseYAML: (String) throws -> JSON) {
    self.init()
    guard let data = configMap?["data"] else { return }
    for (key, arnField) in [("mapUsers", "userarn"), ("mapRoles", "rolearn")] {
      guard
        let items = items(data[key], of: key == "mapRoles" ? "[]config.RoleMapping" : "[]config.UserMapping", parseYAML)
      else { continue }
      for (index, item) in items.enumerated() {
        let arn = AWSAuth.text(item[arnField])
        if key == "mapRoles" {
          let sso = !item["sso"].isNull
          if arn.isEmpty, !sso {
            faults.append("one of rolearn or SSO must be supplied")
            continue
          }
          if !arn.isEmpty, sso {
            faults.append("only one of rolearn or SSO can be supplied")
            continue
          }
        } else if arn.isEmpty {
          faults.append("value for userarn must be supplied")
          continue
        }
        let line = Line(
          list: key, index: index, arn: arn, username: AWSAuth.text(item["username"]),
          groups: item["groups"].items.map(AWSAuth.text))
        if key == "mapRoles" { roles.append(line) } else { users.append(line) }
      }
    }
    if let items = items(data["mapAccounts"], of: "[]string", parseYAML) { accounts = items.map(AWSAuth.text) }
  }

  /// The items of a key's text; nil where it is empty or cannot be decoded.
  private mutating func items(_ value: JSON, of type: String, _ parseYAML: (String) throws -> JSON) -> [JSON]? {
    guard let text = value.string else { return nil }
    let trimmed = text.trimmingASCIISpace
    guard !trimmed.isEmpty, trimmed != "``", trimmed != "\"\"", trimmed != "''" else { return nil }
    let parsed: JSON
    do { parsed = try parseYAML(text) } catch {
      faults.append("\(error)")
      return nil
    }
    if parsed.isNull { return nil }
    guard let items = parsed.array else {
      let kind =
        parsed.object != nil ? "object" : parsed.string != nil ? "string" : parsed.bool != nil ? "bool" : "number"
      faults.append("json: cannot unmarshal \(kind) into Go value of type \(type)")
      return nil
    }
    return items
  }

  /// A scalar where text is wanted: numbers in their decimal form.
  private static func text(_ value: JSON) -> String {
    switch value {
    case .string(let text): text
    case .int(let number): String(number)
    case .bool(let flag): flag ? "true" : "false"
    case .double(let number): JSON.numberText(number)
    default: ""
    }
  }
}

extension StringProtocol {
  /// Without white space at its ends.
  package var trimmingASCIISpace: String {
    let space: (UInt8) -> Bool = { $0 == 32 || (9...13).contains($0) }
    var slice = Substring(self)
    while let first = slice.utf8.first, space(first) { slice = slice.dropFirst() }
    while let last = slice.utf8.last, space(last) { slice = slice.dropLast() }
    return String(slice)
  }
}
