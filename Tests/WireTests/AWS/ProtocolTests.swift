import Testing
import Wire

/// Requests as the aws CLI and the SDKs send them, and the answers that they expect.
@Suite struct ProtocolTests {
  static func form(
    _ text: String, service: String? = nil, region: String = "us-east-1", accept: String? = nil
  ) -> HTTPRequest {
    var request = HTTPRequest(
      method: "POST", path: "/",
      headers: HTTPHeaders([
        ("Host", "localhost:4566"), ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
      ]),
      body: Array(text.utf8))
    if let service { request.headers["Authorization"] = authorization(service, region) }
    if let accept { request.headers["Accept"] = accept }
    return request
  }

  static func rest(
    _ method: String, _ path: String, query: String? = nil, body: String = "", service: String? = "eks"
  ) -> HTTPRequest {
    var request = HTTPRequest(
      method: method, path: path, query: query, headers: HTTPHeaders([("Host", "localhost:4566")]),
      body: Array(body.utf8))
    if let service { request.headers["Authorization"] = authorization(service, "eu-west-1") }
    return request
  }

  static func target(_ target: String, _ body: String, service: String) -> HTTPRequest {
    HTTPRequest(
      method: "POST", path: "/",
      headers: HTTPHeaders([
        ("Host", "localhost:4566"), ("X-Amz-Target", target), ("Content-Type", "application/x-amz-json-1.1"),
        ("Authorization", authorization(service, "us-east-1")),
      ]), body: Array(body.utf8))
  }

  static func authorization(_ service: String, _ region: String) -> String {
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240102/\(region)/\(service)/aws4_request, SignedHeaders=host, Signature=00"
  }

  private func decoded(_ request: HTTPRequest) throws -> AWSDecodedRequest { try AWSProtocol.decode(request).get() }

  private func failure(_ request: HTTPRequest) -> AWSError? {
    if case .failure(let failure) = AWSProtocol.decode(request) { failure.error } else { nil }
  }

  private func json(_ text: String) throws -> JSON { try JSON.parse(text) }

  // MARK: Which operation

  @Test(arguments: [
    (form("Action=GetCallerIdentity&Version=2011-06-15", service: "sts"), "sts", "GetCallerIdentity"),
    (form("Action=DescribeVpcs&Version=2016-11-15", service: "ec2"), "ec2", "DescribeVpcs"),
    (
      form("Action=DescribeLoadBalancers&Version=2015-12-01", service: "elasticloadbalancing"), "elbv2",
      "DescribeLoadBalancers"
    ),
    (form("Action=DescribeAlarms&Version=2010-08-01", service: "monitoring"), "cloudwatch", "DescribeAlarms"),
    (form("Action=ListMetrics&Version=2010-08-01"), "cloudwatch", "ListMetrics"),
    (rest("GET", "/clusters"), "eks", "ListClusters"),
    (rest("GET", "/clusters/demo"), "eks", "DescribeCluster"),
    (rest("GET", "/clusters/demo", service: nil), "eks", "DescribeCluster"),
    (rest("POST", "/clusters/demo/updates", body: "{\"version\":\"1.33\"}"), "eks", "UpdateClusterVersion"),
    (rest("GET", "/clusters/demo/updates"), "eks", "ListUpdates"),
    (rest("POST", "/clusters/demo/insights", body: "{}"), "eks", "ListInsights"),
    (rest("GET", "/addons/supported-versions", query: "addonName=vpc-cni"), "eks", "DescribeAddonVersions"),
    (
      rest("POST", "/clusters/demo/assume-role-for-pod-identity", body: "{\"token\":\"a.b.c\"}", service: "eks-auth"),
      "eks-auth", "AssumeRoleForPodIdentity"
    ),
    (rest("GET", "/2013-04-01/hostedzone/Z1", service: "route53"), "route53", "GetHostedZone"),
    (
      rest(
        "POST", "/2013-04-01/hostedzone/Z1/rrset/",
        body:
          "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes><Change><Action>CREATE</Action><ResourceRecordSet><Name>a.</Name><Type>A</Type></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>",
        service: "route53"), "route53", "ChangeResourceRecordSets"
    ),
    (target("Logs_20140328.DescribeLogGroups", "{}", service: "logs"), "logs", "DescribeLogGroups"),
    (target("TrentService.DescribeKey", "{\"KeyId\":\"x\"}", service: "kms"), "kms", "DescribeKey"),
    (
      target("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents", "{}", service: "cloudtrail"),
      "cloudtrail", "LookupEvents"
    ),
    (target("AmazonSSM.GetParameter", "{\"Name\":\"/x\"}", service: "ssm"), "ssm", "GetParameter"),
  ])
  func routes(request: HTTPRequest, service: String, operation: String) throws {
    let found = try decoded(request)
    #expect(found.service.id == service)
    #expect(found.operation.name == operation)
  }

