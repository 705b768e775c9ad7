import Mechanisms
import Wire
import World

extension KMSService {
  static var keyOperations: [String: Operation<KMSService>] {
    [
      "CreateKey": createKey, "DescribeKey": describeKey, "ListKeys": listKeys,
      "UpdateKeyDescription": updateDescription, "EnableKey": enableKey, "DisableKey": disableKey,
      "ScheduleKeyDeletion": scheduleDeletion, "CancelKeyDeletion": cancelDeletion, "GetKeyPolicy": getPolicy,
      "PutKeyPolicy": putPolicy, "ListKeyPolicies": listPolicies, "GetKeyRotationStatus": rotationStatus,
      "EnableKeyRotation": enableRotation, "DisableKeyRotation": disableRotation,
    ]
  }

  private func json(_ key: KMSKey) -> JSON {
    var value: JSON = [
      "AWSAccountId": .string(world.account), "KeyId": .string(key.id), "Arn": .string(key.arn),
      "CreationDate": .preciseTime(key.createdAt), "Enabled": .bool(key.state == "Enabled"),
      "Description": .string(key.description), "KeyUsage": .string(key.usage), "KeyState": .string(key.state),
      "DeletionDate": .preciseTime(key.deletionAt), "Origin": "AWS_KMS", "KeyManager": "CUSTOMER",
      "CustomerMasterKeySpec": .string(key.spec), "KeySpec": .string(key.spec),
      "MultiRegion": .bool(key.isMultiRegion),
    ]
    if key.usage == "ENCRYPT_DECRYPT", key.spec == "SYMMETRIC_DEFAULT" {
      value["EncryptionAlgorithms"] = ["SYMMETRIC_DEFAULT"]
    }
    return value
  }

  /// The policy of a key that is made without one: the account decides by its identity policies.
  private var standardPolicy: String {
    let root = "arn:aws:iam::\(world.account):root"
    let policy: JSON = [
      "Version": "2012-10-17", "Id": "key-default-1",
      "Statement": [
        [
          "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": ["AWS": .string(root)],
          "Action": "kms:*", "Resource": "*",
        ]
      ],
    ]
    return policy.text(.init(indent: 2))
  }

  /// Refuses a text that is no key policy.
  private func check(policy text: String) throws(AWSError) {
    guard text.utf8.count <= 32_768 else { throw .kms("LimitExceeded", "The policy is longer than 32768 bytes") }
    guard let document = iam.document(text), document.statements.allSatisfy({ $0.principals != nil }) else {
      throw .kms("MalformedPolicyDocument", "The new key policy is not valid.")
    }
  }

  private func createKey(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let spec = input["KeySpec"].string ?? input["CustomerMasterKeySpec"].string ?? "SYMMETRIC_DEFAULT"
    let usage = input["KeyUsage"].string ?? "ENCRYPT_DECRYPT"
    guard spec == "SYMMETRIC_DEFAULT" || !input["KeyUsage"].isNull else {
      throw .kms(
        "Validation", "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
    }
    guard input["Origin"].isNull || input["Origin"].string == "AWS_KMS" else {
      throw .kms("UnsupportedOperation", "ekswhy keeps keys of the origin AWS_KMS only")
    }
    let policy = input["Policy"].string ?? standardPolicy
    try check(policy: policy)
    var id = world.newID { $0.uuid() }
    let isMultiRegion = input["MultiRegion"].bool ?? false
    if isMultiRegion { id = "mrk-" + id.filter { $0 != "-" } }
    var key = KMSKey(
      id: id, arn: arn("key/\(id)"), createdAt: request.now, description: input["Description"].string ?? "",
      usage: usage, spec: spec, policy: policy, isMultiRegion: isMultiRegion)
    for tag in input["Tags"].items { key.tags[tag["TagKey"].string ?? ""] = tag["TagValue"].string ?? "" }
    keys[id] = key
    return ["KeyMetadata": json(key)]
  }

  private func describeKey(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["KeyMetadata": json(try key(of: request))]
  }

  private func listKeys(_ request: AWSRequest) throws(AWSError) -> JSON {
    try page(
      "Keys", keys.all.map { ($0.id, ["KeyId": .string($0.id), "KeyArn": .string($0.arn)] as JSON) }, request)
  }

  private func updateDescription(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try livingKey(of: request)
    keys.update(key.id) { $0.description = request.input["Description"].string ?? "" }
    return .emptyObject
  }

  private func enableKey(_ request: AWSRequest) throws(AWSError) -> JSON {
    keys.update(try livingKey(of: request).id) { $0.isEnabled = true }
    return .emptyObject
  }

  private func disableKey(_ request: AWSRequest) throws(AWSError) -> JSON {
    keys.update(try livingKey(of: request).id) { $0.isEnabled = false }
    return .emptyObject
  }

  private func scheduleDeletion(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try livingKey(of: request)
    let days = request.input["PendingWindowInDays"].int ?? 30
    guard (7...30).contains(days) else {
      throw .kms("Validation", "PendingWindowInDays must be between 7 and 30, inclusive")
    }
    let at = request.now + .seconds(days * 86_400)
    keys.update(key.id) { key in
      key.deletionAt = at
      key.isEnabled = false
    }
    return [
      "KeyId": .string(key.arn), "DeletionDate": .preciseTime(at), "KeyState": "PendingDeletion",
      "PendingWindowInDays": JSON(days),
    ]
  }

  private func cancelDeletion(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try key(of: request)
    guard key.deletionAt != nil else { throw .kms("KMSInvalidState", "\(key.arn) is not pending deletion.") }
    keys.update(key.id) { $0.deletionAt = nil }
    return ["KeyId": .string(key.arn)]
  }

  // MARK: - Policies and rotation

  private func getPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try key(of: request)
    guard (request.input["PolicyName"].string ?? "default") == "default" else {
      throw .kms("NotFound", "No such policy exists")
    }
    return ["Policy": .string(key.policy), "PolicyName": "default"]
  }

  private func putPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try livingKey(of: request)
    let text = request.input["Policy"].string ?? ""
    try check(policy: text)
    keys.update(key.id) { $0.policy = text }
    return .emptyObject
  }

  private func listPolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    _ = try key(of: request)
    return ["PolicyNames": ["default"], "Truncated": false]
  }

  private func rotationStatus(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try key(of: request)
    return [
      "KeyRotationEnabled": .bool(key.rotation != nil), "KeyId": .string(key.id),
      "RotationPeriodInDays": key.rotation.map { JSON($0) } ?? .null,
      "NextRotationDate": .preciseTime(key.rotation.map { key.createdAt + .seconds($0 * 86_400) }),
    ]
  }

  private func enableRotation(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try livingKey(of: request)
    guard key.spec == "SYMMETRIC_DEFAULT" else {
      throw .kms("UnsupportedOperation", "\(key.arn) key spec is not valid for this operation.")
    }
    keys.update(key.id) { $0.rotation = request.input["RotationPeriodInDays"].int ?? 365 }
    return .emptyObject
  }

  private func disableRotation(_ request: AWSRequest) throws(AWSError) -> JSON {
    keys.update(try livingKey(of: request).id) { $0.rotation = nil }
    return .emptyObject
  }
}
