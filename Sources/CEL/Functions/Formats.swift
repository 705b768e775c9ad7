import Wire

/// The named formats that `format.named` knows, with their faults in upstream's words.
enum Formats {
  static let names = [
    "byte", "date", "datetime", "dns1035Label", "dns1035LabelPrefix", "dns1123Label", "dns1123LabelPrefix",
    "dns1123Subdomain", "dns1123SubdomainPrefix", "labelValue", "qualifiedName", "uri", "uuid",
  ]

  static func faults(_ name: String, _ text: String) -> [String] {
    switch name {
    case "dns1035Label": return NameRules.dns1035Label(text)
    case "dns1123Label": return NameRules.dns1123Label(text)
    case "dns1123Subdomain": return NameRules.dns1123Subdomain(text)
    case "dns1035LabelPrefix": return NameRules.dns1035Label(prefix(text))
    case "dns1123LabelPrefix": return NameRules.dns1123Label(prefix(text))
    case "dns1123SubdomainPrefix": return NameRules.dns1123Subdomain(prefix(text))
    case "labelValue": return NameRules.labelValue(text)
    case "qualifiedName": return NameRules.qualifiedName(text)
    case "uri": return URLValue(text) == nil ? ["invalid URI"] : []
    case "uuid": return SchemaFormats.matches(text, "uuid") ? [] : ["does not match the UUID format"]
    case "byte": return SchemaFormats.matches(text, "byte") ? [] : ["invalid base64"]
    case "date": return SchemaFormats.matches(text, "date") ? [] : ["invalid date"]
    case "datetime": return Instant(text) == nil ? ["invalid datetime"] : []
    default: return []
    }
  }

  /// A name that something is added to may end with a dash.
  private static func prefix(_ text: String) -> String { text.hasSuffix("-") ? text.dropLast() + "a" : text }
}
