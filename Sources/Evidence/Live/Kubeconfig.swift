import Foundation
import Wire

/// One context of a kubeconfig, resolved: server, trust and the way to authenticate.
package struct KubeContext: Sendable {
  package var name: String
  package var clusterEntry: String
  package var namespace: String?
  package var server: String
  package var certificateAuthority: [UInt8]?
  package var skipsVerification = false
  package var tlsServerName: String?
  package var proxyURL: String?
  package var token: String?
  package var tokenFile: String?
  package var basic: (user: String, password: String)?
  package var clientCertificate: [UInt8]?
  package var clientKey: [UInt8]?
  package var exec: Exec?

  package struct Exec: Sendable {
    package var command: String
    package var arguments: [String]
    package var environment: [String: String]
    package var apiVersion: String
    package var providesClusterInfo: Bool
  }

  /// The CA as a kubeconfig and DescribeCluster write it.
  package var certificateAuthorityData: String? {
    certificateAuthority.map { Data($0).base64EncodedString() }
  }
}

extension KubeContext.Exec {
  /// The plugin that signs in to EKS: `aws … eks get-token`, or aws-iam-authenticator.
  package var isEKSToken: Bool {
    let program = command.split(separator: "/").last.map(String.init) ?? command
    return program == "aws" && arguments.contains("get-token") || program == "aws-iam-authenticator"
  }

  /// The value after an option, or joined to it by `=`.
  package func option(_ names: String...) -> String? {
    for (index, argument) in arguments.enumerated() {
      for name in names {
        if argument == name, index + 1 < arguments.count { return arguments[index + 1] }
        if argument.hasPrefix("\(name)=") { return String(argument.dropFirst(name.count + 1)) }
      }
    }
    return nil
  }

  package var clusterName: String? { option("--cluster-name", "--cluster-id", "-i") }
  package var region: String? { option("--region") ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] }
  package var profile: String? { option("--profile") ?? environment["AWS_PROFILE"] }
  package var roleARN: String? { option("--role-arn", "--role", "-r") }
}

/// The files that kubectl would read, merged.
package struct Kubeconfig: Sendable {
  package enum Problem: Error, CustomStringConvertible {
    case noFile([String])
    case notReadable(String, String)
    case noContext(String?)
    case missing(String, String)

    package var description: String {
      switch self {
      case .noFile(let paths): "there is no kubeconfig at \(paths.joined(separator: " or "))"
      case .notReadable(let path, let why): "\(path) is no kubeconfig: \(why)"
      case .noContext(nil): "the kubeconfig has no current context; choose one with --context"
      case .noContext(let name?): "the kubeconfig has no context \"\(name)\""
      case .missing(let what, let name): "the kubeconfig names \(what) \"\(name)\" and has none of that name"
      }
    }
  }

  private var clusters: [(name: String, value: JSON, folder: String)] = []
  private var users: [(name: String, value: JSON, folder: String)] = []
  private var contexts: [(name: String, value: JSON, folder: String)] = []
  package private(set) var currentContext: String?

  /// Reads `path`, else the files of `KUBECONFIG`, else `~/.kube/config`; earlier files win.
  package init(path: String?, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    let paths =
      path.map { [$0] }
      ?? environment["KUBECONFIG"].map { $0.split(separator: ":").map(String.init) }.flatMap { $0.isEmpty ? nil : $0 }
      ?? ["\(environment["HOME"] ?? "")/.kube/config"]
    var found = false
    for path in paths {
      guard let data = FileManager.default.contents(atPath: path) else { continue }
      found = true
      let text = String(decoding: data, as: UTF8.self)
      let config: JSON
      do { config = try YAML.parse(text) } catch { throw Problem.notReadable(path, "\(error)") }
      let folder = (path as NSString).deletingLastPathComponent
      func entries(_ list: String, _ field: String) -> [(name: String, value: JSON, folder: String)] {
        config[list].items.map { ($0["name"].string ?? "", $0[field], folder) }
      }
      clusters += entries("clusters", "cluster")
      users += entries("users", "user")
      contexts += entries("contexts", "context")
      if currentContext == nil, let current = config["current-context"].string, !current.isEmpty {
        currentContext = current
      }
    }
    guard found else { throw Problem.noFile(paths) }
  }

  /// The context of that name, or the current one.
  package func context(_ wanted: String?) throws -> KubeContext {
    guard let name = wanted ?? currentContext else { throw Problem.noContext(nil) }
    guard let context = contexts.first(where: { $0.name == name })?.value else { throw Problem.noContext(name) }
    let clusterName = context["cluster"].string ?? ""
    guard let cluster = clusters.first(where: { $0.name == clusterName }) else {
      throw Problem.missing("cluster", clusterName)
    }
    let userName = context["user"].string ?? ""
    let user = users.first { $0.name == userName }
    if user == nil, !userName.isEmpty { throw Problem.missing("user", userName) }
    var server = cluster.value["server"].string ?? "http://localhost:8080"
    while server.hasSuffix("/") { server.removeLast() }
    var resolved = KubeContext(name: name, clusterEntry: clusterName, server: server)
    resolved.namespace = context["namespace"].string
    resolved.skipsVerification = cluster.value["insecure-skip-tls-verify"].bool ?? false
    resolved.tlsServerName = cluster.value["tls-server-name"].string
    resolved.proxyURL = cluster.value["proxy-url"].string
    resolved.certificateAuthority = Kubeconfig.bytes(cluster.value, "certificate-authority", cluster.folder)
    if let user {
      let value = user.value
      resolved.token = value["token"].string
      resolved.tokenFile = value["tokenFile"].string.map { Kubeconfig.path($0, user.folder) }
      if let name = value["username"].string { resolved.basic = (name, value["password"].string ?? "") }
      resolved.clientCertificate = Kubeconfig.bytes(value, "client-certificate", user.folder)
      resolved.clientKey = Kubeconfig.bytes(value, "client-key", user.folder)
      let exec = value["exec"]
      if let command = exec["command"].string {
        var environment: [String: String] = [:]
        for entry in exec["env"].items { environment[entry["name"].string ?? ""] = entry["value"].string ?? "" }
        resolved.exec = KubeContext.Exec(
          command: command, arguments: exec["args"].items.map { $0.string ?? $0.text() }, environment: environment,
          apiVersion: exec["apiVersion"].string ?? "client.authentication.k8s.io/v1beta1",
          providesClusterInfo: exec["provideClusterInfo"].bool ?? false)
      }
    }
    return resolved
  }

  private static func path(_ path: String, _ folder: String) -> String {
    path.hasPrefix("/") ? path : "\(folder)/\(path)"
  }

  /// The content of `name-data` (base64), or of the file `name`.
  private static func bytes(_ value: JSON, _ name: String, _ folder: String) -> [UInt8]? {
    if let text = value["\(name)-data"].string, let data = Data(base64Encoded: text) { return Array(data) }
    if let file = value[name].string, let data = FileManager.default.contents(atPath: path(file, folder)) {
      return Array(data)
    }
    return nil
  }
}
