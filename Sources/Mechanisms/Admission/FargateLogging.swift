package import Wire

/// Whether the log router of Fargate pods is on: the ConfigMap `aws-logging` in `aws-observability` (EKS user guide,
/// Fargate logging).
package enum FargateLogging: Rule {
  package static let name = "admission/fargate-logging"

  package static let namespace = "aws-observability"
  package static let configMap = "aws-logging"
  package static let lengthLimit = 5300

  package struct Facts: FactSet {
    /// Null where there is none.
    package var configMap: Fact<JSON>

    package init(configMap: Fact<JSON>) { self.configMap = configMap }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.configMap)]
  }

  private static let sections = ["filters.conf": "FILTER", "output.conf": "OUTPUT", "parsers.conf": "PARSER"]
  private static let plugins = [
    "FILTER": ["grep", "parser", "record_modifier", "rewrite_tag", "throttle", "nest", "modify", "kubernetes"],
    "OUTPUT": ["es", "firehose", "kinesis_firehose", "cloudwatch", "cloudwatch_logs", "kinesis"],
  ]

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let map = facts.configMap.value else { return .open([facts.configMap.gap!]) }
    let evidence = [facts.configMap.citation]
    guard !map.isNull else {
      return .no([
        Because("admission/fargate-logging/not-found", "configmap \"\(configMap)\" not found", evidence: evidence)
      ])
    }
    if let fault = fault(map["data"]) {
      return .no([Because("admission/fargate-logging/invalid", fault, evidence: evidence)])
    }
    return .yes([Because("admission/fargate-logging/enabled", "its outputs are valid", evidence: evidence)])
  }

  /// What is wrong with the ConfigMap's data; nil when nothing is.
  private static func fault(_ data: JSON) -> String? {
    var length = 0
    var outputs = 0
    for field in data.fields {
      let text = field.value.string ?? ""
      length += text.utf8.count
      if field.key == "flb_log_cw" {
        if text != "true" && text != "false" { return "flb_log_cw must be true or false" }
        continue
      }
      guard let section = sections[field.key] else { return "\(field.key) is not a supported key" }
      if text.contains("${") { return "variables are not supported in \(field.key)" }
      if let fault = fault(text, in: section, key: field.key, outputs: &outputs) { return fault }
    }
    if length > lengthLimit { return "the configuration is longer than \(lengthLimit) characters" }
    return outputs == 0 ? "output.conf must have at least one [OUTPUT] section" : nil
  }

  private static func fault(_ text: String, in section: String, key: String, outputs: inout Int) -> String? {
    var values: [String: String]?
    func end() -> String? { values.flatMap { incomplete($0, section) } }
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" })
      guard let first = words.first, !first.hasPrefix("#") else { continue }
      if first.hasPrefix("[") {
        if let fault = end() { return fault }
        guard first.uppercased() == "[\(section)]" else { return "\(first) is not supported in \(key)" }
        if section == "OUTPUT" { outputs += 1 }
        values = [:]
      } else {
        guard values != nil else { return "\(key) must begin with [\(section)]" }
        values?[first.lowercased()] = words.dropFirst().joined(separator: " ")
      }
    }
    return end()
  }

  /// What a section lacks or may not have.
  private static func incomplete(_ values: [String: String], _ section: String) -> String? {
    guard let name = values["name"], !name.isEmpty else { return "a [\(section)] section has no Name" }
    if section == "PARSER" { return values["format"] == nil ? "parser \(name) has no Format" : nil }
    guard plugins[section]?.contains(name.lowercased()) == true else {
      return "\(name) is not a supported \(section.lowercased()) plugin"
    }
    let hasMatch = values["match"] != nil || values["match_regex"] != nil
    return hasMatch ? nil : "\(section.lowercased()) plugin \(name) has no Match"
  }

  /// The pod's annotation `Logging`.
  package static func annotation(_ verdict: Verdict<Void, Because>) -> String {
    if verdict.isYes { return "LoggingEnabled" }
    return verdict.reasons.last?.code == "admission/fargate-logging/not-found"
      ? "LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND" : "LoggingDisabled: LOGGING_CONFIGMAP_INVALID"
  }

  /// The event that tells it.
  package static func event(_ verdict: Verdict<Void, Because>) -> (type: String, reason: String, message: String) {
    guard let fault = verdict.reasons.last, !verdict.isYes else {
      return ("Normal", "LoggingEnabled", "Successfully enabled logging for pod")
    }
    if fault.code == "admission/fargate-logging/not-found" {
      return (
        "Warning", "LoggingDisabled", "Disabled logging because aws-logging configmap was not found. \(fault.text)"
      )
    }
    return (
      "Warning", "LoggingDisabled",
      "Disabled logging for pod due to invalid configmap. \(fault.text). Please fix the logging configmap"
    )
  }
}
