import Testing
import Wire

/// Broken requests and answers end in an error or a value, never in a crash, and in time.
@Suite struct ProtocolFuzzTests {
  static let requests: [HTTPRequest] = [
    ProtocolTests.form(
      "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&NetworkInterface.1.DeviceIndex=0"
        + "&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name&UserData=Iw%3D%3D",
      service: "ec2"
    ),
    ProtocolTests.form(
      "Action=CreateRole&Version=2010-05-08&RoleName=eks&AssumeRolePolicyDocument=%7B%7D&Tags.member.1.Key=a",
      service: "iam"),
    ProtocolTests.rest(
      "POST", "/clusters",
      body: """
        {"name":"demo","roleArn":"arn","resourcesVpcConfig":{"subnetIds":["subnet-1","\\u00e9"]},"tags":{"a":"b"}}
        """),
    ProtocolTests.rest("GET", "/clusters/demo/access-entries/arn%3Aaws", query: "maxResults=7&nextToken=a%2Bb"),
    ProtocolTests.rest(
      "POST", "/2013-04-01/hostedzone/Z1/rrset",
      body: "<?xml version=\"1.0\"?><A xmlns=\"x\"><ChangeBatch><Changes><Change><Action>UPSERT</Action></Change>"
        + "</Changes></ChangeBatch><!-- c --><![CDATA[x]]>&#x41;&amp;</A>", service: "route53"),
    ProtocolTests.target(
      "Logs_20140328.FilterLogEvents", "{\"logGroupName\":\"/aws/eks/demo/cluster\",\"limit\":10,\"startTime\":0}",
      service: "logs"),
  ]

  private func mutate(_ bytes: [UInt8], _ chance: inout Chance) -> [UInt8] {
    var bytes = bytes
    for _ in 0...chance.next(4) {
      let at = bytes.isEmpty ? 0 : chance.next(bytes.count)
      switch chance.next(6) {
      case 0 where !bytes.isEmpty: bytes[at] = UInt8(chance.next(256))
      case 1 where !bytes.isEmpty: bytes.remove(at: at)
      case 2: bytes.insert(UInt8(chance.next(256)), at: at)
      case 3: bytes.removeLast(bytes.count - at)
      case 4 where !bytes.isEmpty: bytes.insert(contentsOf: bytes[at..<min(at + 20, bytes.count)], at: at)
      default:
        let tokens = [
          "&", "=", "%", ".1.", "{", "[", "\"", "<", "</", "]]>", "null", "-1", "9999999999999999999", "\u{0}",
        ]
        bytes.insert(contentsOf: tokens[chance.next(tokens.count)].utf8, at: at)
      }
    }
    return bytes
  }

  private func mutated(_ text: String, _ chance: inout Chance) -> String {
    String(decoding: mutate(Array(text.utf8), &chance), as: UTF8.self)
  }

  @Test func brokenRequests() {
    var chance = Chance(seed: 7)
    for turn in 0..<6000 {
      var request = ProtocolFuzzTests.requests[turn % ProtocolFuzzTests.requests.count]
      switch chance.next(5) {
      case 0: request.path = mutated(request.path, &chance)
      case 1: request.query = mutated(request.query ?? "", &chance)
      case 2:
        let at = chance.next(request.headers.fields.count)
        request.headers.fields[at].value = mutated(request.headers.fields[at].value, &chance)
      default: request.body = mutate(request.body, &chance)
      }
      switch AWSProtocol.decode(request) {
      case .success(let decoded):
        _ = AWSProtocol.encode(decoded.input, for: decoded.route, requestID: "r")
      case .failure(let failure):
        let answer = AWSProtocol.encode(failure, requestID: "r")
        #expect((400..<600).contains(answer.status))
      }
      _ = SigV4.verify(request, service: nil, now: SigV4Tests.now) { _ in SigV4Tests.example }
    }
  }

  @Test func brokenAnswers() throws {
    var chance = Chance(seed: 8)
    let bodies = [
      "<?xml version=\"1.0\"?><DescribeVpcsResponse xmlns=\"x\"><requestId>r</requestId><vpcSet><item><vpcId>vpc-1</vpcId>"
        + "</item></vpcSet></DescribeVpcsResponse>",
      "{\"cluster\":{\"name\":\"demo\",\"createdAt\":1.5,\"tags\":{\"a\":\"b\"}}}",
    ]
    let targets = [
      ("ec2", "DescribeVpcs"), ("eks", "DescribeCluster"), ("route53", "ListHostedZones"), ("logs", "GetLogEvents"),
    ]
    for turn in 0..<4000 {
      let (service, name) = targets[turn % targets.count]
      let model = try #require(AWSServiceModel.named(service))
      let operation = try #require(model.operation(name))
      let body = mutate(Array(bodies[turn % 2].utf8), &chance)
      _ = AWSClientCodec.decodeResponse(
        HTTPResponse(status: chance.next(2) == 0 ? 200 : 400, body: body), model, operation)
    }
  }

  @Test func depthAndSizeAreBounded() {
    let deep = String(repeating: "<a>", count: 100_000)
    #expect(XMLElement.parse(Array(deep.utf8)) == nil)
    let nested = String(repeating: "[", count: 100_000)
    #expect(failureCode(ProtocolTests.rest("POST", "/clusters", body: nested)) == "SerializationException")
    let name = "Filter" + String(repeating: ".1", count: 50)
    #expect(
      failureCode(ProtocolTests.form("Action=DescribeVpcs&Version=2016-11-15&\(name)=x", service: "ec2"))
        == "MalformedQueryString")
    let many = (0...QueryCodec.parameterLimit).map { "VpcId.\($0)=v" }.joined(separator: "&")
    #expect(
      failureCode(ProtocolTests.form("Action=DescribeVpcs&Version=2016-11-15&\(many)", service: "ec2"))
        == "RequestEntityTooLarge")
    let bomb = "<!DOCTYPE a [<!ENTITY b \"cc\">]><a>&b;</a>"
    #expect(XMLElement.parse(Array(bomb.utf8)) == nil)
    var large = ProtocolTests.target("AmazonSSM.GetParameter", "", service: "ssm")
    large.body = [UInt8](repeating: 0x20, count: AWSProtocol.bodyLimit + 1)
    #expect(failureCode(large) == "RequestEntityTooLargeException")
  }

  private func failureCode(_ request: HTTPRequest) -> String? {
    if case .failure(let failure) = AWSProtocol.decode(request) { failure.error.code } else { nil }
  }
}
