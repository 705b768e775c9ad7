import CEL
import Testing
import Wire

/// What expressions cost at most; the figures are those that upstream's own tests hold it to.
@Suite struct StaticCostTests {
  private static let text = 3_145_726

  private static func list(_ element: SchemaType, _ count: Int) -> SchemaType {
    .list(element, maxItems: count, merge: .atomic)
  }
  private static func string(_ length: Int = text) -> SchemaType { .string(maxLength: length) }
  private static let object = SchemaType.object(
    ObjectType("selfType.o", [.init("required", string()), .init("optional", string(), isRequired: false)]))
  private static let parts = SchemaType.object(
    ObjectType("selfType", [.init("str", string()), .init("before", string(8)), .init("after", string(16))]))

  @Test(arguments: [
    (list(.double, 1_572_863), "self.all(x, true)", 4_718_591 as UInt64),
    (list(.double, 10), "self.all(x, true)", 32),
    (list(object, 185_042), "self.all(x, true)", 555_128),
    (string(), "self.contains('test')", 314_574),
    (string(), "self.startsWith('test')", 2),
    (string(), "size(self + \"hello\") > size(\"hello\")", 314_578),
    (list(.double, 10), "self[1] == 0.0", 2),
    (list(string(), 8), "self[1] == self[1]", 314_577),
    (list(.double, 10), "self.all(x, self.all(y, true))", 352),
    (list(.double, 10), "self.all(x, self.all(y, self.all(z, true)))", 3_552),
    (string(), "self.matches(\"x\")", 314_574),
    (string(), "\"\".matches(\"(((((((((())))))))))[0-9]\")", 7),
    (string(), "self.matches(\"\")", 1),
    (.map(string(40), maxProperties: 10), "self.all(x, x.contains(self[x]))", 72),
    (.map(string(), maxProperties: 393_215), "self.all(x, x.contains(self[x]))", 2_752_507),
    (.map(.double, maxProperties: 0), "self[\"x\"] == 0.0", 2),
    (string(0), "self == \"x\"", 1),
    (.bytes(maxLength: text), "self == b\"x\"", 2),
    (list(.double, 1_572_863), "self.all(x, x == 0.0)", 6_291_454),
    (list(.map(object, maxProperties: 10), 10), "self.all(x, x[\"y\"].required == \"z\")", 72),
    (list(.intOrString(), 10), "self[0] == 5", 3),
    (list(.bool, 25), "self[0] == false", 2),
    (list(object, 422), "self[0] == null", 2),
    (list(list(.double, 9), 51), "self[0][0] == -1.0", 3),
    (list(.map(.double, maxProperties: 9), 12), "self.all(x, x.y == 25.2)", 74),
    (list(.map(.double, maxProperties: 9), 3_000), "self[0].x > 2.0", 4),
    (list(.duration, 525), "self[0].getHours() == 2", 4),
    (list(.timestamp(maxLength: 12), 42), "self[2].getDayOfMonth() == 13", 4),
    (string(), "self.find('[0-9]+') == ''", 629_147),
    (list(string(), 1_048_575), "self.join(' ') == 'aa bb'", 329_853_068_905),
    (list(string(40), 10), "self.join(' ') == 'aa bb'", 43),
    (list(string(), 1_048_575), "self.isSorted() == true", 329_854_432_052),
    (list(string(40), 10), "self.isSorted() == true", 52),
    (parts, "self.str.replace(self.before, self.after) == 'does not matter'", 629_154),
    (parts, "self.str.split(self.str) == []", 629_160),
    (string(), "self.lowerAscii() == 'lower!'", 314_575),
    (.map(.int, maxProperties: 10), "oldSelf.size() == self.size()", 5),
    (.map(.timestamp(), maxProperties: 7), "self[\"a\"] == self[\"b\"]", 8),
    (.map(.duration, maxProperties: 42), "self[\"c\"] == self[\"d\"]", 8),
    (string(9), "self.contains('A')", 2),
    (.intOrString(), "isQuantity(self)", 314_574),
    (.intOrString(maxLength: 80), "isQuantity(self)", 9),
  ])
  func figure(_ root: SchemaType, _ text: String, _ cost: UInt64) throws {
    var environment = Environment.kubernetes(minor: 36)
    environment.declare("self", root.celType)
    environment.declare("oldSelf", root.celType)
    let expression = try CheckedExpression(text, in: environment)
    #expect(StaticCost.greatest(of: expression, root: root) == cost, "\(text)")
  }
}
