package import Wire

/// Whether the EKS Pod Identity agent takes a request for credentials to EKS Auth: it looks at the address that was
/// called and whether the token can be read, not at who signed it (aws/eks-pod-identity-agent, `internal/validation`).
package enum AgentRequest: Rule {
  package static let name = "identity/agent-request"
  package static let hosts = ["169.254.170.23", "fd00:ec2::23"]

  package struct Facts: FactSet {
    /// The request's host, with its port where it named one.
    package var host: Fact<String>
    /// The header `Authorization`, as it is.
    package var token: Fact<String>
    package var now: Fact<Timestamp>

    package init(host: Fact<String>, token: Fact<String>, now: Fact<Timestamp>) {
      self.host = host
      self.token = token
      self.now = now
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.host), hider(\.token), hider(\.now)]
  }

  /// The HTTP status that a reason for a `no` comes with.
  package static func status(_ reason: Because) -> Int { reason.code == "\(name)/address" ? 403 : 400 }

  /// The reason of a `no` is the text of the answer.
  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    func no(_ code: String, _ text: String, _ citation: Citation?) -> Verdict<Void, Because> {
      .no([Because("\(name)/\(code)", text, evidence: [citation])])
    }
    guard let host = facts.host.value.map(bare) else { return .open([facts.host.gap!]) }
    guard hosts.contains(host) else {
      return no(
        "address",
        "Access Denied. Called agent through invalid address, please use either [\(hosts.joined(separator: " "))] "
          + "address not \(host)", facts.host.citation)
    }
    guard let token = facts.token.value else { return .open([facts.token.gap!]) }
    guard !token.isEmpty else { return no("empty", "Service account token cannot be empty", facts.token.citation) }
    let claims: JSON
    do { claims = try read(token) } catch {
      return no("unreadable", "Service account token cannot be parsed: \(error.message)", facts.token.citation)
    }
    let expiry = seconds(claims["exp"])
    let start = seconds(claims["nbf"])
    guard expiry != nil || start != nil else { return .yes() }
    guard let now = facts.now.value?.seconds else { return .open([facts.now.gap!]) }
    var faults: [String] = []
    if let expiry, now >= expiry { faults.append("token is expired") }
    if let start, now < start { faults.append("token is not valid yet") }
    guard faults.isEmpty else {
      return no(
        "claims", "Service account token failed basic claim validations: \(faults.joined(separator: ", "))",
        facts.token.citation)
    }
    return .yes()
  }

  /// A host without its port and an IPv6 address without its brackets.
  private static func bare(_ text: String) -> String {
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return text }
      let rest = text[text.index(after: end)...]
      return rest.isEmpty || rest.hasPrefix(":") ? String(text[text.index(after: text.startIndex)..<end]) : text
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    return parts.count == 2 ? String(parts[0]) : text
  }

  private static func seconds(_ claim: JSON) -> Int64? {
    switch claim {
    case .int(let value): value
    case .double(let value) where value.isFinite && abs(value) < 9e15: Int64(value)
    default: nil
    }
  }

  private static let algorithms =
    ["none", "EdDSA"] + ["HS", "RS", "ES", "PS"].flatMap { ["\($0)256", "\($0)384", "\($0)512"] }

  /// The claims of a token whose signature nobody looks at.
  private static func read(_ token: String) throws(GoError) -> JSON {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3 else {
      throw GoError("token is malformed: token contains an invalid number of segments")
    }
    let header = try object(parts[0], "header")
    let claims = try object(parts[1], "claim")
    guard let algorithm = header["alg"].string else {
      throw GoError("token is unverifiable: signing method (alg) is unspecified")
    }
    guard algorithms.contains(algorithm) else {
      throw GoError("token is unverifiable: signing method (alg) is unavailable")
    }
    return claims
  }

  private static func object(_ part: Substring, _ what: String) throws(GoError) -> JSON {
    let bytes: [UInt8]
    do { bytes = try GoBase64.rawURLDecode(part) } catch {
      throw GoError("token is malformed: could not base64 decode \(what): \(error.message)")
    }
    func fault(_ text: String) -> GoError { GoError("token is malformed: could not JSON decode \(what): \(text)") }
    let json: JSON
    do { json = try JSON.parse(bytes) } catch { throw fault(syntax(error, bytes)) }
    guard json.object != nil || json.isNull else {
      let type = what == "header" ? "map[string]interface {}" : "jwt.RegisteredClaims"
      throw fault("json: cannot unmarshal \(GoJSON.kind(json)) into Go value of type \(type)")
    }
    return json
  }

  /// Go's words, where the text's beginning or its end is at fault.
  private static func syntax(_ error: JSONError, _ bytes: [UInt8]) -> String {
    guard case .unexpected(let byte) = error.problem else { return error.description }
    let begins = bytes.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) } == byte
    return "invalid character '\(UnicodeScalar(byte))'\(begins ? " looking for beginning of value" : "")"
  }
}
