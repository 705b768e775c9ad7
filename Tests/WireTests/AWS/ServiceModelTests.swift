import Testing
import Wire

@Suite struct ServiceModelTests {
  @Test func everyOperationOfEveryServiceReads() {
    #expect(AWSServiceModel.all.map(\.id) == AWSServiceModel.all.map(\.id).sorted())
    #expect(AWSServiceModel.all.count == 15)
    for service in AWSServiceModel.all {
      for name in service.operationNames {
        #expect(service.operation(name)?.name == name, "\(service.id) \(name)")
      }
      #expect(service.operation("") == nil)
      #expect(service.operation("ZzNoSuchOperation") == nil)
    }
  }

  @Test func everyPatternIsUnderstood() {
    var seen: Set<ObjectIdentifier> = []
    var unknown: Set<String> = []
    func walk(_ shape: AWSShape) {
      guard seen.insert(ObjectIdentifier(shape)).inserted else { return }
      if let pattern = shape.pattern, shape.compiledPattern == nil { unknown.insert(pattern) }
      for member in shape.members { walk(member.shape) }
    }
    for service in AWSServiceModel.all {
      for name in service.operationNames {
        guard let operation = service.operation(name) else { continue }
        if let input = operation.input { walk(input) }
        if let output = operation.output { walk(output) }
      }
    }
    // One of CloudTrail's refers back to what a group found: it is left unchecked.
    #expect(unknown.filter { !$0.contains("\\3") } == [])
    #expect(unknown.count <= 1)
    #expect(seen.count > 3000)
  }

  @Test func servicesSayWhatTheyAre() throws {
    let eks = try #require(AWSServiceModel.named("eks"))
    #expect(eks.serviceID == "EKS")
    #expect(eks.format == .restJSON)
    let update = try #require(eks.operation("UpdateNodegroupVersion"))
    #expect(update.method == "POST")
    #expect(
      update.uri == "/clusters/{name}/node-groups/{nodegroupName}/update-version"
        || update.uri.contains("{clusterName}"))
    let create = try #require(eks.operation("CreateCluster")?.input)
    #expect(create.member("name")?.required == true)
    #expect(create.member("name")?.shape.pattern == "^[0-9A-Za-z][A-Za-z0-9\\-_]*")
    #expect(create.member("clientRequestToken")?.idempotencyToken == true)
    #expect(eks.operation("DescribeCluster")?.error("ResourceNotFoundException")?.errorStatus == 404)
    let iam = try #require(AWSServiceModel.named("iam"))
    #expect(iam.operation("GetRole")?.error("NoSuchEntity")?.name == "NoSuchEntityException")
    #expect(iam.operation("ListRoles")?.pagination?.resultKeys == ["Roles"])
    let sts = try #require(AWSServiceModel.named("sts"))
    #expect(sts.operation("AssumeRoleWithWebIdentity")?.isUnsigned == true)
    #expect(sts.operation("AssumeRole")?.isUnsigned == false)
    #expect(AWSServiceModel.named("cloudwatch")?.formats == [.json, .query])
    #expect(AWSServiceModel.named("elbv2")?.signingName == "elasticloadbalancing")
  }

  @Test(arguments: [
    ("^[0-9A-Za-z][A-Za-z0-9\\-_]*", ["demo", "a", "9-_x"], ["", "-demo", "de mo", "demo\n"]),
    ("[\\w+=,.@-]+", ["AmazonEKS_CNI_Policy", "a@b"], ["", "a/b", "é"]),
    ("(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)", ["/", "/a/b/"], ["a", "/a", "/ /"]),
    ("[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*", ["stack-1", "arn:aws:x/y"], ["1x", "stack-1.15"]),
    ("^(?!aws:)[a-z:]{1,9}$", ["tag", "xaws:"], ["aws:tag", "abcdefghij", ""]),
    ("[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*", ["Ключ 1", "", "a@b"], ["a*b", "\t"]),
    (".*\\S.*", ["  a ", "a"], ["", "   "]),
    ("a{2,3}(bc){2}?", ["aabcbc", "aaabcbc"], ["abcbc", "aabc", "aaaabcbc"]),
    ("(?i)all|[0-9]{12}", ["ALL", "all", "111122223333"], ["al", "11112222333"]),
    ("(arn:\\b(aws|aws-cn)\\b:.*)", ["arn:aws:x", "arn:aws-cn:"], ["arn:awsx:"]),
    ("(?s).*", ["a\nb"], []),
    ("[^:/]+(?=x)x", ["axx", "ax"], ["a", "a:x"]),
    ("[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", ["a\tb\r\n", "ÿ"], ["Ā", ""]),
    ("[\\u0020-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+", ["a", "😀"], ["\u{1}"]),
  ])
  func patterns(_ text: String, good: [String], bad: [String]) throws {
    let pattern = try #require(AWSPattern(text))
    for value in good { #expect(pattern.matches(value), "\(text) should match \(value)") }
    for value in bad { #expect(!pattern.matches(value), "\(text) should not match \(value)") }
  }

  @Test func aHostilePatternEndsInTime() throws {
    let pattern = try #require(AWSPattern("(a*)*(a|aa)+b"))
    let text = String(repeating: "a", count: 4000)
    let elapsed = ContinuousClock().measure { #expect(!pattern.matches(text)) }
    #expect(elapsed < .seconds(20))
  }
}
