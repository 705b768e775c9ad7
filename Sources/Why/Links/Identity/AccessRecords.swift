import Evidence
import Mechanisms
import Wire

/// What the cluster's audit log has of a user's refused requests.
struct AuditRecords: Link {
  let code = "identity/audit-records"
  let explains: [Effect.Kind] = [.auditTrail]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let log = await world.controlPlaneLog(
      "audit", stream: "kube-apiserver-audit",
      pattern: "{ $.responseStatus.code = 403 && $.user.username = \"\(effect.detail)\" }")
    if let gap = log.gap { return .open([gap]) }
    let events = log.lines.compactMap { try? JSON.parse(Array($0.text.utf8)) }.filter {
      $0["user"]["username"].string == effect.detail && $0["responseStatus"]["code"].int == 403
    }
    guard let last = events.last else { return .silent }
    let at = last["stageTimestamp"].time ?? last["requestReceivedTimestamp"].time
    let text = last["responseStatus"]["message"].string ?? last["requestURI"].string ?? ""
    return .holds(
      Explanation(
        "the audit log has \(Count.of(events.count, "refused request")) of \(effect.detail) in the last hour",
        entity: effect.entity,
        evidence: [
          Exhibit(
            Citation(
              source: "audit", locator: last["auditID"].string ?? "", field: "responseStatus.message", value: text,
              at: at))
        ], lastSymptomAt: at))
  }
}

/// What the authenticator wrote of the sign-ins that it refused.
struct AuthenticatorRecords: Link {
  let code = "identity/authenticator-records"
  let explains: [Effect.Kind] = [.authenticatorLog]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let asked = AccessAsked(detail: effect.detail), let principal = await world.reading(of: asked.principal),
      let own = principal.caller.value?.canonicalARN
    else { return .silent }
    let log = await world.controlPlaneLog("authenticator", stream: "authenticator", pattern: "\"access denied\"")
    if let gap = log.gap { return .open([gap]) }
    // Lines before STS answered name nobody.
    let mine = log.lines.filter { line in
      line.text.contains("access denied") && (line.text.contains("arn=\"\(own)\"") || line.text.contains("arn=\(own) "))
    }
    let anonymous = log.lines.filter { $0.text.contains("access denied") && !$0.text.contains("arn=") }
    guard let last = mine.last ?? anonymous.last else { return .silent }
    let error = AuthenticatorRecords.field("error", in: last.text) ?? ""
    let whose = mine.isEmpty ? "a token whose sender it could not tell" : principal.title
    return .holds(
      Explanation(
        "the authenticator refused \(whose): \(error)", entity: effect.entity,
        evidence: [
          Exhibit(
            Citation(source: "logs", locator: "authenticator", field: "error", value: error, at: last.at),
            text: "logs authenticator \(Ages.clock(last.at, now: world.now)): \(Ages.shortened(last.text, 200))")
        ], lastSymptomAt: last.at))
  }

  /// The value of a key of a line as logrus writes it.
  static func field(_ name: String, in line: String) -> String? {
    guard let start = line.firstRange(of: " \(name)=")?.upperBound else { return nil }
    let rest = line[start...]
    guard rest.first == "\"" else { return String(rest.prefix { $0 != " " }) }
    var value = ""
    var isEscaped = false
    for letter in rest.dropFirst() {
      if isEscaped {
        value.append(letter)
        isEscaped = false
      } else if letter == "\\" {
        isEscaped = true
      } else if letter == "\"" {
        return value
      } else {
        value.append(letter)
      }
    }
    return value
  }
}

/// What CloudTrail remembers of an action that was denied.
struct CloudTrailRecords: Link {
  let code = "identity/cloudtrail-records"
  let explains: [Effect.Kind] = [.cloudTrail]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let words = effect.detail.split(separator: " ").map(String.init)
    guard words.count == 2, let name = words[1].split(separator: ":").last.map(String.init) else { return .silent }
    let found = await world.aws(.lookupEvents, filters: ["EventName": [name]])
    if let gap = found.gap { return .open([gap]) }
    let events = found.items.compactMap { item in
      item["CloudTrailEvent"].string.flatMap { try? JSON.parse(Array($0.utf8)) }
    }.filter { $0["userIdentity"]["arn"].string == words[0] && !$0["errorCode"].isNull }
    guard let last = events.first else { return .silent }
    let at = last["eventTime"].time
    return .holds(
      Explanation(
        "CloudTrail has \(Count.of(events.count, "denied call")) of it", entity: effect.entity,
        evidence: [
          Exhibit(
            Citation(
              source: "cloudtrail", locator: "\(name) \(last["eventID"].string ?? "")", field: "errorMessage",
              value: last["errorMessage"].string ?? "", at: at))
        ], lastSymptomAt: at))
  }
}
