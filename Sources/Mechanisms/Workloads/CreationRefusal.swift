/// Why the API server did not take a pod that a controller meant to create, as its message tells.
package enum CreationRefusal: Sendable, Equatable {
  /// What was asked, used and allowed, by resource.
  case quota(String, asked: [String: String], used: [String: String], limited: [String: String])
  case quotaUnspecified(String, missing: String)
  /// The level in force, and what it finds.
  case podSecurity(level: String, violations: String)
  case serviceAccount(String)
  case priorityClass(String)
  case limitRange(String)
  case webhookDenied(String, said: String)
  case webhookFailed(String, why: String)
  case other(String)

  /// Reads a `FailedCreate` event's message, or a condition's.
  package init(_ message: String) {
    let text = CreationRefusal.stripped(message)
    if let rest = text.after("exceeded quota: ") {
      let name = String(rest.prefix { $0 != "," })
      func amounts(_ word: String) -> [String: String] {
        guard let list = rest.after("\(word): ") else { return [:] }
        var found: [String: String] = [:]
        for part in list.split(separator: ",") {
          guard let at = part.firstIndex(of: "="), !part.hasPrefix(" ") else { break }
          found[String(part[..<at])] = String(part[part.index(after: at)...])
        }
        return found
      }
      self = .quota(name, asked: amounts("requested"), used: amounts("used"), limited: amounts("limited"))
    } else if let rest = text.after("failed quota: ") {
      let parts = rest.split(separator: ":", maxSplits: 1).map(String.init)
      self = .quotaUnspecified(
        parts[0], missing: parts.count > 1 ? parts[1].after("must specify ").map(String.init) ?? parts[1] : "")
    } else if let rest = text.after("violates PodSecurity \"") {
      let level = rest.prefix { $0 != "\"" }
      self = .podSecurity(level: String(level), violations: rest.after("\": ").map(String.init) ?? "")
    } else if let rest = text.after("serviceaccount \""), rest.contains("not found") {
      self = .serviceAccount(String(rest.prefix { $0 != "\"" }))
    } else if let rest = text.after("no PriorityClass with name ") {
      self = .priorityClass(String(rest.prefix { $0 != " " }))
    } else if let rest = text.after("admission webhook \"") {
      self = .webhookDenied(
        String(rest.prefix { $0 != "\"" }), said: rest.after("denied the request: ").map(String.init) ?? "")
    } else if let rest = text.after("failed calling webhook \"") {
      self = .webhookFailed(String(rest.prefix { $0 != "\"" }), why: rest.after("\": ").map(String.init) ?? "")
    } else if CreationRefusal.ranges.contains(where: text.contains) {
      self = .limitRange(text.after("is forbidden: ").map(String.init) ?? text)
    } else {
      self = .other(text)
    }
  }

  private static let ranges = [
    " usage per Container is ", " usage per Pod is ", " limit to request ratio per Container is ",
    " limit to request ratio per Pod is ",
  ]

  /// Without what controllers and the recorder of events put before it.
  package static func stripped(_ message: String) -> String {
    var text = message
    for prefix in ["(combined from similar events): ", "Error creating: "] where text.hasPrefix(prefix) {
      text = String(text.dropFirst(prefix.count))
    }
    return text
  }

  /// The Service that a webhook that could not be called stands behind: of `https://hook.shop.svc:443/check`.
  package static func service(in why: String) -> (name: String, namespace: String)? {
    guard let rest = why.after("https://") else { return nil }
    let host = rest.prefix { $0 != ":" && $0 != "/" && $0 != "?" && $0 != "\"" }
    let parts = host.split(separator: ".").map(String.init)
    guard parts.count >= 3, parts[2] == "svc" else { return nil }
    return (parts[0], parts[1])
  }
}

extension StringProtocol {
  fileprivate func after(_ text: String) -> SubSequence? {
    firstRange(of: text).map { self[$0.upperBound...] }
  }
}
