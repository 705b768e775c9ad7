/// The variables that point clients at a local EKS, as lines that a POSIX shell evaluates.
struct ShellExports {
  var folder: String
  var endpoint: String
  var region: String
  var accessKeyID: String
  var secretAccessKey: String

  private static let savedPrefix = "EKSWHY_SAVED_"
  /// Set while the exports are in force.
  private static let mark = "EKSWHY_STATE"

  private var values: [(name: String, value: String)] {
    [
      ("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", accessKeyID), ("AWS_SECRET_ACCESS_KEY", secretAccessKey),
      ("AWS_REGION", region), ("AWS_DEFAULT_REGION", region), ("KUBECONFIG", "\(folder)/kubeconfig"),
      ("AWS_CONFIG_FILE", "\(folder)/aws-config"), ("AWS_SHARED_CREDENTIALS_FILE", "\(folder)/aws-credentials"),
      ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
  }

  /// What would send a client elsewhere, or as somebody else.
  private static let removed = [
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CREDENTIAL_EXPIRATION", "AWS_CA_BUNDLE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
  ]

  /// Lines for a shell whose exported variables are `environment`.
  func text(over environment: [String: String]) -> String {
    var lines: [String] = []
    var values = values
    let proxied = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    if proxied.contains(where: { environment[$0]?.isEmpty == false }) {
      // Not every client leaves out localhost by itself.
      for name in ["NO_PROXY", "no_proxy"] {
        let others = ShellExports.original(name, environment).map { ",\($0)" } ?? ""
        values.append((name, "localhost,127.0.0.1,::1\(others)"))
      }
    }
    let endpoints = environment.keys.filter { $0.hasPrefix("AWS_ENDPOINT_URL_") }.sorted()
    let removed = (ShellExports.removed + endpoints).filter { environment[$0] != nil }
    // A second eval must not take the first one's values for the user's own.
    if environment[ShellExports.mark] == nil {
      for name in values.map(\.name) + removed {
        if let value = environment[name] { lines.append(ShellExports.export(ShellExports.savedPrefix + name, value)) }
      }
    }
    for name in removed { lines.append("unset \(name)") }
    for (name, value) in values { lines.append(ShellExports.export(name, value)) }
    lines.append(ShellExports.export(ShellExports.mark, folder))
    return lines.joined(separator: "\n")
  }

  private static func original(_ name: String, _ environment: [String: String]) -> String? {
    let value = environment[mark] == nil ? environment[name] : environment[savedPrefix + name]
    return value?.isEmpty == false ? value : nil
  }

  /// Lines that put back what ``text(over:)`` changed.
  static func restoring(_ environment: [String: String]) -> String {
    guard environment[mark] != nil else { return "" }
    let ours = ShellExports(folder: "", endpoint: "", region: "", accessKeyID: "", secretAccessKey: "").values
    let saved = environment.keys.filter { $0.hasPrefix(savedPrefix) }.sorted()
    let kept = Set(saved.map { String($0.dropFirst(savedPrefix.count)) })
    var lines = ours.map(\.name).filter { !kept.contains($0) }.map { "unset \($0)" }
    for name in ["NO_PROXY", "no_proxy"] where !kept.contains(name) {
      if environment[name]?.hasPrefix("localhost,127.0.0.1,::1") == true { lines.append("unset \(name)") }
    }
    for name in saved {
      lines.append(export(String(name.dropFirst(savedPrefix.count)), environment[name] ?? ""))
      lines.append("unset \(name)")
    }
    return (lines + ["unset \(mark)"]).joined(separator: "\n")
  }

  private static func export(_ name: String, _ value: String) -> String {
    "export \(name)='\(value.replacing("'", with: "'\\''"))'"
  }
}
