import Foundation
import Testing
import Wire

/// Our codecs against botocore's, for every operation of every service, both ways.
///
/// Needs python3 with botocore; where they lack, the test says so and judges nothing.
@Suite struct BotocoreJudgeTests {
  private static let tools = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Tools")

  /// What the judge prints; nil when it can't be run.
  private static func judge(_ command: String, input: Data = Data()) throws -> [JSON]? {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("botocore-judge-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let given = folder.appendingPathComponent("in")
    let printed = folder.appendingPathComponent("out")
    try input.write(to: given)
    try Data().write(to: printed)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", tools.appendingPathComponent("botocore_judge.py").path, command]
    process.standardInput = try FileHandle(forReadingFrom: given)
    process.standardOutput = try FileHandle(forWritingTo: printed)
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { return nil }
    return try Data(contentsOf: printed).split(separator: 0x0a).map { try JSON.parse(Array($0)) }
  }

  private static let isThere: Bool = {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    // Another version has other operations.
    let version = tools.deletingLastPathComponent().appendingPathComponent("Sources/CGenerated/aws/VERSION").path
    process.arguments = [
      "python3", "-c",
      "import botocore, sys; sys.exit(open(sys.argv[1]).read().split() != ['botocore', botocore.__version__])", version,
    ]
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }()

  private func skipped() -> Bool {
    if !BotocoreJudgeTests.isThere {
      print("SKIPPED: python3 with the botocore that the AWS models were made with is not here to judge the AWS codecs")
    }
    return !BotocoreJudgeTests.isThere
  }

  /// What the query protocols can't carry: structures with nothing in them.
  private func pruned(_ value: JSON) -> JSON {
    switch value {
    case .object(let object):
      var out = JSONObject()
      for field in object.fields {
        let inner = pruned(field.value)
        if inner.object?.isEmpty ?? false || inner.array?.isEmpty ?? false { continue }
        out.append(field.key, inner)
      }
      return .object(out)
    case .array(let array):
      return .array(array.map(pruned).filter { !($0.object?.isEmpty ?? false) && !($0.array?.isEmpty ?? false) })
    default: return value
    }
  }

  private func pairs(_ text: String) -> [String] {
    (PercentEncoding.pairs(text) ?? []).map { "\($0.name)=\($0.value)" }.sorted()
  }

  @Test func requests() throws {
    guard !skipped() else { return }
    let cases = try #require(try BotocoreJudgeTests.judge("requests"))
    #expect(cases.count > 4000)
    var wrong = 0
    for item in cases {
      let service = try #require(AWSServiceModel.named(item["service"].string ?? ""))
      let operation = try #require(service.operation(item["operation"].string ?? ""))
      let body = Base64.decode(item["body"].string ?? "") ?? []
      var headers = HTTPHeaders([("Host", "localhost:4566")])
      for field in item["headers"].fields { headers.add(field.key, field.value.string ?? "") }
      let query = item["query"].string ?? ""
      let theirs = HTTPRequest(
        method: item["method"].string ?? "", path: item["path"].string ?? "", query: query.isEmpty ? nil : query,
        headers: headers, body: body)
      let name = "\(service.id) \(operation.name)"
      // Our server reads what botocore writes.
      var asked = theirs
      asked.headers.add(
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=A/20240102/us-east-1/\(service.signingName)/aws4_request, SignedHeaders=host, "
          + "Signature=0")
      do {
        let route = try AWSProtocol.route(asked).get()
        let input = try AWSProtocol.decodeInput(asked, route)
        let isQuery = route.format.isQuery
        let expected = isQuery ? pruned(item["input"]) : item["input"]
        if route.operation.name != operation.name || route.service !== service || input != expected {
          wrong += 1
          if wrong < 10 { Issue.record("\(name): \(route.operation.name) \(input) is not \(expected)") }
        }
      } catch {
        wrong += 1
        if wrong < 10 { Issue.record("\(name): \(error) for \(item)") }
      }
      // Our client writes what botocore writes, in the format that it prefers.
      guard item["format"].string == service.format.rawValue else { continue }
      let ours = try AWSClientCodec.encodeRequest(service, operation, item["input"], endpoint: "http://localhost:4566")
        .get()
      let isSame: Bool
      switch service.format {
      case .query, .ec2:
        isSame = pairs(String(decoding: ours.body, as: UTF8.self)) == pairs(String(decoding: body, as: UTF8.self))
      case .json, .restJSON:
        isSame = ours.body == body || (try? JSON.parse(ours.body)) == (try? JSON.parse(body))
      case .restXML, .cbor: isSame = ours.body == body || XMLElement.parse(ours.body) == XMLElement.parse(body)
      }
      if !isSame || ours.method != theirs.method || ours.path != theirs.path
        || pairs(ours.query ?? "") != pairs(query) || theirs.headers["x-amz-target"] != ours.headers["x-amz-target"]
      {
        wrong += 1
        if wrong < 10 {
          Issue.record(
            """
            \(name) writes \(ours.method) \(ours.path)?\(ours.query ?? "") \(String(decoding: ours.body, as: UTF8.self))
            not \(theirs.method) \(theirs.path)?\(query) \(String(decoding: body, as: UTF8.self))
            """)
        }
      }
    }
    #expect(wrong == 0)
  }

  @Test func signatures() throws {
    guard !skipped() else { return }
    let cases = try #require(try BotocoreJudgeTests.judge("signed"))
    #expect(cases.count == 200)
    for item in cases {
      let query = item["query"].string ?? ""
      var request = HTTPRequest(
        method: item["method"].string ?? "", path: item["path"].string ?? "", query: query.isEmpty ? nil : query,
        body: Base64.decode(item["body"].string ?? "") ?? [])
      for field in item["headers"].items { request.headers.add(field[0].string ?? "", field[1].string ?? "") }
      var credentials = SigV4Tests.example
      credentials.sessionToken = item["token"].string
      let verified = SigV4.verify(request, service: item["service"].string, now: SigV4Tests.now) { _ in credentials }
      #expect(throws: Never.self, "\(item)") { _ = try verified.get() }
      // And ours is the same, byte for byte, for those signed by header.
      guard let theirs = request.headers["authorization"] else { continue }
      request.headers["authorization"] = nil
      let ours = SigV4.sign(
        request, credentials: credentials, region: item["region"].string ?? "", service: item["service"].string ?? "",
        now: SigV4Tests.now)
      #expect(ours.headers["authorization"] == theirs)
    }
  }

  /// What is committed is what the generator writes.
  @Test func modelsAreCurrent() throws {
    guard !skipped() else { return }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", BotocoreJudgeTests.tools.appendingPathComponent("aws_models.py").path, "--check"]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test func answers() throws {
    guard !skipped() else { return }
    var lines: [UInt8] = []
    var chance = Chance(seed: 20_240_102)
    for service in AWSServiceModel.all {
      for name in service.operationNames {
        let operation = try #require(service.operation(name))
        // Streams of events are another protocol.
        if ["StartLiveTail", "GetLogObject"].contains(name) { continue }
        let formats = service.id == "cloudwatch" ? service.formats + [.cbor] : service.formats
        for turn in 0..<2 * formats.count {
          let route = AWSRoute(service: service, operation: operation, format: formats[turn / 2])
          let requestID = "00000000-\(name)-\(turn)"
          var output = JSON.emptyObject
          if let shape = operation.output { output = sample(shape, 0, &chance) }
          let answer = AWSProtocol.encode(output, for: route, requestID: requestID)
          lines += line(route, answer, output, requestID)
          guard turn < 2 else { continue }
          #expect(
            try AWSClientCodec.decodeResponse(answer, service, operation).get() == output, "\(service.id) \(name)")
        }
        for format in formats {
          let route = AWSRoute(service: service, operation: operation, format: format)
          let error = AWSError(code: "ThrottlingException", message: "Rate <exceeded> & more", status: 400)
          let answer = AWSProtocol.encode(error, for: route, requestID: "r-\(name)")
          lines += line(
            route, answer, ["Code": .string(error.code), "Message": .string(error.message)], "r-\(name)")
          guard format == service.format else { continue }
          #expect(AWSClientCodec.decodeResponse(answer, service, operation) == .failure(error))
        }
      }
    }
    let problems = try #require(try BotocoreJudgeTests.judge("answers", input: Data(lines)))
    for problem in problems.prefix(10) { Issue.record("\(problem)") }
    #expect(problems.count == 0)
  }

