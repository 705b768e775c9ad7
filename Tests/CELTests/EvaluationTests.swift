import CEL
import Testing
import Wire

/// What expressions give. The facts are those of CEL's published conformance tests and of Kubernetes' libraries.
@Suite struct EvaluationTests {
  static let environment: Environment = {
    var environment = Environment([
      .strings, .newerStrings, .urls, .regex, .lists, .authorizer, .quantity, .sets, .addresses, .formats, .semver,
      .patches,
    ])
    environment.declare("x", .dyn)
    environment.declare("object", .dyn)
    environment.declare("n", .int)
    return environment
  }()

  static let object: JSON = [
    "name": "web", "replicas": 3, "ratio": 0.5, "none": [] as JSON, "labels": ["app": "web", "a/b": "c"],
    "ports": [["port": 80, "name": "http"], ["port": 443, "name": "https"]],
  ]

  static func evaluate(_ text: String) throws -> Value {
    let expression = try CheckedExpression(text, in: environment)
    let activation = Activation(["object": Value(object), "x": Value(5 as JSON), "n": .int(7)])
    return expression.evaluate(activation).value
  }

  @Test(arguments: [
    // Numbers
    "1 + 2 * 3 == 7", "7 / 2 == 3", "-7 / 2 == -3", "-7 % 3 == -1", "1.5 + 1.5 == 3.0", "2u * 3u == 6u",
    "0x1F == 31", "dyn(1) == 1.0", "dyn(1) == 1u", "1 < 1.5", "9223372036854775807 > 9.0e18",
    "-9223372036854775808 < 0",
    "int('42') == 42", "int(3.9) == 3", "int(-3.9) == -3", "uint(3) == 3u", "double('1e3') == 1000.0",
    "1.0 / 0.0 > 1.0",
    "!(0.0 / 0.0 == 0.0 / 0.0)", "string(1.5) == '1.5'", "string(100.0) == '100'", "string(1e30) == '1e+30'",
    // Strings and bytes
    "'é'.size() == 1", "size('😀') == 1", "size(b'é') == 2", "'a' + 'b' == 'ab'", "'\\u00e9' == 'é'",
    "r'\\n' == '\\\\n'",
    "b'abc' == bytes('abc')", "string(b'abc') == 'abc'", "'abc' < 'abd'", "'Z' < 'a'", "'abc'.contains('')",
    "'abc'.startsWith('ab') && 'abc'.endsWith('bc')", "\"\"\"a\nb\"\"\" == 'a\\nb'", "'\\x41\\101' == 'AA'",
    "'hello'.matches('^h.*o$')", "!'hello'.matches('^e')", "matches('foobar', 'o{2}b')", "'a' != '\\u0061\\u0301'",
    // Lists and maps
    "[1, 2, 3][1] == 2", "2 in [1, 2]", "!(4 in [1, 2])", "'app' in object.labels", "object.labels['a/b'] == 'c'",
    "{'a': 1}.a == 1", "{1: 'x'}[dyn(1u)] == 'x'", "{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "[1] + [2] == [1, 2]",
    "[1, 2] != [2, 1]", "size({'a': 1}) == 1", "[[1], [2]] == [[1], [2]]", "[1.0, dyn(2)] == [dyn(1), 2.0]",
    "has(object.name)", "!has(object.missing)", "has(object.labels.app)",
    // Macros
    "[1, 2, 3].all(i, i > 0)", "[1, 2, 3].exists(i, i == 2)", "[1, 2, 2].exists_one(i, i == 1)",
    "[1, 2, 3].map(i, i * 2) == [2, 4, 6]", "[1, 2, 3].map(i, i > 1, i * 2) == [4, 6]",
    "[1, 2, 3].filter(i, i % 2 == 1) == [1, 3]", "{'a': 1, 'b': 2}.all(k, k in ['a', 'b'])",
    "object.ports.exists(p, p.port == 443)", "[[1, 2], [3]].all(l, l.exists(i, i > 1))", "[].all(i, false)",
    "[1, 2].all(i, v, i + 1 == v)", "{'a': 1}.exists(k, v, k == 'a' && v == 1)",
    "[1, 2].transformList(i, v, v * 10 + i) == [10, 21]", "[1, 2].transformList(i, v, i > 0, v) == [2]",
    "{'a': 1}.transformMap(k, v, v + 1) == {'a': 2}", "[1, 2].transformMapEntry(i, v, {v: i}) == {1: 0, 2: 1}",
    "cel.bind(a, 2, a + a == 4)", "[1, 2].map(i, [3, 4].map(j, i * j)) == [[3, 4], [6, 8]]",
    // Errors that are passed over
    "true || 1 / 0 == 1", "1 / 0 == 1 || true", "!(false && 1 / 0 == 1)", "!(1 / 0 == 1 && false)",
    "true ? true : 1 / 0 == 1", "[0, 1].exists(i, 1 / i == 1)", "![1, 0].all(i, 1 / i == 2)",
    // Types
    "type(1) == int", "type('a') == string", "type([]) == list", "type({}) == map", "type(null) == null_type",
    "type(type(1)) == type", "type(timestamp(0)) == google.protobuf.Timestamp", "dyn(1) != dyn('1')", "null == null",
    // Times
    "timestamp('2026-11-22T12:04:15.5Z').getMilliseconds() == 500",
    "timestamp('2026-11-22T00:00:00Z').getDayOfWeek() == 0",
    "timestamp('2026-03-01T00:00:00Z').getDayOfYear() == 59",
    "timestamp('2026-01-31T23:30:00Z').getDate('+02:00') == 1",
    "timestamp('2026-01-01T00:00:00Z') + duration('1h') == timestamp('2026-01-01T01:00:00Z')",
    "timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')",
    "duration('1h30m').getMinutes() == 90", "string(duration('90s')) == '90s'", "duration('1.5s') > duration('1s')",
    "string(timestamp('2026-01-01T00:00:00+01:00')) == '2025-12-31T23:00:00Z'",
    "int(timestamp('1970-01-01T00:01:00Z')) == 60",
    // Optionals
    "object.?name.orValue('x') == 'web'", "object.?missing.orValue('x') == 'x'", "!object.?a.?b.hasValue()",
    "object[?'name'].value() == 'web'", "[1, 2][?5].orValue(9) == 9", "optional.of(1).or(optional.of(2)).value() == 1",
    "optional.none().or(optional.of(2)).value() == 2", "object.?replicas.optMap(r, r + 1).value() == 4",
    "optional.ofNonZeroValue('').hasValue() == false", "[?optional.of(1), ?optional.none()] == [1]",
    "{?'a': optional.none(), 'b': 1} == {'b': 1}",
    "optional.of(object).?name.optFlatMap(v, optional.of(v + '!')).value() == 'web!'",
  ])
  func holds(_ text: String) throws {
    let value = try EvaluationTests.evaluate(text)
    guard case .bool(true) = value else {
      Issue.record("\(text) gave \(value)")
      return
    }
  }

