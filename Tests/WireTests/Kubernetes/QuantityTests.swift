import Testing
import Wire

@Suite struct QuantityTests {
  @Test(arguments: [
    ("0", "0"), ("1", "1"), ("1000m", "1"), ("0.5", "500m"), (".5", "500m"), ("5.", "5"), ("1500m", "1500m"),
    ("1000", "1k"), ("100000", "100k"), ("1Gi", "1Gi"), ("1.5Gi", "1536Mi"), ("1024Mi", "1Gi"), ("1023Ki", "1023Ki"),
    ("512", "512"), ("1e3", "1e3"), ("1E3", "1e3"), ("9E", "9E"), ("-1k", "-1k"), ("+3", "3"), ("0.0000000001", "1n"),
    ("1n", "1n"), ("100u", "100u"), ("0.5Ki", "512"), ("9999999999999999999999", "9223372036854775807"),
    ("1.01", "1010m"), ("128974848", "128974848"), ("129e6", "129e6"), ("123Mi", "123Mi"), ("1.1Gi", "1181116007"),
  ])
  func canonical(_ text: String, _ canonical: String) { #expect(Quantity(text)?.description == canonical) }

  @Test(arguments: ["", "x", "1x", "1.2.3", "1 Gi", "Gi", "1e", "--1", "1gi", ".", "1e99999"])
  func none(_ text: String) { #expect(Quantity(text) == nil) }

  @Test func arithmetic() throws {
    let sum = try #require(Quantity("1.5Gi")) + Quantity(1024 * 1024 * 512, format: .binary)
    #expect(sum.description == "2Gi")
    #expect((Quantity(milli: 250) * 3).description == "750m")
    #expect((Quantity(1) - Quantity(milli: 1)).milliValue == 999)
    #expect(Quantity(milli: 1).value == 1 && Quantity(milli: -1).value == -1)
    #expect(Quantity("1000m") == Quantity("1") && Quantity("1Ki")! > Quantity("1k")!)
  }

  @Test func neverCrashes() {
    var mutations = Mutations(seed: 11)
    for _ in 0..<5000 {
      let text = String(decoding: mutations.spoil(Array("-123.456e+12EiKi".utf8)), as: UTF8.self)
      if let quantity = Quantity(text) { _ = (quantity + quantity).description }
    }
  }

  @Test(arguments: [(IntOrString.int(3), 3, 3), (.string("25%"), 3, 2), (.string("100%"), 10, 10)])
  func percentages(_ value: IntOrString, _ total: Int, _ up: Int) {
    #expect(value.scaled(value == .string("25%") ? 5 : total, roundingUp: true) == up)
    #expect(IntOrString.string("http").scaled(3, roundingUp: true) == nil)
  }

  @Test func names() {
    struct Counter: RandomNumberGenerator {
      var state: UInt64 = 0
      mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return state
      }
    }
    var random = Counter()
    let name = GeneratedNames.name(String(repeating: "a", count: 70), using: &random)
    #expect(name.utf8.count == 63)
    #expect(GeneratedNames.safeEncode("1234567890").utf8.allSatisfy { "bcdfghjklmnpqrstvwxz2456789".utf8.contains($0) })
    #expect(GeneratedNames.templateHash(["a": 1, "b": 2]) == GeneratedNames.templateHash(["b": 2, "a": 1]))
    #expect(GeneratedNames.templateHash(["a": 1]) != GeneratedNames.templateHash(["a": 1], collisionCount: 0))
  }

  @Test(arguments: ["", "f", "fo", "foo", "foob", "fooba", "foobar"])
  func base64(_ text: String) {
    let encoded = Base64.encode(text.utf8)
    #expect(encoded.utf8.count % 4 == 0)
    #expect(Base64.decode(encoded) == Array(text.utf8))
  }

  @Test func base64Faults() {
    #expect(Base64.encode("fooba".utf8) == "Zm9vYmE=")
    #expect(Base64.firstFault("Zm9v!") == 4 && Base64.firstFault("Zg=") == 3 && Base64.firstFault("Zg==x") == 4)
    #expect(Base64.decode("Zm9v\nYmFy\n") == Array("foobar".utf8))
  }

  @Test(arguments: [
    (0, "0s"), (1_500_000_000, "1.5s"), (3_661_000_000_000, "1h1m1s"), (300_000_000, "300ms"), (60_000_000_000, "1m0s"),
  ])
  func durations(_ nanoseconds: Int, _ text: String) {
    #expect(GoDuration.text(nanoseconds: Int64(nanoseconds)) == text)
    #expect(GoDuration.parse(text) == .nanoseconds(nanoseconds))
  }
}
