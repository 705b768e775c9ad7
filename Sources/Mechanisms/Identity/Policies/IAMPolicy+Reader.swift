package import Wire

extension NamedPolicy {
  /// From a document as an answer of IAM carries it: percent-encoded text, plain text or JSON.
  package static func read(_ id: String, document: JSON, read: String, source: Source = .world) -> Fact<NamedPolicy> {
    do throws(PolicyDocument.Fault) {
      if let text = document.string { return .known(NamedPolicy(id, try PolicyDocument(text: text)), source) }
      return .known(NamedPolicy(id, try PolicyDocument(document)), source)
    } catch {
      return .unknown(Gap(read: read, why: "its document can't be read: \(error.message)"))
    }
  }

  /// A role's trust policy: from `Role` of GetRole.
  package static func trust(role: JSON, source: Source = .world) -> Fact<NamedPolicy> {
    let name = role["RoleName"].string ?? ""
    return read(
      "trust policy of \(name)", document: role["AssumeRolePolicyDocument"], read: "iam:GetRole \(name)",
      source: source)
  }
}
