import Testing
import Wire

@Suite struct GoTests {
  @Test func quoting() {
    #expect(GoText.quote("a\"b\\c\n\u{01}é") == "\"a\\\"b\\\\c\\n\\x01é\"")
    #expect(GoText.list(["a", "b"]) == "[a b]")
    #expect(GoText.map(["b": "2", "a": "1"]) == "map[a:1 b:2]")
    #expect(GoText.aggregate(["x"]) == "x")
    #expect(GoText.aggregate(["x", "y", "x"]) == "[x, y]")
  }

  @Test(arguments: [(0, "0s"), (59, "59s"), (120, "2m0s"), (3665, "1h1m5s"), (-61, "-1m1s")])
  func durations(seconds: Int, text: String) { #expect(GoText.duration(seconds: seconds) == text) }

  @Test(arguments: [0, 1, 2, 3, 4, 5, 255])
  func base64ThereAndBack(count: Int) throws {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    #expect(try GoBase64.rawURLDecode(GoBase64.rawURLEncode(bytes)) == bytes)
  }

  @Test(arguments: [("a", 0), ("ab=", 2), ("abcd*", 4), ("ab+c", 2)])
  func base64Faults(text: String, at: Int) {
    #expect(throws: GoError("illegal base64 data at input byte \(at)")) { try GoBase64.rawURLDecode(text) }
  }

  @Test func urls() throws {
    let url = try GoURL("https://bob@sts.amazonaws.com:443/a%20b?x=1&y#z")
    #expect(url.scheme == "https")
    #expect(url.user == "bob")
    #expect(url.host == "sts.amazonaws.com:443")
    #expect(url.path == "/a b")
    #expect(url.rawQuery == "x=1&y")
    #expect(url.fragment == "z")
  }

  @Test(arguments: [
    (":a", "parse \":a\": missing protocol scheme"),
    ("http://h/%zz", "parse \"http://h/%zz\": invalid URL escape \"%zz\""),
    ("http://h:x/", "parse \"http://h:x/\": invalid port \":x\" after host"),
    ("a:b\u{7f}", "parse \"a:b\\x7f\": net/url: invalid control character in URL"),
    ("1a:b", "parse \"1a:b\": first path segment in URL cannot contain colon"),
  ])
  func urlFaults(text: String, message: String) { #expect(throws: GoError(message)) { try GoURL(text) } }
}