  @Test(arguments: [
    // Strings
    "'tacocat'.charAt(3) == 'o'", "'tacocat'.indexOf('c', 3) == 4", "'tacocat'.lastIndexOf('c') == 4",
    "'a,b,c'.split(',') == ['a', 'b', 'c']",
    "'a,b,c'.split(',', 2) == ['a', 'b,c']", "'abc'.split('') == ['a', 'b', 'c']", "['x', 'y'].join('-') == 'x-y'",
    "'hello hello'.replace('he', 'we') == 'wello wello'", "'hello hello'.replace('he', 'we', 1) == 'wello hello'",
    "'ab'.replace('', '_') == '_a_b_'", "'tacocat'.substring(4) == 'cat'", "'tacocat'.substring(0, 4) == 'taco'",
    "'  x\\t'.trim() == 'x'", "'TacoÉ'.lowerAscii() == 'tacoÉ'", "'tacoé'.upperAscii() == 'TACOé'",
    "'%s has %d (%.2f) %x'.format(['a', 3, 1.005, 255]) == 'a has 3 (1.00) ff'",
    "'%s'.format([[1, dyn('a'), dyn({'k': true})]]) == '[1, a, {k: true}]'",
    "'%b %o %X %%'.format([5, 8, 'hi']) == '101 10 6869 %'", "'%e'.format([1052.032911275]) == '1.052033e+03'",
    "strings.quote('a\\n\"b\"') == '\"a\\\\n\\\\\"b\\\\\"\"'",
    // Regular expressions
    "'abc 123'.find('[0-9]+') == '123'", "'abc'.find('x*') == ''", "'123 abc 456'.findAll('[0-9]+') == ['123', '456']",
    "'123 abc 456'.findAll('[0-9]+', 1) == ['123']", "'foo.bar'.find('(?i)O\\\\.B') == 'o.b'",
    "'aXbX'.find('a.*?X') == 'aX'",
    "'Ünï'.matches('^\\\\pL+$')", "'a\\nb'.matches('(?m)^b$')", "'word'.matches('\\\\bword\\\\b')",
    "'x-y'.matches('^[\\\\w-]+$')",
    // Lists and sets
    "[1, 3].isSorted()", "![3, 1].isSorted()", "[1, 2, 3].sum() == 6", "[duration('1s')].sum() == duration('1s')",
    "[3, 1, 2].min() == 1",
    "['b', 'a'].max() == 'b'", "[1, 2, 2].indexOf(2) == 1", "[1, 2, 2].lastIndexOf(2) == 2",
    "sets.contains([1, 2, 3], [1, 2])",
    "sets.equivalent([1, 2, 2], [2, 1])", "sets.intersects([1], [1, 2])", "!sets.intersects([1], [2])",
    // URLs
    "url('https://example.com:80/path?a=b&a=c').getHost() == 'example.com:80'",
    "url('https://[::1]:80/').getHostname() == '::1'",
    "url('https://example.com:80/').getPort() == '80'", "url('/path with').getEscapedPath() == '/path%20with'",
    "url('https://e.com/?k=1&k=2').getQuery()['k'] == ['1', '2']", "!isURL('../relative')", "isURL('/absolute')",
    "url('https://e.com').getScheme() == 'https'",
    // Quantities
    "quantity('1Gi').isGreaterThan(quantity('1G'))", "quantity('500m').compareTo(quantity('0.5')) == 0",
    "quantity('50k').asInteger() == 50000",
    "quantity('1').add(2).isLessThan(quantity('4'))", "!quantity('0.5').isInteger()", "quantity('-1').sign() == -1",
    "!isQuantity('1x')",
    "quantity('1500m').asApproximateFloat() == 1.5", "quantity('2').sub(quantity('500m')) == quantity('1.5')",
    // Addresses
    "ip('10.0.0.1').family() == 4", "ip('2001:db8::1').family() == 6", "isIP('::1') && !isIP('10.0.0.256')",
    "ip.isCanonical('::1') && !ip.isCanonical('0:0::1')",
    "cidr('10.0.0.0/8').containsIP('10.1.2.3')", "!cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))",
    "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
    "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')", "cidr('10.0.0.0/8').prefixLength() == 8",
    "string(ip('2001:DB8:0:0::1')) == '2001:db8::1'",
    "ip('127.0.0.1').isLoopback() && ip('169.254.1.1').isLinkLocalUnicast() && ip('8.8.8.8').isGlobalUnicast()",
    "string(cidr('10.0.0.0/8').ip()) == '10.0.0.0'",
    // Formats and versions
    "!format.dns1123Label().validate('web').hasValue()", "format.dns1123Label().validate('Web').hasValue()",
    "!format.named('nope').hasValue()",
    "format.named('dns1123Subdomain').value().validate('a.b') == optional.none()",
    "semver('1.2.3').isLessThan(semver('1.10.0'))",
    "semver('1.0.0-alpha').compareTo(semver('1.0.0')) == -1", "isSemver('1.2.3') && !isSemver('v1.2')",
    "semver('v1.2', true).minor() == 2",
    "jsonpatch.escapeKey('a/b~c') == 'a~1b~0c'",
  ])
  func librariesHold(_ text: String) throws { try holds(text) }