  @Test func aPresignedGetIsRouted() throws {
    let token = EKSToken.presignedURL(
      cluster: "demo", region: "eu-west-1", credentials: SigV4Tests.example, endpoint: "http://localhost:4566/",
      now: SigV4Tests.now)
    #expect(token.hasPrefix("http://localhost:4566/?Action=GetCallerIdentity"))
    let request = HTTPRequest(
      method: "GET", path: "/", query: String(token.split(separator: "?")[1]),
      headers: HTTPHeaders([("host", "localhost:4566"), ("accept", "application/json"), ("x-k8s-aws-id", "demo")]))
    let found = try decoded(request)
    #expect(found.operation.name == "GetCallerIdentity")
    #expect(found.route.region == "eu-west-1")
    #expect(found.route.accessKeyID == "AKIDEXAMPLE")
    let answer = AWSProtocol.encode(
      ["Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/bob", "UserId": "AIDA"], for: found.route,
      requestID: "r-1")
    #expect(
      String(decoding: answer.body, as: UTF8.self)
        == "{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"Account\":\"111122223333\","
        + "\"Arn\":\"arn:aws:iam::111122223333:user/bob\",\"UserId\":\"AIDA\"},\"ResponseMetadata\":{\"RequestId\":\"r-1\"}}}"
    )
    let refused = AWSProtocol.encode(SigV4Failure.mismatch.error(in: .query), for: found.route, requestID: "r-2")
    #expect(refused.status == 403)
    #expect(String(decoding: refused.body, as: UTF8.self).hasPrefix("{\"Error\":{\"Code\":\"SignatureDoesNotMatch\""))
  }

  @Test func anUnsignedWebIdentityIsRouted() throws {
    let found = try decoded(
      ProtocolTests.form(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fcart"
          + "&RoleSessionName=cart&WebIdentityToken=aaaa.bbbb.cccc"))
    #expect(found.operation.isUnsigned)
    #expect(found.input["RoleArn"].string == "arn:aws:iam::111122223333:role/cart")
  }

  @Test func arnsInPathsStayOneLabel() throws {
    let found = try decoded(
      ProtocolTests.rest(
        "DELETE", "/clusters/demo/access-entries/arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fa%2Fb"))
    #expect(found.operation.name == "DeleteAccessEntry")
    #expect(
      found.input == ["clusterName": "demo", "principalArn": "arn:aws:iam::111122223333:role/a/b"])
    #expect(found.route.region == "eu-west-1")
  }

  // MARK: Inputs

  @Test func ec2Inputs() throws {
    let vpcs = try decoded(
      ProtocolTests.form(
        "Action=DescribeVpcs&Version=2016-11-15&VpcId.1=vpc-1&VpcId.2=vpc-2&Filter.1.Name=tag%3AName&Filter.1.Value.1=a"
          + "&Filter.1.Value.2=b+c&DryRun=false&MaxResults=5", service: "ec2"))
    #expect(
      vpcs.input == [
        "VpcIds": ["vpc-1", "vpc-2"], "Filters": [["Name": "tag:Name", "Values": ["a", "b c"]]], "DryRun": false,
        "MaxResults": 5,
      ])
    let modify = try decoded(
      ProtocolTests.form(
        "Action=ModifySubnetAttribute&Version=2016-11-15&SubnetId=subnet-1&MapPublicIpOnLaunch.Value=true",
        service: "ec2"))
    #expect(modify.input == ["SubnetId": "subnet-1", "MapPublicIpOnLaunch": ["Value": true]])
    let revoke = try decoded(
      ProtocolTests.form(
        "Action=RevokeSecurityGroupIngress&Version=2016-11-15&GroupId=sg-1&IpPermissions.1.FromPort=443"
          + "&IpPermissions.1.ToPort=443&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.Groups.1.GroupId=sg-2"
          + "&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0%2F8", service: "ec2"))
    #expect(
      revoke.input["IpPermissions"][0] == [
        "FromPort": 443, "ToPort": 443, "IpProtocol": "tcp", "UserIdGroupPairs": [["GroupId": "sg-2"]],
        "IpRanges": [["CidrIp": "10.0.0.0/8"]],
      ])
    let run = try decoded(
      ProtocolTests.form(
        "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&ImageId=ami-1&UserData=Iw%3D%3D"
          + "&NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.SubnetId=subnet-1"
          + "&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=",
        service: "ec2"))
    #expect(
      run.input["TagSpecifications"] == [["ResourceType": "instance", "Tags": [["Key": "Name", "Value": ""]]]])
    #expect(run.input["NetworkInterfaces"][0]["DeviceIndex"].int == 0)
  }

  @Test func queryInputs() throws {
    let role = try decoded(
      ProtocolTests.form(
        "Action=CreateRole&Version=2010-05-08&RoleName=eks&AssumeRolePolicyDocument=%7B%7D&Tags.member.1.Key=a"
          + "&Tags.member.1.Value=b&Tags.member.2.Key=c&Tags.member.2.Value=", service: "iam"))
    #expect(
      role.input == [
        "RoleName": "eks", "AssumeRolePolicyDocument": "{}",
        "Tags": [["Key": "a", "Value": "b"], ["Key": "c", "Value": ""]],
      ])
    let groups = try decoded(
      ProtocolTests.form(
        "Action=DescribeAutoScalingGroups&Version=2011-01-01&AutoScalingGroupNames.member.1=eks-ng1&Filters=",
        service: "autoscaling"))
    #expect(groups.input == ["AutoScalingGroupNames": ["eks-ng1"], "Filters": []])
    // The tenth element comes after the second, whatever the order of the text.
    let many = (1...12).map { "AutoScalingGroupNames.member.\($0)=g\($0)" }.joined(separator: "&")
    let twelve = try decoded(
      ProtocolTests.form("Action=DescribeAutoScalingGroups&Version=2011-01-01&\(many)", service: "autoscaling"))
    #expect(twelve.input["AutoScalingGroupNames"].strings == (1...12).map { "g\($0)" })
  }

  @Test func jsonInputs() throws {
    let create = try decoded(
      ProtocolTests.rest(
        "POST", "/clusters",
        body: """
          {"name":"demo","roleArn":"arn:aws:iam::111122223333:role/eks","resourcesVpcConfig":{"subnetIds":["subnet-1",
          "subnet-2"],"endpointPublicAccess":true},"logging":{"clusterLogging":[{"types":["api"],"enabled":true}]},
          "tags":{"a":"b"},"noSuchMember":1,"version":null}
          """))
    #expect(
      create.input
        == (try json(
          """
          {"name":"demo","roleArn":"arn:aws:iam::111122223333:role/eks","resourcesVpcConfig":{"subnetIds":["subnet-1",
          "subnet-2"],"endpointPublicAccess":true},"logging":{"clusterLogging":[{"types":["api"],"enabled":true}]},
          "tags":{"a":"b"}}
          """)))
    let addons = try decoded(ProtocolTests.rest("GET", "/clusters/demo/addons", query: "maxResults=7&nextToken=a%2Bb"))
    #expect(addons.input == ["clusterName": "demo", "maxResults": 7, "nextToken": "a+b"])
    let untag = try decoded(
      ProtocolTests.rest("DELETE", "/tags/arn%3Aaws%3Aeks%3Ax", query: "tagKeys=a&tagKeys=b"))
    #expect(untag.input == ["resourceArn": "arn:aws:eks:x", "tagKeys": ["a", "b"]])
  }

  @Test func routeInputsInXML() throws {
    let change = try decoded(
      ProtocolTests.rest(
        "POST", "/2013-04-01/hostedzone/Z1/rrset",
        body: """
          <?xml version="1.0"?><ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">
          <ChangeBatch><Changes><Change><Action>UPSERT</Action><ResourceRecordSet><Name>a.example.</Name><Type>A</Type>
          <TTL>60</TTL><ResourceRecords><ResourceRecord><Value>10.0.0.1</Value></ResourceRecord></ResourceRecords>
          </ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>
          """, service: "route53"))
    #expect(
      change.input == [
        "HostedZoneId": "Z1",
        "ChangeBatch": [
          "Changes": [
            [
              "Action": "UPSERT",
              "ResourceRecordSet": [
                "Name": "a.example.", "Type": "A", "TTL": 60, "ResourceRecords": [["Value": "10.0.0.1"]],
              ],
            ]
          ]
        ],
      ])
  }

  // MARK: Refusals

  @Test(arguments: [
    (
      form("Action=GetRole&Version=2010-05-08", service: "iam"), "ValidationError",
      "1 validation error detected: Value null at 'roleName' failed to satisfy constraint: Member must not be null"
    ),
    (
      form("Action=GetRole&Version=2010-05-08&RoleName=a%2Fb", service: "iam"), "ValidationError",
      "1 validation error detected: Value 'a/b' at 'roleName' failed to satisfy constraint: "
        + "Member must satisfy regular expression pattern: [\\w+=,.@-]+"
    ),
    (
      form(
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fcart&RoleSessionName=x"
          + "&DurationSeconds=60", service: "sts"), "ValidationError",
      "2 validation errors detected: Value 'x' at 'roleSessionName' failed to satisfy constraint: "
        + "Member must have length greater than or equal to 2; Value '60' at 'durationSeconds' failed to satisfy "
        + "constraint: Member must have value greater than or equal to 900"
    ),
    (
      form("Action=NoSuch&Version=2010-05-08", service: "iam"), "InvalidAction",
      "Could not find operation NoSuch for version 2010-05-08"
    ),
    (
      form("Action=NoSuch&Version=2016-11-15", service: "ec2"), "InvalidAction",
      "The action NoSuch is not valid for this web service."
    ),
    (
      form("Action=DescribeLoadBalancers&Version=2012-06-01", service: "elasticloadbalancing"), "InvalidAction",
      "Could not find operation DescribeLoadBalancers for version 2012-06-01"
    ),
    (
      form("Action=DescribeVpcs&Version=2016-11-15&Foo=1", service: "ec2"), "UnknownParameter",
      "The parameter Foo is not recognized"
    ),
    (
      form("Action=DescribeVpcs&Version=2016-11-15&MaxResults=4", service: "ec2"), "InvalidParameterValue",
      "Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5."
    ),
    (
      form("Action=DescribeVpcAttribute&Version=2016-11-15&Attribute=enableDnsSupport", service: "ec2"),
      "MissingParameter", "The request must contain the parameter vpcId"
    ),
    (
      rest(
        "POST", "/clusters", body: "{\"name\":\"-x\",\"roleArn\":\"r\",\"resourcesVpcConfig\":{}}"),
      "InvalidParameterException",
      "1 validation error detected: Value '-x' at 'name' failed to satisfy constraint: "
        + "Member must satisfy regular expression pattern: ^[0-9A-Za-z][A-Za-z0-9\\-_]*"
    ),
    (
      rest("POST", "/clusters", body: "{\"name\":7}"), "SerializationException",
      "NUMBER_VALUE cannot be converted to String"
    ),
    (rest("POST", "/clusters", body: "{\"name\":"), "SerializationException", "unexpected end of JSON input"),
    (rest("GET", "/nowhere"), "MissingAuthenticationTokenException", "Missing Authentication Token"),
    (target("Logs_20140328.NoSuch", "{}", service: "logs"), "UnknownOperationException", ""),
    (
      target("Logs_20140328.CreateLogGroup", "{}", service: "logs"), "InvalidParameterException",
      "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"
    ),
    (
      target("AmazonSSM.GetParameters", "{\"Names\":[]}", service: "ssm"), "ValidationException",
      "1 validation error detected: Value '[]' at 'names' failed to satisfy constraint: "
        + "Member must have length greater than or equal to 1"
    ),
    (form("", service: nil), "MissingAuthenticationToken", "Request is missing Authentication Token"),
  ])
  func refusals(request: HTTPRequest, code: String, message: String) {
    let error = failure(request)
    #expect(error?.code == code)
    #expect(error?.message == message)
  }

  @Test func cborIsRead() throws {
    // {"Namespace": "AWS/EC2"}, the map of unbounded length, the text in two pieces.
    var request = HTTPRequest(
      method: "POST", path: "/service/GraniteServiceVersion20100801/operation/ListMetrics",
      headers: HTTPHeaders([("Host", "localhost"), ("smithy-protocol", "rpc-v2-cbor")]),
      body: [0xbf, 0x69] + Array("Namespace".utf8) + [0x7f, 0x63] + Array("AWS".utf8) + [0x64] + Array("/EC2".utf8)
        + [0xff, 0xff])
    #expect(try decoded(request).input == ["Namespace": "AWS/EC2"])
    request.body.removeLast()
    #expect(failure(request)?.code == "SerializationException")
    request.path += "x"
    #expect(failure(request)?.code == "UnknownOperationException")
  }

  // MARK: Answers

  private func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

  private func route(_ service: String, _ operation: String) throws -> AWSRoute {
    let model = try #require(AWSServiceModel.named(service))
    return AWSRoute(service: model, operation: try #require(model.operation(operation)), format: model.format)
  }

  @Test func answersOfEveryProtocol() throws {
    let sts = AWSProtocol.encode(
      ["Account": "111122223333", "Arn": "a<b", "UserId": "AIDA"], for: try route("sts", "GetCallerIdentity"),
      requestID: "r-1")
    #expect(
      text(sts)
        == "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"
        + "<Account>111122223333</Account><Arn>a&lt;b</Arn><UserId>AIDA</UserId></GetCallerIdentityResult>"
        + "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>")
    #expect(sts.headers["x-amzn-requestid"] == "r-1")
    let vpcs = AWSProtocol.encode(
      ["Vpcs": [["VpcId": "vpc-1", "IsDefault": true, "Tags": [["Key": "a", "Value": "b"]]]]],
      for: try route("ec2", "DescribeVpcs"), requestID: "r-2")
    #expect(
      text(vpcs)
        == "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        + "<DescribeVpcsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r-2</requestId><vpcSet>"
        + "<item><vpcId>vpc-1</vpcId><isDefault>true</isDefault><tagSet><item><key>a</key><value>b</value></item></tagSet>"
        + "</item></vpcSet></DescribeVpcsResponse>")
    let cluster = AWSProtocol.encode(
      ["cluster": ["name": "demo", "createdAt": 1_704_164_645.123, "noSuch": 1]],
      for: try route("eks", "DescribeCluster"), requestID: "r-3")
    #expect(text(cluster) == "{\"cluster\":{\"name\":\"demo\",\"createdAt\":1704164645.123}}")
    #expect(cluster.headers["content-type"] == "application/json")
    let delete = AWSProtocol.encode([:], for: try route("iam", "DeleteRole"), requestID: "r-4")
    #expect(
      text(delete)
        == "<DeleteRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ResponseMetadata>"
        + "<RequestId>r-4</RequestId></ResponseMetadata></DeleteRoleResponse>")
    let zone = AWSProtocol.encode(
      ["Location": "https://x/Z1", "HostedZone": ["Id": "/hostedzone/Z1"]],
      for: try route("route53", "CreateHostedZone"), requestID: "r-5")
    #expect(zone.status == 201)
    #expect(zone.headers["Location"] == "https://x/Z1")
    #expect(text(zone).contains("<HostedZone><Id>/hostedzone/Z1</Id></HostedZone></CreateHostedZoneResponse>"))
  }

  @Test func errorsOfEveryProtocol() throws {
    let none = AWSError(
      code: "ResourceNotFoundException", message: "No cluster found for name: x.", status: 404,
      extra: ["clusterName": "x"])
    let eks = AWSProtocol.encode(none, for: try route("eks", "DescribeCluster"), requestID: "r-1")
    #expect(eks.status == 404)
    #expect(eks.headers["x-amzn-errortype"] == "ResourceNotFoundException")
    #expect(text(eks) == "{\"clusterName\":\"x\",\"message\":\"No cluster found for name: x.\"}")
    let logs = AWSProtocol.encode(
      AWSError(code: "ResourceNotFoundException", message: "The specified log group does not exist."),
      for: try route("logs", "FilterLogEvents"), requestID: "r-2")
    #expect(
      text(logs)
        == "{\"__type\":\"ResourceNotFoundException\",\"message\":\"The specified log group does not exist.\"}")
    let iam = AWSProtocol.encode(
      AWSError(code: "NoSuchEntity", message: "The role with name x cannot be found.", status: 404),
      for: try route("iam", "GetRole"), requestID: "r-3")
    #expect(
      text(iam)
        == "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>"
        + "<Code>NoSuchEntity</Code><Message>The role with name x cannot be found.</Message></Error>"
        + "<RequestId>r-3</RequestId></ErrorResponse>")
    let ec2 = AWSProtocol.encode(
      AWSError(code: "InvalidVpcID.NotFound", message: "The vpc ID 'vpc-1' does not exist"),
      for: try route("ec2", "DescribeVpcs"), requestID: "r-4")
    #expect(
      text(ec2)
        == "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code>"
        + "<Message>The vpc ID 'vpc-1' does not exist</Message></Error></Errors><RequestID>r-4</RequestID></Response>")
  }
}
