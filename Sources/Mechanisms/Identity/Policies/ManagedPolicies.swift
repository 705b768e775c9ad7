import CGenerated
package import Wire

/// The managed policies of AWS that the local account has.
package struct ManagedPolicy: Sendable {
  package var arn: String
  package var name: String
  package var path: String
  /// `v3`.
  package var version: String
  /// True where the document is a part of AWS's, or close to it.
  package var isApproximate: Bool
  package var json: JSON
  package var document: PolicyDocument

  /// In order of their ARNs.
  package static let all: [ManagedPolicy] = Embedded.json(ekswhy_managed_policies()).items.map { item in
    guard let document = try? PolicyDocument(item["document"]) else {
      preconditionFailure("managed policy \(item["name"]) is none")
    }
    return ManagedPolicy(
      arn: item["arn"].string ?? "", name: item["name"].string ?? "", path: item["path"].string ?? "/",
      version: item["version"].string ?? "v1", isApproximate: item["isApproximate"].bool ?? false,
      json: item["document"], document: document)
  }

  package static func named(_ arn: String) -> ManagedPolicy? { all.first { $0.arn == arn } }
}