  private func line(
    _ route: AWSRoute, _ answer: HTTPResponse, _ output: JSON, _ requestID: String
  ) -> [UInt8] {
    let value: JSON = [
      "service": .string(route.service.id), "format": .string(route.format.rawValue),
      "operation": .string(route.operation.name), "status": .int(Int64(answer.status)),
      "headers": .array(answer.headers.fields.map { .array([.string($0.name), .string($0.value)]) }),
      "body": .string(Base64.encode(answer.body)), "output": output, "requestID": .string(requestID),
    ]
    return value.bytes() + [0x0a]
  }

  private func sample(_ shape: AWSShape, _ depth: Int, _ chance: inout Chance) -> JSON {
    switch shape.kind {
    case .structure:
      var out = JSONObject()
      if shape.isUnion {
        let member = shape.members[chance.next(shape.members.count)]
        return .object(JSONObject([(member.name, sample(member.shape, depth + 1, &chance))]))
      }
      for member in shape.members where member.location != .statusCode {
        guard depth < 5, chance.next(3) > 0, !member.streaming else { continue }
        out.append(member.name, sample(member.shape, depth + 1, &chance))
      }
      return .object(out)
    case .list: return .array((0...chance.next(2)).map { _ in sample(shape.element.shape, depth + 1, &chance) })
    case .map:
      var out = JSONObject()
      for index in 0...chance.next(2) {
        out.append("k\(index)", sample(shape.value.shape, depth + 1, &chance))
      }
      return .object(out)
    case .string:
      return .string(["a", " b ", "x<&\">y'", "ключ\n2", "arn:aws:iam::111122223333:role/x"][chance.next(5)])
    case .integer, .long: return .int(Int64([0, 1, -7, 65535][chance.next(4)]))
    case .double, .float: return .double([0.5, -2.25, 1][chance.next(3)])
    case .boolean: return .bool(chance.next(2) == 0)
    case .timestamp: return [.int(1_704_164_645), .double(1_704_164_645.25), .int(0)][chance.next(3)]
    case .blob: return .string(["", "YQ==", "Ynl0ZXMA/w=="][chance.next(3)])
    }
  }
}

/// A small stream of numbers from a seed.
struct Chance {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next(_ bound: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((z ^ (z >> 31)) % UInt64(bound))
  }
}
