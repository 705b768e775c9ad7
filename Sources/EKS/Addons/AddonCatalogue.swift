import CGenerated
import Wire

/// An add-on as EKS offers it: its versions, newest first, and the schema of its configuration.
struct AddonOffer: Sendable {
  struct Version: Sendable {
    var name: String
    /// Versions of Kubernetes that it is for, and those it is the default of.
    var kubernetes: [String]
    var defaultOf: [String]
  }

  var name: String
  var type: String
  var publisher: String
  var owner: String
  /// Of an add-on of the AWS Marketplace: `productId`, `productUrl`; null for one of EKS.
  var marketplace: JSON
  var computeTypes: [String]
  var requiresIAM: Bool
  /// Service accounts that call AWS, with the policies AWS recommends for them.
  var permissions: [(serviceAccount: String, policies: [String])]
  var schema: JSON
  var versions: [Version]

  init(_ row: JSON) {
    name = row["name"].string ?? ""
    type = row["type"].string ?? ""
    publisher = row["publisher"].string ?? "eks"
    owner = row["owner"].string ?? "aws"
    if let id = row["productId"].string {
      marketplace = ["productId": .string(id), "productUrl": row["productUrl"]]
    } else {
      marketplace = .null
    }
    computeTypes = row["computeTypes"].strings
    requiresIAM = row["requiresIam"].bool ?? false
    permissions = row["permissions"].items.map { ($0["serviceAccount"].string ?? "", $0["policies"].strings) }
    schema = row["schema"]
    versions = row["versions"].items.map {
      Version(name: $0["version"].string ?? "", kubernetes: $0["for"].strings, defaultOf: $0["defaultFor"].strings)
    }
  }

  static let all: [AddonOffer] = {
    let data = ekswhy_addon_catalogue()
    let bytes = Array(UnsafeBufferPointer(start: data.bytes, count: data.count))
    return bytes.split(separator: 0x0a).map { line in
      do { return AddonOffer(try JSON.parse(Array(line))) } catch {
        preconditionFailure("the embedded catalogue of add-ons is no JSON: \(error)")
      }
    }
  }()

  static func named(_ name: String) -> AddonOffer? { all.first { $0.name == name } }

  /// What every new cluster gets, without being an add-on of EKS.
  static let selfManaged = ["vpc-cni", "kube-proxy", "coredns"]

  func defaultVersion(_ kubernetes: String) -> String? {
    versions.first { $0.defaultOf.contains(kubernetes) }?.name
  }

  func version(_ name: String, for kubernetes: String) -> Version? {
    versions.first { $0.name == name && $0.kubernetes.contains(kubernetes) }
  }

  /// As `DescribeAddonVersions` shows it, for one version of Kubernetes or for all; nil where it has none.
  func document(kubernetes: String?) -> JSON? {
    let shown = versions.filter { version in kubernetes.map { version.kubernetes.contains($0) } ?? true }
    guard !shown.isEmpty else { return nil }
    return [
      "addonName": .string(name), "type": .string(type), "publisher": .string(publisher), "owner": .string(owner),
      "marketplaceInformation": marketplace,
      "addonVersions": .array(
        shown.map { version in
          [
            "addonVersion": .string(version.name), "architecture": ["amd64", "arm64"],
            "computeTypes": JSON(computeTypes),
            "compatibilities": .array(
              version.kubernetes.filter { kubernetes == nil || $0 == kubernetes }.reversed().map {
                [
                  "clusterVersion": .string($0), "platformVersions": ["*"],
                  "defaultVersion": .bool(version.defaultOf.contains($0)),
                ]
              }),
            "requiresConfiguration": false, "requiresIamPermissions": .bool(requiresIAM),
          ]
        }),
    ]
  }
}
