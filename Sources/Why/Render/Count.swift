/// Numbers with their nouns.
enum Count {
  static func of(_ number: Int, _ singular: String, _ plural: String? = nil) -> String {
    let many = plural ?? singular + (singular.hasSuffix("s") ? "es" : "s")
    return number == 1 ? "1 \(singular)" : "\(number == 0 ? "no" : String(number)) \(many)"
  }

  /// `its third ENI`
  static func ordinal(_ number: Int) -> String {
    let words = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
    return words.indices.contains(number - 1) ? words[number - 1] : "\(number)th"
  }

  /// `a, b and 3 more`
  static func list(_ names: [String], limit: Int = 4) -> String {
    switch names.count {
    case 0: return "none"
    case 1: return names[0]
    case 2...limit: return "\(names.dropLast().joined(separator: ", ")) and \(names[names.count - 1])"
    default: return "\(names.prefix(limit).joined(separator: ", ")) and \(names.count - limit) more"
    }
  }
}
