import Testing
import Wire

@Suite struct SelectorTests {
  @Test(arguments: [
    ("a=b", "a=b", true), ("a==b,c", "a=b,c", true), ("a!=b", "a!=b", false), ("!z", "!z", true), ("z", "z", false),
    ("a in (b,x)", "a in (b,x)", true), ("a notin (b)", "a notin (b)", false), ("n>3", "n>3", true),
    ("n<3", "n<3", false), ("", "", true), ("a=", "a=", false), ("a in ()", "a in ()", false),
    ("x.io/a = b", "x.io/a=b", false), ("in=b", "in=b", false), ("a in (in)", "a in (in)", false),
  ])
  func labels(_ text: String, _ canonical: String, _ matches: Bool) throws {
    let selector = try LabelSelector(parsing: text)
    #expect(selector.text == canonical)
    #expect(selector.matches(["a": "b", "c": "", "n": "5"]) == matches)
  }

  @Test(arguments: [
    ("a=b,", "found '', expected: identifier after ','"),
    ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    (",a", "found ',', expected: !, identifier, or 'end of string'"),
    ("a=b c", "found 'c', expected: ',' or 'end of string'"),
    ("a in b", "unable to parse requirement: found 'b' expected: '('"),
  ])
  func labelFaults(_ text: String, _ fault: String) {
    #expect(throws: SelectorError(fault)) { try LabelSelector(parsing: text) }
  }

  @Test func labelSelectorObjects() throws {
    let selector = try LabelSelector(labelSelector: [
      "matchLabels": ["a": "b"],
      "matchExpressions": [["key": "c", "operator": "NotIn", "values": ["d"]], ["key": "e", "operator": "Exists"]],
    ])
    #expect(selector.matches(["a": "b", "e": ""]))
    #expect(!selector.matches(["a": "b", "c": "d", "e": ""]))
    #expect(try !LabelSelector(labelSelector: .null).matches([:]))
    #expect(try LabelSelector(labelSelector: [:]).matches([:]))
    #expect(throws: SelectorError(#""X" is not a valid label selector operator"#)) {
      try LabelSelector(labelSelector: ["matchExpressions": [["key": "a", "operator": "X"]]])
    }
  }

  @Test(arguments: [
    ("status.phase=Running", true), ("status.phase!=Running", false), ("status.phase==Running,x=", true),
    ("", true), ("x!=", false), (#"y=a\,b"#, true),
  ])
  func fields(_ text: String, _ matches: Bool) throws {
    let object = ["status.phase": "Running", "y": "a,b"]
    #expect(try FieldSelector(parsing: text).matches { object[$0] ?? "" } == matches)
  }

  @Test(arguments: [
    ("abc", "invalid selector: 'abc'; can't understand 'abc'"),
    (#"a=\x"#, #"invalid field selector: invalid escape sequence: \x"#),
    ("a=b=c", "invalid field selector: unescaped character in value: ="),
  ])
  func fieldFaults(_ text: String, _ fault: String) {
    #expect(throws: SelectorError(fault)) { try FieldSelector(parsing: text) }
  }

  @Test func neverCrashes() {
    var mutations = Mutations(seed: 7)
    for _ in 0..<3000 {
      let text = String(decoding: mutations.spoil(Array("a in (b,c),!d,e!=f,g>1,x.io/y notin (z)".utf8)), as: UTF8.self)
      _ = try? LabelSelector(parsing: text)
      _ = try? FieldSelector(parsing: text)
    }
  }
}
