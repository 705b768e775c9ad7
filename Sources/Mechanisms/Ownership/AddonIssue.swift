package import Wire

/// An issue in the health of an EKS add-on, as `DescribeAddon` tells it.
package struct AddonIssue: Sendable, Equatable, Codable {
  package var code: String
  package var message: String

  package init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }

  package var json: JSON { ["code": .string(code), "message": .string(message), "resourceIds": []] }

  /// The head of what is told when fields that the add-on sets are another manager's.
  package static let conflictHead =
    "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:"

  /// `ConfigMap coredns - .data.Corefile`, a line for each field.
  package static func conflict(_ fields: [Conflict]) -> AddonIssue {
    AddonIssue("ConfigurationConflict", ([conflictHead] + fields.map(\.text)).joined(separator: "\n"))
  }

  /// A field that another manager owns with another value.
  package struct Conflict: Sendable, Equatable, Codable {
    /// `DaemonSet.apps`, of the core group without a dot.
    package var kind: String
    package var name: String
    package var path: String

    package init(kind: String, name: String, path: String) {
      self.kind = kind
      self.name = name
      self.path = path
    }

    package init(_ object: JSON, path: String) {
      let version = object["apiVersion"].string ?? ""
      let group = version.contains("/") ? ".\(version.prefix { $0 != "/" })" : ""
      self.init(
        kind: (object["kind"].string ?? "") + group, name: object["metadata"]["name"].string ?? "", path: path)
    }

    package var text: String { "\(kind) \(name) - \(path)" }

    /// From a line of the issue's message.
    package init?(line: Substring) {
      guard let dash = line.firstRange(of: " - "), let blank = line[..<dash.lowerBound].firstIndex(of: " ") else {
        return nil
      }
      self.init(
        kind: String(line[..<blank]), name: String(line[line.index(after: blank)..<dash.lowerBound]),
        path: String(line[dash.upperBound...]))
    }
  }

  /// The fields that a conflict's message names.
  package static func conflicts(in message: String) -> [Conflict] {
    message.split(separator: "\n").compactMap(Conflict.init(line:))
  }

  /// What an API server's refusal of one of the add-on's objects comes to.
  package static func refused(status: Int, reason: String, message: String) -> AddonIssue {
    let isAdmission = ["admission webhook ", "ValidatingAdmissionPolicy ", "failed calling webhook "].contains {
      message.contains($0)
    }
    let code =
      switch status {
      case _ where isAdmission: "AdmissionRequestDenied"
      case 401, 403: "AccessDenied"
      case 404: "K8sResourceNotFound"
      case 400, 422: "UnsupportedAddonModification"
      case 409 where reason != "Conflict": "UnsupportedAddonModification"
      case 0, 503, 504: "ClusterUnreachable"
      default: "InternalFailure"
      }
    return AddonIssue(code, message)
  }
}
