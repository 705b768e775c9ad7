import Wire
import World

/// The key that a cluster's Secrets are encrypted with: given with the cluster or later, never taken away.
extension EKSService {
  static let encryptionOperations: [String: Operation] = ["AssociateEncryptionConfig": associateEncryption]

  /// Whether EKS could use the key: it must exist, be symmetric, enabled, and in the region.
  func check(encryption config: JSON, cluster: String) throws(AWSError) {
    guard !config.items.isEmpty else { return }
    func refuse(_ message: String) -> AWSError { .invalidParameter(message, cluster: cluster) }
    guard config.items.count == 1 else { throw refuse("Only one encryption config can be provided") }
    guard config[0]["resources"].strings == ["secrets"] else {
      throw refuse("The resources in encryptionConfig must be [secrets]")
    }
    let key = config[0]["provider"]["keyArn"].string ?? ""
    let reply = call("kms", "DescribeKey", ["KeyId": .string(key)], by: .plain)
    guard key.hasPrefix("arn:"), let found = reply.output?["KeyMetadata"], found["KeySpec"] == "SYMMETRIC_DEFAULT",
      found["KeyState"] == "Enabled"
    else {
      throw refuse("The keyArn in encryptionConfig provider is invalid")
    }
  }

  private func associateEncryption(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try cluster(of: request)
    let config = request.input["encryptionConfig"]
    guard row.document["encryptionConfig"].isNull else {
      throw .invalidParameter("Encryption is already enabled for cluster \(row.name)", cluster: row.name)
    }
    try check(encryption: config, cluster: row.name)
    return try begin(
      row, "AssociateEncryptionConfig", [["type": "EncryptionConfig", "value": .string(config.text())]],
      change: ["encryptionConfig": config])
  }
}
