import AWS
import Testing
import Wire

@Suite struct KMSTests {
  private func key(_ account: Account) throws -> JSON {
    try account.ok("kms", "CreateKey", ["Description": "secrets"])["KeyMetadata"]["KeyId"]
  }

  @Test func aKeyIsFoundByItsIdItsARNAndItsAliases() throws {
    let account = try Account()
    let id = try key(account)
    _ = try account.ok("kms", "CreateAlias", ["AliasName": "alias/eks", "TargetKeyId": id])
    let told = try account.ok("kms", "DescribeKey", ["KeyId": "alias/eks"])["KeyMetadata"]
    #expect(told["KeyId"] == id)
    #expect(told["KeyState"].string == "Enabled")
    #expect(try account.ok("kms", "DescribeKey", ["KeyId": told["Arn"]])["KeyMetadata"] == told)
    #expect(
      account.failure("kms", "DescribeKey", ["KeyId": "nope"])
        == "NotFoundException: Key 'arn:aws:kms:us-east-1:000000000000:key/nope' does not exist")
  }

  @Test func aKeyThatWaitsForItsDeletionTakesNoChange() throws {
    let account = try Account()
    let id = try key(account)
    let going = try account.ok("kms", "ScheduleKeyDeletion", ["KeyId": id, "PendingWindowInDays": 7])
    #expect(going["KeyState"].string == "PendingDeletion")
    #expect(account.failure("kms", "EnableKey", ["KeyId": id])?.hasPrefix("KMSInvalidStateException") == true)
    _ = try account.ok("kms", "CancelKeyDeletion", ["KeyId": id])
    #expect(try account.ok("kms", "DescribeKey", ["KeyId": id])["KeyMetadata"]["KeyState"].string == "Disabled")
  }

  @Test func theKeysPolicyDecidesBeforeTheCallers() throws {
    let account = try Account()
    let id = try key(account)
    _ = try account.ok("iam", "CreateUser", ["UserName": "bob"])
    let bob = try account.ok("iam", "CreateAccessKey", ["UserName": "bob"])["AccessKey"]["AccessKeyId"].string
    #expect(account.failure("kms", "DescribeKey", ["KeyId": id], key: bob)?.hasPrefix("AccessDeniedException") == true)
    let policy =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/bob"},"Action":"kms:DescribeKey","Resource":"*"}]}"#
    _ = try account.ok("kms", "PutKeyPolicy", ["KeyId": id, "Policy": .string(policy)])
    _ = try account.ok("kms", "DescribeKey", ["KeyId": id], key: bob)
    // The account isn't named any more, so that its administrator is out too.
    #expect(
      account.failure("kms", "DisableKey", ["KeyId": id])?.hasSuffix(
        "because no resource-based policy allows the kms:DisableKey action") == true)
  }
}