  @Test(arguments: [
    ("1 / 0", "division by zero"), ("1 % 0", "modulus by zero"), ("9223372036854775807 + 1", "integer overflow"),
    ("-9223372036854775808 - 1", "integer overflow"), ("0u - 1u", "unsigned integer overflow"),
    ("9223372036854775807 * 2", "integer overflow"),
    ("-(-9223372036854775807 - 1)", "integer overflow"), ("int(1e30)", "integer overflow"),
    ("uint(-1)", "unsigned integer overflow"),
    ("[1][5]", "index out of bounds: 5"), ("[1][-1]", "index out of bounds: -1"), ("{'a': 1}['b']", "no such key: b"),
    ("object.missing", "no such key: missing"), ("object.name.first", "no such overload"),
    ("object.name > 5", "no such overload"),
    ("x && true", "no such overload"), ("int('x')", "type conversion error from 'string' to 'int'"),
    ("duration('100000h') + duration('100000h') * 1", ""), ("quantity('x')", Quantity.parseError),
    ("optional.none().value()", "optional.none() dereference"),
    ("'abc'.substring(5)", "index out of range: 5"),
    ("'%d'.format(['x'])", "error during formatting: unrecognized formatting clause or type 'string'"),
    ("[1, 2].map(i, 1 / (i - 1))", "division by zero"),
    ("'a'.find('(')", "error parsing regexp: missing closing ): `(`"),
    ("{object.name: 1, 'web': 2}", "insert failed: key web already exists"),
    ("timestamp('9999-12-31T23:59:59Z') + duration('1h')", "timestamp overflow"),
  ])
  func fails(_ text: String, _ why: String) throws {
    if why.isEmpty {
      #expect(throws: CheckedExpression.Failure.self) { try EvaluationTests.evaluate(text) }
      return
    }
    guard case .error(let error) = try EvaluationTests.evaluate(text) else {
      Issue.record("\(text) gave a value")
      return
    }
    #expect(error.text == why)
  }

