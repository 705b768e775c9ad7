import AWS
import Testing
import Wire
import World

@Suite struct LogsTests {
  @Test func whatAServiceDeliversIsFound() throws {
    let account = try Account()
    #expect(try account.ok("logs", "DescribeLogGroups")["logGroups"].items.isEmpty)
    account.world.ports.deliverLog("/aws/eks/demo/cluster", "authenticator-0a", "level=info msg=\"access granted\"")
    account.world.ports.deliverLog("/aws/eks/demo/cluster", "kube-apiserver-audit-0a", #"{"verb":"get","code":403}"#)
    let group: JSON = "/aws/eks/demo/cluster"
    func found(_ more: JSON) throws -> [String] {
      var input = more
      input["logGroupName"] = group
      return try account.ok("logs", "FilterLogEvents", input)["events"].items.compactMap { $0["message"].string }
    }
    #expect(try found(.emptyObject).count == 2)
    #expect(try found(["logStreamNamePrefix": "authenticator"]).count == 1)
    #expect(try found(["filterPattern": "\"access granted\""]).count == 1)
    #expect(try found(["filterPattern": "denied"]).isEmpty)
    #expect(try found(["filterPattern": "{ $.code = 403 }"]).count == 1)
    #expect(try found(["filterPattern": "{ $.code = 200 || $.verb = g* }"]).count == 1)
    let streams = try account.ok("logs", "DescribeLogStreams", ["logGroupName": group])["logStreams"].items
    #expect(streams.map { $0["logStreamName"].string } == ["authenticator-0a", "kube-apiserver-audit-0a"])
    _ = try account.ok("logs", "DeleteLogGroup", ["logGroupName": group])
    #expect(
      account.failure("logs", "FilterLogEvents", ["logGroupName": group])
        == "ResourceNotFoundException: The specified log group does not exist.")
  }

  @Test func theTrailTellsWhoDidWhatAndNoSecret() throws {
    let account = try Account()
    _ = try account.ok("iam", "CreateUser", ["UserName": "bob"])
    let key = try account.ok("iam", "CreateAccessKey", ["UserName": "bob"])["AccessKey"]
    _ = account.failure("ec2", "CreateVpc", ["CidrBlock": "10.0.0.0/16"], key: key["AccessKeyId"].string)
    let denied = try account.ok(
      "cloudtrail", "LookupEvents",
      ["LookupAttributes": [["AttributeKey": "EventName", "AttributeValue": "CreateVpc"]]])["Events"]
    #expect(denied.items.count == 1)
    let event = try JSON.parse(Array((denied[0]["CloudTrailEvent"].string ?? "").utf8))
    #expect(event["errorCode"] == "Client.UnauthorizedOperation")
    #expect(event["userIdentity"]["userName"] == "bob")
    #expect(event["requestParameters"]["cidrBlock"] == "10.0.0.0/16")
    let secret = try #require(key["SecretAccessKey"].string)
    #expect(!account.world.logs.read("cloudtrail").contains { $0.text.contains(secret) })
    #expect(account.world.logs.read("cloudtrail").contains { $0.text.contains("CreateAccessKey") })
  }
}
