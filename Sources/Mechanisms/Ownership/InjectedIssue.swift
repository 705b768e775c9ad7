/// Issues to which EKS gives no cause: nothing that a user can do brings them about. The local EKS shows one on a
/// resource that asks for it by a tag, so that it is marked wherever it is seen.
package enum InjectedIssue {
  package static let tag = "ekswhy:issue"
  private static let codes: Set<String> = ["InternalFailure", "Unknown"]

  /// The code that a resource's tags ask for, with EKS's text; nil for any that has a cause of its own.
  package static func asked(by tags: [String: String]) -> (code: String, message: String)? {
    guard let code = tags[tag], codes.contains(code) else { return nil }
    return (code, code == "Unknown" ? "An unknown error occurred." : "An internal failure occurred.")
  }
}
