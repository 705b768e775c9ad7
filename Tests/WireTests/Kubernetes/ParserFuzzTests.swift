import Testing
import Wire

/// Anything may come from outside: a parser answers or refuses, within its bounds, and takes nothing down.
///
/// Every turn is a seed, and mutates what is good.
@Suite("Parsers of Kubernetes' formats") struct ParserFuzzTests {
  private static let turns = 2000

  private static let tokens = [
    "{", "}", "[", "]", "\"", "\\", ":", ",", "null", "-", "- ", "\n  ", "\t", "&a ", "*a", "!!binary ", "|+\n", ">-",
    "? ", "<<: ", "---\n", "\u{0}", "\u{feff}", "é", "9999999999999999999", "-1", "1e999", "0x", "~", "/", "~1",
    "$patch",
    "$retainKeys", "$deleteFromPrimitiveList/", "(", ")", " in ", " notin ", "!", "=", "==", "[?(@.", "..", "[*]",
    "[-1:",
    "'", "{", "}", "\\u", "\\ud800", "%", "+", "(?:", "*", "{9999}", "[^", "\\p{L}",
  ]

  static func mutate(_ bytes: [UInt8], _ chance: inout Chance) -> [UInt8] {
    var bytes = bytes
    for _ in 0...chance.next(4) {
      let at = bytes.isEmpty ? 0 : chance.next(bytes.count)
      switch chance.next(7) {
      case 0 where !bytes.isEmpty: bytes[at] = UInt8(chance.next(256))
      case 1 where !bytes.isEmpty: bytes.remove(at: at)
      case 2: bytes.insert(UInt8(chance.next(256)), at: at)
      case 3 where chance.next(4) == 0: bytes.removeLast(bytes.count - at)
      case 4 where !bytes.isEmpty:
        bytes.insert(contentsOf: bytes[at..<min(at + 1 + chance.next(40), bytes.count)], at: chance.next(bytes.count))
      case 5 where !bytes.isEmpty: bytes[at] ^= 1 << chance.next(8)
      default: bytes.insert(contentsOf: tokens[chance.next(tokens.count)].utf8, at: at)
      }
    }
    return bytes
  }

  private func fuzz(_ corpus: [String], seed: UInt64, _ body: ([UInt8]) -> Void) {
    for text in corpus { body(Array(text.utf8)) }
    var chance = Chance(seed: seed)
    for turn in 0..<Self.turns { body(Self.mutate(Array(corpus[turn % corpus.count].utf8), &chance)) }
  }

  private static let pod: JSON = [
    "kind": "Pod", "apiVersion": "v1",
    "metadata": [
      "name": "p", "labels": ["a": "b"], "creationTimestamp": "2026-11-22T12:00:00Z",
      "managedFields": [
        ["manager": "m", "operation": "Update", "fieldsV1": ["f:metadata": ["f:labels": ["f:a": [:] as JSON]]]]
      ],
    ],
    "spec": [
      "containers": [
        [
          "name": "c", "image": "nginx", "env": [["name": "A", "value": "1"]],
          "ports": [["containerPort": 80, "protocol": "TCP"]],
          "resources": ["limits": ["cpu": "1500m", "memory": "1Gi"]],
          "readinessProbe": ["httpGet": ["path": "/", "port": "http"]],
        ]
      ],
      "tolerations": [["key": "k", "operator": "Exists", "tolerationSeconds": 300]],
    ],
  ]

  @Test func json() {
    fuzz([Self.pod.text(), "[1,-2.5e3,\"\\u00e9\\ud83d\\ude00\",{\"a\":{\"a\":[]}},true,null]"], seed: 1) { bytes in
      guard let value = try? JSON.parse(bytes) else { return }
      // What was read can be written and read again.
      #expect((try? JSON.parse(value.bytes())) == value)
    }
    let deep = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
    #expect((try? JSON.parse(deep)) == nil)
  }

  @Test func yaml() {
    let corpus = [
      YAMLWriterText.pod,
      "a: &x {b: [1, 'two', \"three\\n\"], c: !!str 4}\nd: *x\ne: |\n  text\n   more\nf: >-\n  folded\n  text\n? g\n: h\n",
      "---\n- a\n- - b\n  - {c: d}\n---\nx: 0x1f\ny: .inf\nz: 2001-01-01\n<<: {m: n}\n",
    ]
    fuzz(corpus, seed: 2) { bytes in
      var duplicates: [YAML.Duplicate] = []
      _ = try? YAML.parse(bytes, duplicates: &duplicates)
      _ = try? YAML.parseAll(bytes)
    }
    // Each alias doubles what the one before it stands for.
    var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1..<30 {
      let one = "*a\(level - 1)"
      bomb += "a\(level): &a\(level) [\(Array(repeating: one, count: 10).joined(separator: ", "))]\n"
    }
    #expect((try? YAML.parse(bomb)) == nil)
    #expect((try? YAML.parse(String(repeating: "[", count: 200_000))) == nil)
    #expect((try? YAML.parse(String(repeating: "- ", count: 200_000))) == nil)
  }

