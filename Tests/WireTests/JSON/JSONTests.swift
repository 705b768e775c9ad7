import Testing
import Wire

@Suite struct JSONTests {
  @Test(arguments: [
    ("null", JSON.null), ("true", JSON.bool(true)), ("-12", -12),
    ("9007199254740993", 9_007_199_254_740_993), ("1.5e3", 1500.0),
    (#""a\u00e9\ud83d\ude00\n""#, "aé😀\n"), ("[]", JSON.array([])), (#"{"a":[1,{"b":null}]}"#, nil),
  ])
  func parses(_ text: String, _ wanted: JSON?) throws {
    let value = try JSON.parse(text)
    if let wanted, !wanted.isNull { #expect(value == wanted) }
    #expect(try JSON.parse(value.text()) == value)
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\"}", "01", "1.", "nul", "\"\\x\"", "\"\u{01}\"", "[1] 2", "{\"a\":1,}", "\"", "-", "+1",
    "1e",
  ])
  func refuses(_ text: String) { #expect(throws: JSONError.self) { try JSON.parse(text) } }

  @Test func depthIsBounded() {
    let deep = String(repeating: "[", count: 100_000)
    #expect(throws: JSONError(problem: .tooDeep, offset: 500)) { try JSON.parse(deep) }
  }

  @Test func theLastOfEqualKeysWinsAndIsTold() throws {
    var duplicates: [String] = []
    let value = try JSON.parse(Array(#"{"a":1,"b":{"c":1,"c":2},"a":3}"#.utf8), duplicates: &duplicates)
    #expect(value["a"] == 3)
    #expect(value["b"]["c"] == 2)
    #expect(duplicates == ["b.c", "a"])
    let wide = "{" + (0..<100).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + ",\"k7\":-1}"
    #expect(try JSON.parse(wide)["k7"] == -1)
    #expect(try JSON.parse(wide).fields.count == 100)
  }

  @Test func changesInPlace() {
    var pod: JSON = ["spec": ["containers": [["name": "a"]]]]
    pod["spec"]["nodeName"] = "n1"
    pod["status"]["phase"] = "Running"
    pod["spec"]["containers"][0]["image"] = "nginx"
    pod["spec"]["gone"] = .null
    #expect(
      pod.text()
        == #"{"spec":{"containers":[{"name":"a","image":"nginx"}],"nodeName":"n1"},"status":{"phase":"Running"}}"#)
    pod["status"] = .null
    #expect(!pod.has("status"))
    #expect(pod["no"]["such"]["path"].isNull)
  }

  @Test func objectsAreEqualInAnyOrder() {
    #expect((["a": 1, "b": 2] as JSON) == (["b": 2, "a": 1] as JSON))
    #expect((["a": 1, "b": 2] as JSON) != (["b": 2, "a": 2] as JSON))
    #expect((["a": 1] as JSON) != (["a": 1, "b": 2] as JSON))
  }

  @Test func goEscapesHTML() {
    #expect(JSON("<a&b>").text(.go) == #""\u003ca\u0026b\u003e""#)
    #expect(JSON("<a&b>").text() == #""<a&b>""#)
  }

  @Test func valuesComeBackThroughCoding() throws {
    enum Phase: Codable, Equatable {
      case idle
      case waiting(for: String, Int)
    }
    struct State: Codable, Equatable {
      var phase: Phase
      var phases: [Phase]
      var optional: String?
      var map: [String: [Int]]
      var big: UInt64
      var tree: JSON
    }
    let state = State(
      phase: .waiting(for: "x", 3), phases: [.idle, .waiting(for: "y", 4)], optional: nil, map: ["a": [1, 2]],
      big: .max, tree: ["k": [true, .null]])
    let coded = try JSON(encoding: state)
    #expect(try JSON.parse(coded.text()).decode(State.self) == state)
    #expect(throws: DecodingError.self) { try (["phase": 1] as JSON).decode(State.self) }
  }

  /// Mutations of a valid text never crash and never hang; what parses is written and read back the same.
  @Test func mutationsAreRefusedOrRead() throws {
    let text = Array(#"{"metadata":{"name":"web","labels":{"a":"b\u00e9"}},"n":[1,-2.5e3,true,null,"x\\y"]}"#.utf8)
    var state: UInt64 = 42
    func next() -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33)
    }
    for _ in 0..<20_000 {
      var mutated = text
      for _ in 0..<(1 + next() % 4) {
        switch next() % 3 {
        case 0: mutated[next() % mutated.count] = UInt8(truncatingIfNeeded: next())
        case 1: mutated.remove(at: next() % mutated.count)
        default: mutated.insert(UInt8(truncatingIfNeeded: next()), at: next() % mutated.count)
        }
      }
      if let value = try? JSON.parse(mutated) { #expect(try JSON.parse(value.bytes()) == value) }
    }
  }
}

@Suite struct TimestampTests {
  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2000-02-29T12:00:00Z", 951_825_600), ("2026-11-22T12:04:15Z", 1_795_349_055),
    ("2024-12-31T23:59:59Z", 1_735_689_599),
  ])
  func textsAndNumbersAgree(_ text: String, _ seconds: Int64) throws {
    let time = try #require(Timestamp(rfc3339: text))
    #expect(time.seconds == seconds)
    #expect(time.rfc3339 == text)
    #expect(Timestamp(amzDate: time.amzDate) == time)
  }

  @Test func offsetsAndFractions() {
    #expect(Timestamp(rfc3339: "2026-11-22T13:04:15.25+01:00")?.rfc3339Milli == "2026-11-22T12:04:15.250Z")
    #expect(Timestamp(seconds: 1_795_349_055).httpDate == "Sun, 22 Nov 2026 12:04:15 GMT")
  }

  @Test(arguments: [
    "", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-22 12:04:15Z", "2026-11-22T12:04:15",
    "2026-11-22T12:04:15.Z",
  ])
  func brokenTextsAreRefused(_ text: String) { #expect(Timestamp(rfc3339: text) == nil) }

  private struct Everything: Codable {
    enum Choice: Codable {
      case plain
      case named(first: Int, second: String?)
      case unnamed(JSON)
    }
    struct Hollow: Codable {}
    var text = "a \"b\"\n"
    var number = -3
    var wide = UInt64.max
    var fraction = 1.5
    var yes = true
    var nothing: Int?
    var hollow = Hollow()
    var json: JSON = ["b": 1, "a": [2, ["c": 3]]]
    var null = JSON.null
    var map = ["z": 1, "a": 2, "m": 3, "b": 4]
    var nested = ["y": ["q": ["b", "a"], "c": []], "x": [:]]
    var numbers = [10: "ten", 9: "nine"]
    var choices: [Choice] = [.plain, .named(first: 1, second: nil), .named(first: 2, second: "b"), .unnamed([1, 2])]
    var byName = ["second": Choice.unnamed(.null), "first": .named(first: 3, second: "c")]
    var none: [Int] = []
    var lists = [[1], [], [2, 3]]
    var moment = Timestamp(seconds: 5)
    var optional: [String?] = ["a", nil]
  }

  @Test("Encoded at once or by way of a tree, the text is the same")
  func encodesAtOnce() throws {
    let value = Everything()
    let text = String(decoding: try JSON.bytes(encoding: value), as: UTF8.self)
    #expect(text == (try JSON(encoding: value)).text())
    #expect(try JSON.parse(text).decode(Everything.self).map == value.map)
    #expect(try JSON.bytes(encoding: "a") == Array("\"a\"".utf8))
    #expect(try JSON.bytes(encoding: [String: Int]()) == Array("{}".utf8))
    #expect(try JSON.bytes(encoding: JSON.null) == Array("null".utf8))
  }
}
