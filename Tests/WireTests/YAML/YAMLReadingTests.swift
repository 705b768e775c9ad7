import Testing
import Wire

@Suite struct YAMLReadingTests {
  static let texts: [(String, String)] = [
    ("a: 1\nb: [x, 'y', \"z\"]\n", #"{"a":1,"b":["x","y","z"]}"#),
    ("a: yes\nb: off\nc: y\nd: 'yes'\ne: ~\nf:\n", #"{"a":true,"b":false,"c":true,"d":"yes","e":null,"f":null}"#),
    ("a: 0x1f\nb: 010\nc: 1_000\nd: 0b11\ne: 0o7", #"{"a":31,"b":8,"c":1000,"d":3,"e":7}"#),
    ("a: 1.5\nb: 1e3\nc: .5\nd: 1.\ne: 1.2.3\nf: 08", #"{"a":1.5,"b":1000,"c":0.5,"d":1,"e":"1.2.3","f":8}"#),
    ("a: 2001-01-01\nb: 12:30", #"{"a":"2001-01-01","b":"12:30"}"#),
    ("a: !!str 1\nb: !!int '2'\nc: !!binary aGk=", #"{"a":"1","b":2,"c":"hi"}"#),
    ("1: a\ntrue: b\n1.5: c", #"{"1":"a","true":"b","1.5":"c"}"#),
    ("a: &x {b: 1}\nc: *x", #"{"a":{"b":1},"c":{"b":1}}"#),
    ("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3", #"{"a":{"b":1,"c":2},"d":{"c":3,"b":1}}"#),
    ("a: |\n  x\n   y\nb: >-\n  p\n  q\n", #"{"a":"x\n y\n","b":"p q"}"#), ("{\"a\": [1, null]}", #"{"a":[1,null]}"#),
    ("", "null"), ("# nothing\n", "null"),
  ]

  @Test("YAML is read", arguments: texts.indices)
  func parses(_ index: Int) throws {
    let (text, json) = Self.texts[index]
    #expect(try YAML.parse(text).text() == json)
  }

  @Test(arguments: [
    ("a: b: c", "yaml: mapping values are not allowed in this context"),
    ("a: 1\nb: [", "yaml: line 2: did not find expected node content"),
    ("a: *x", "yaml: unknown anchor 'x' referenced"), ("a: &x [*x]", "yaml: anchor 'x' value contains itself"),
    ("a: .nan", "yaml: unsupported value: nan"), ("? [a]\n: 1", #"yaml: unsupported map key: ["a"]"#),
    ("a: 1\n\tb: 2", "yaml: line 2: found a tab character that violates indentation"),
  ])
  func faults(_ text: String, _ fault: String) {
    let found = #expect(throws: YAML.Fault.self) { try YAML.parse(text) }
    #expect(found?.description == fault)
  }

  @Test func documentsAndDuplicates() throws {
    #expect(
      try YAML.parseAll(Array("---\na: 1\n---\n---\nb: 2\n".utf8)).map { $0.text() } == [#"{"a":1}"#, #"{"b":2}"#])
    var duplicates: [YAML.Duplicate] = []
    let value = try YAML.parse(Array("a:\n- b: 1\n  b: 2\n".utf8), duplicates: &duplicates)
    #expect(duplicates.map(\.path) == ["a[0].b"] && value["a"][0]["b"].int == 2)
    #expect(duplicates.map(\.text) == [#"line 3: key "b" already set in map"#])
  }

  @Test func aliasBombsAreRefused() {
    var text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    for level in 1..<12 {
      text += "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ","))]\n"
    }
    #expect(throws: YAML.Fault.self) { try YAML.parse(text) }
    #expect(throws: YAML.Fault.self) { try YAML.parse(text + "? *a11\n: x\n") }
    #expect(throws: YAML.Fault.self) { try YAML.parse(String(repeating: "[", count: 5000)) }
  }

  static let values = [
    #"{"a":1,"b":["x",{"c":"d","e":[1,2]},[3,[4]],[],{}],"f":{},"g":null,"h":{"i":{"j":true}}}"#,
    ##"{"a":"true","b":"1","c":"","d":"~","e":"a: b","f":"- x","g":"#h","h":" x","i":"x #y","j":"it's","k":"1:30"}"##,
    #"{"a":"x\ny\n","b":"x\ny","c":"x\n\n","d":" x\ny","e":"\n","f":"tab\there","g":"é","h":"nul\u0000l","i":"a\n b \nc"}"#,
    #"{"a":"2001-01-01","b":"0x10","c":"null","d":"<<","e":"@x","f":"a,b","g":"{x}","h":"?","i":"-","j":":","k":"x:"}"#,
    #"{"a b":1,"true":2,"1":3,"":4,"x: y":5,"multi\nline":6}"#, #"[]"#, #""x""#, #"[{"a":"x\ny\n"},{"b":"z"}]"#,
  ]

  @Test("what is written reads back", arguments: values)
  func roundTrips(_ text: String) throws {
    let value = try JSON.parse(text)
    let yaml = YAML.write(value)
    #expect(try YAML.parse(yaml) == value, "\(yaml)")
  }

  @Test func layout() throws {
    let value = try JSON.parse(#"{"b":[{"x":1,"w":["p"]},"q"],"a":"1","c":"l1\nl2\n"}"#)
    #expect(
      YAML.write(value) == "a: \"1\"\nb:\n- w:\n  - p\n  x: 1\n- q\nc: |\n  l1\n  l2\n")
  }

  @Test func neverCrashes() {
    var mutations = Mutations(seed: 13)
    let seed = "a: &x {b: [1, 'y']}\nc:\n  <<: *x\n  d: |\n    text\n  e: !!int 5\n---\n? k\n: \"v\\n\"\n"
    for _ in 0..<3000 { _ = try? YAML.parseAll(mutations.spoil(Array(seed.utf8))) }
  }
}
