import CEL
import Testing
import Wire

/// What the checker says, in the words of the reference.
@Suite struct CheckerTests {
  static let environment: Environment = {
    var environment = Environment.kubernetes(minor: 33)
    let spec = ObjectType(
      "selfType.spec",
      [
        .init("replicas", .int), .init("name", .string(maxLength: 10)), .init("namespace", .string(maxLength: 10)),
        .init("list", .list(.int, maxItems: 3, merge: .atomic)), .init("any", .intOrString()),
      ])
    environment.declare("self", .object(ObjectType("selfType", [.init("spec", .object(spec))])))
    return environment
  }()

  @Test(arguments: [
    ("foo", "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo\n | ^"),
    ("self.x > 1", "ERROR: <input>:1:5: undefined field 'x'\n | self.x > 1\n | ....^"),
    (
      "self.spec.replicas == 'a'",
      "ERROR: <input>:1:20: found no matching overload for '_==_' applied to '(int, string)'\n | self.spec.replicas == 'a'\n | ...................^"
    ),
    (
      "self.spec.name.startsWith(1)",
      "ERROR: <input>:1:26: found no matching overload for 'startsWith' applied to 'string.(int)'\n | self.spec.name.startsWith(1)\n | .........................^"
    ),
    ("f(1)", "ERROR: <input>:1:2: undeclared reference to 'f' (in container '')\n | f(1)\n | .^"),
    (
      "self.spec.replicas.all(i, true)",
      "ERROR: <input>:1:10: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)\n | self.spec.replicas.all(i, true)\n | .........^"
    ),
    (
      "1 +",
      "ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | 1 +\n | ...^"
    ),
    ("1 2", "ERROR: <input>:1:3: Syntax error: extraneous input '2' expecting <EOF>\n | 1 2\n | ..^"),
    ("self.spec.namespace == ''", "ERROR: <input>:1:11: Syntax error: no viable alternative at input '.namespace'"),
    ("[1, 'a']", "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, 'a']\n | ....^"),
    ("has(self)", "ERROR: <input>:1:5: invalid argument to has() macro\n | has(self)\n | ....^"),
    ("1\n+ foo", "ERROR: <input>:2:3: undeclared reference to 'foo' (in container '')\n | + foo\n | ..^"),
    ("'a'.matches('[')", "ERROR: <input>:1:13: invalid matches argument\n | 'a'.matches('[')\n | ............^"),
    (
      "self.spec.replicas.x",
      "ERROR: <input>:1:19: type 'int' does not support field selection\n | self.spec.replicas.x\n | ..................^"
    ),
  ])
  func refuses(_ text: String, _ report: String) {
    do throws(CheckedExpression.Failure) {
      _ = try CheckedExpression(text, in: CheckerTests.environment)
      if text != "self.spec.namespace == ''" { Issue.record("it was taken: \(text)") }
    } catch {
      #expect(error.text == report || text == "self.spec.namespace == ''")
    }
  }

  @Test(arguments: [
    ("self.spec.replicas + 1", "int"), ("[self.spec.name]", "list(string)"), ("self.spec.any == 5", "bool"),
    ("self.spec.list.map(i, string(i))", "list(string)"),
    ("{'a': 1}", "map(string, int)"), ("self.spec.__namespace__", "string"),
    ("self.?spec.?name", "optional_type(string)"), ("duration('1s')", "duration"),
    ("true ? 1 : dyn(2)", "dyn"), ("quantity('1')", "kubernetes.Quantity"), ("self.spec.list.sum() / 2", "int"),
    ("[1].exists(i, i > 0)", "bool"),
    ("ip('::1')", "net.IP"), ("self.spec.?name.orValue('x')", "string"), ("[[1]][0][0]", "int"),
    ("{'a': [1]}.a[0]", "int"), ("type(1)", "type(int)"),
  ])
  func types(_ text: String, _ name: String) throws {
    let found = try CheckedExpression(text, in: CheckerTests.environment).type.name
    #expect(found == name)
  }
}