  @Test func costIsBounded() throws {
    // Each level multiplies: what it would take is beyond any limit.
    let text = "[1,2,3,4,5,6,7,8,9,10]"
    let nested = (0..<8).reduce("true") { "\(text).all(i\($1), \($0))" }
    let expression = try CheckedExpression(nested, in: Environment())
    let outcome = expression.evaluate(Activation(), limit: 10_000)
    guard case .error(.costLimit) = outcome.value else {
      Issue.record("it was not stopped")
      return
    }
    #expect(outcome.cost < 20_000)
  }

  @Test func equalityOfSharedListsIsBounded() throws {
    let bombs = (0..<60).reduce("a == a") { text, _ in "cel.bind(a, [a, a], \(text))" }
    let expression = try CheckedExpression("cel.bind(a, [1], \(bombs))", in: Environment())
    guard case .error = expression.evaluate(Activation()).value else {
      Issue.record("it was not stopped")
      return
    }
  }

  @Test func costs() throws {
    for (text, cost) in [
      ("x", 1), ("object.name", 2), ("has(object.name)", 1), ("1 + 2", 1), ("'abcdefghijk' == 'abcdefghijk'", 2),
      ("[1, 2]", 10), ("{'a': 1}", 30),
      ("'abcdefghijklmnopqrst'.contains('abc')", 2), ("true ? 1 : 2", 0), ("x in [1, 2, 3]", 14),
    ] as [(String, UInt64)] {
      let expression = try CheckedExpression(text, in: EvaluationTests.environment)
      let outcome = expression.evaluate(Activation(["object": Value(EvaluationTests.object), "x": .int(1)]))
      #expect(outcome.cost == cost, "\(text)")
    }
  }
}
