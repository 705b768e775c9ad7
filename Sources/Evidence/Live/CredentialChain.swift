import Foundation
package import Wire

/// AWS credentials as the CLI finds them: environment, shared files, web identity; anything else is asked of
/// `aws configure export-credentials`.
package struct CredentialChain: Sendable {
  package struct Failure: Error, CustomStringConvertible, Sendable {
    package var description: String
  }

  package var profile: String?
  private let environment: [String: String]

  package init(profile: String?, environment: [String: String] = ProcessInfo.processInfo.environment) {
    self.profile = profile
    self.environment = environment
  }

  /// The profile's settings, from both shared files.
  package var settings: [String: String] { section(profile ?? environment["AWS_PROFILE"] ?? "default") }

  package var region: String? {
    environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? settings["region"]
  }

  /// `sts` is asked for web identities, unsigned.
  package func credentials(
    sts: @Sendable (_ role: String, _ session: String, _ token: String) async throws -> AWSCredentials
  ) async throws -> AWSCredentials {
    if profile == nil, let id = environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"],
      !id.isEmpty, !secret.isEmpty
    {
      return AWSCredentials(
        accessKeyID: id, secretAccessKey: secret,
        sessionToken: environment["AWS_SESSION_TOKEN"].flatMap { $0.isEmpty ? nil : $0 })
    }
    if profile == nil, environment["AWS_PROFILE"] == nil, let file = environment["AWS_WEB_IDENTITY_TOKEN_FILE"],
      let role = environment["AWS_ROLE_ARN"], let token = FileManager.default.contents(atPath: file)
    {
      let text = String(decoding: token, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      return try await sts(role, environment["AWS_ROLE_SESSION_NAME"] ?? "ekswhy", text)
    }
    let settings = settings
    if settings["role_arn"] == nil, settings["sso_session"] == nil, settings["credential_process"] == nil,
      let id = settings["aws_access_key_id"], let secret = settings["aws_secret_access_key"]
    {
      return AWSCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: settings["aws_session_token"])
    }
    return try exported()
  }

  private func exported() throws -> AWSCredentials {
    var command = ["aws", "configure", "export-credentials", "--format", "process"]
    if let profile { command += ["--profile", profile] }
    let result: Subprocess.Result
    do { result = try Subprocess.run(command) } catch {
      throw Failure(description: "no AWS credentials in the environment or the shared files, and no aws CLI to ask")
    }
    guard result.status == 0, let answer = try? JSON.parse(result.output), let id = answer["AccessKeyId"].string,
      let secret = answer["SecretAccessKey"].string
    else {
      let complaint = result.error.trimmingCharacters(in: .whitespacesAndNewlines)
      throw Failure(
        description: "no AWS credentials" + (complaint.isEmpty ? "" : ": \(complaint.prefix(200))"))
    }
    return AWSCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: answer["SessionToken"].string)
  }

  /// The lines of `[name]` in the credentials file and `[profile name]` in the configuration; the former win.
  private func section(_ name: String) -> [String: String] {
    let home = environment["HOME"] ?? ""
    let files = [
      (
        environment["AWS_CONFIG_FILE"] ?? "\(home)/.aws/config",
        name == "default" ? ["default", "profile default"] : ["profile \(name)"]
      ),
      (environment["AWS_SHARED_CREDENTIALS_FILE"] ?? "\(home)/.aws/credentials", [name]),
    ]
    var settings: [String: String] = [:]
    for (path, headers) in files {
      guard let data = FileManager.default.contents(atPath: path) else { continue }
      var inside = false
      for line in String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline) {
        let text = line.trimmingCharacters(in: .whitespaces)
        if text.isEmpty || text.hasPrefix("#") || text.hasPrefix(";") { continue }
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
          let header = text[text.index(after: text.startIndex)..<end].trimmingCharacters(in: .whitespaces)
          inside = headers.contains(header)
        } else if inside, let equals = text.firstIndex(of: "=") {
          let key = text[..<equals].trimmingCharacters(in: .whitespaces)
          settings[key] = text[text.index(after: equals)...].trimmingCharacters(in: .whitespaces)
        }
      }
    }
    return settings
  }
}
