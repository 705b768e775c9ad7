import Testing
import Wire

@Suite struct YAMLTests {
  @Test(arguments: [
    ("a: yes", #"{"a":true}"#), ("a: \"yes\"", #"{"a":"yes"}"#), ("a: 0123", #"{"a":83}"#), ("a: 0x1f", #"{"a":31}"#),
    ("a: 1_000", #"{"a":1000}"#), ("a: ~", #"{"a":null}"#), ("a:", #"{"a":null}"#), ("a: 1.5", #"{"a":1.5}"#),
    ("a: 10.0.0.1", #"{"a":"10.0.0.1"}"#), ("- 1\n- b", #"[1,"b"]"#), ("", "null"), ("1: x", #"{"1":"x"}"#),
    ("a: &x {b: 1}\nc: *x", #"{"a":{"b":1},"c":{"b":1}}"#),
    ("a: {b: 1}\nd:\n  <<: {c: 2}", #"{"a":{"b":1},"d":{"c":2}}"#),
    (
      "rolearn: arn:aws:iam::111122223333:role/x\nusername: system:node:{{EC2PrivateDNSName}}",
      #"{"rolearn":"arn:aws:iam::111122223333:role/x","username":"system:node:{{EC2PrivateDNSName}}"}"#
    ),
  ])
  func reads(_ text: String, _ wanted: String) throws { #expect(try YAML.parse(text).text() == wanted) }

  @Test(arguments: ["a: [", "a: b: c", "\ta: 1", "*x"])
  func refuses(_ text: String) { #expect(throws: YAML.Fault.self) { try YAML.parse(text) } }

  @Test func aliasesAreBounded() {
    var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...9 {
      bomb += "a\(level): &a\(level) [" + (0..<10).map { _ in "*a\(level - 1)" }.joined(separator: ", ") + "]\n"
    }
    #expect(throws: YAML.Fault.self) { try YAML.parse(bomb) }
  }

  @Test func writesWhatItReads() throws {
    let value: JSON = [
      "groups": ["system:nodes", "b"], "rolearn": "arn:aws:iam::1:role/x", "text": "one\ntwo\n", "yes": "yes",
      "empty": [], "nested": ["a": [["b": 1, "c": ["d": true]]]], "number": "12", "star": "*",
    ]
    #expect(try YAML.parse(YAML.write(value)) == value)
  }
}