  @Test func protobuf() throws {
    var chance = Chance(seed: 3)
    let node: JSON = [
      "kind": "Node", "apiVersion": "v1", "metadata": ["name": "n"],
      "status": ["capacity": ["cpu": "2"], "conditions": [["type": "Ready", "status": "True"]]],
    ]
    let corpus = try [Self.pod, node].map { try #require(ProtobufEncoder.encode($0)) }
    for turn in 0..<Self.turns * 2 {
      var bytes = Self.mutate(corpus[turn % corpus.count], &chance)
      if turn % 3 == 0 { bytes.replaceSubrange(0..<min(4, bytes.count), with: ProtobufDecoder.magic) }
      guard let value = try? ProtobufDecoder.decode(bytes) else { continue }
      // What was read can be written again.
      if ProtobufEncoder.knows(
        GroupVersionKind(
          apiVersion: value["apiVersion"].string ?? "", kind: value["kind"].string ?? "")
          ?? .init(
            group: "", version: "", kind: ""))
      {
        _ = ProtobufEncoder.encode(value)
      }
    }
    // Messages within messages without end.
    var nested: [UInt8] = []
    for _ in 0..<10_000 { nested = [0x12, 0xff, 0xff, 0x7f] + nested.prefix(100) }
    #expect((try? ProtobufDecoder.decode(ProtobufDecoder.magic + nested)) == nil)
  }

  @Test func selectors() {
    let labels: JSON = ["a": "b", "environment": "production"]
    fuzz(
      ["environment=production,tier!=frontend", "x in (a, b,c),y notin (d),!z,w", "a==b, n > 5,m<7"], seed: 4
    ) { bytes in
      _ = (try? LabelSelector(parsing: String(decoding: bytes, as: UTF8.self)))?.matches(labels)
    }
    fuzz(["metadata.name=web-1,spec.nodeName!=n\\,1", "status.phase==Running"], seed: 5) { bytes in
      _ = (try? FieldSelector(parsing: String(decoding: bytes, as: UTF8.self)))?.matches { _ in "Running" }
    }
    let many = Array(repeating: "a in (b,c)", count: 20_000).joined(separator: ",")
    #expect((try? LabelSelector(parsing: many))?.matches(labels) != nil)
  }

  @Test func patches() {
    let schema = KubernetesSchema.for(KubernetesVersion("1.36")!)
    let pod = GroupVersionKind(group: "", version: "v1", kind: "Pod")
    let operations = [
      #"[{"op":"test","path":"/metadata/name","value":"p"},{"op":"add","path":"/spec/containers/-","value":{"name":"d"}}]"#,
      #"[{"op":"move","from":"/metadata/labels/a","path":"/metadata/labels/b~1c~0"},{"op":"remove","path":"/spec"}]"#,
      #"[{"op":"copy","from":"/spec","path":"/spec/containers/0/x"},{"op":"replace","path":"","value":[]}]"#,
    ]
    fuzz(operations, seed: 6) { bytes in
      guard let json = try? JSON.parse(bytes), let patch = try? JSONPatch(json) else { return }
      _ = try? patch.apply(to: Self.pod)
    }
    let merges = [
      #"{"metadata":{"labels":{"a":null,"$patch":"replace"}},"spec":{"containers":[{"name":"c","$patch":"delete"}]}}"#,
      #"{"spec":{"$setElementOrder/containers":[{"name":"d"},{"name":"c"}],"containers":[{"name":"d","image":"x"}]}}"#,
      #"{"spec":{"$retainKeys":["containers"],"tolerations":[{"key":"k","operator":"Equal"}]}}"#,
      #"{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["b"]}}"#,
    ]
    fuzz(merges, seed: 7) { bytes in
      guard let json = try? JSON.parse(bytes) else { return }
      _ = MergePatch.apply(json, to: Self.pod)
      _ = try? StrategicMergePatch.apply(json, to: Self.pod, as: pod, in: schema)
    }
    // A copy of the whole into itself doubles it each time.
    let copies = (0..<60).map { #"{"op":"copy","from":"","path":"/x\#($0)"}"# }.joined(separator: ",")
    if let json = try? JSON.parse(Array("[\(copies)]".utf8)), let patch = try? JSONPatch(json) {
      #expect((try? patch.apply(to: Self.pod)) == nil)
    }
  }

  @Test func paths() {
    fuzz(
      [
        ".spec.containers[*].name", ".metadata.labels['a\\.b/c']", ".spec.containers[?(@.name==\"c\")].image",
        "..name[-1:]",
      ],
      seed: 8
    ) { bytes in
      _ = JSONPath(String(decoding: bytes, as: UTF8.self))?.values(in: Self.pod)
    }
  }

  @Test func values() {
    fuzz(["1500m", "1Gi", "-2.5e3", "0.000000001", "9223372036854775807Ei", "+.5"], seed: 9) { bytes in
      let text = String(decoding: bytes, as: UTF8.self)
      if let quantity = Quantity(text) {
        _ = quantity.description
        _ = quantity + quantity
      }
      _ = GoDuration.parse(text)
      _ = Timestamp(rfc3339: text)
    }
  }

  @Test func regularExpressions() {
    let text = String(repeating: "a", count: 200)
    fuzz([#"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"#, "^[a-z]([-a-z0-9]*[a-z0-9])?$", "(a|b)*c{2,5}?"], seed: 10) {
      _ = RegularExpression(String(decoding: $0, as: UTF8.self))?.isFound(in: text)
    }
    // What takes others exponential time.
    #expect(RegularExpression("^(a+)+$")?.isFound(in: text + "!") == false)
    #expect(RegularExpression("(a|aa)+$")?.isFound(in: text + "!") == false)
    _ = RegularExpression("((a{1,100}){1,100}){1,100}")?.isFound(in: text)
  }
}

private enum YAMLWriterText {
  static let pod = YAML.write([
    "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "labels": ["a": "yes", "b": "1"]],
    "spec": ["containers": [["name": "c", "command": ["sh", "-c", "echo 'x'\nsleep 1"]]]],
  ])
}
