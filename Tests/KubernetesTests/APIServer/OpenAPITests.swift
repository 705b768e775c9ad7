import Kubernetes
import Testing
import Wire

@Suite("What is served is told in OpenAPI")
struct OpenAPITests {
  @Test("version 2 in protobuf too, as kubectl asks for it")
  func protobuf() throws {
    let bench = try Bench.withWidgets()
    let reply = bench.send("GET", "/openapi/v2", accept: "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
    #expect(reply.status == 200)
    #expect(reply.headers["Content-Type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
    let reader = ProtobufReader(reply.bytes)
    #expect(reader.text(1) == "2.0")
    let definitions = reader.messages(9)[0].messages(1)
    let json = bench.send("GET", "/openapi/v2").body
    #expect(definitions.map { $0.text(1) ?? "" } == json["definitions"].object!.keys)
    let widget = definitions.first { $0.text(1) == "com.example.v1.Widget" }!.messages(2)[0]
    // Its kind stands in an extension, as text.
    #expect(
      widget.messages(31).contains {
        $0.text(1) == "x-kubernetes-group-version-kind" && $0.messages(2)[0].text(2)?.contains("\"Widget\"") == true
      })
    let spec = widget.messages(25)[0].messages(1).first { $0.text(1) == "spec" }!.messages(2)[0]
    let names = spec.messages(25)[0].messages(1).map { $0.text(1) ?? "" }
    #expect(names == Definitions.spec["properties"].object!.keys)
  }

  @Test("an index of hashes that changes with the definitions, and not without")
  func index() throws {
    let bench = try Bench()
    let first = bench.send("GET", "/openapi/v3").headers["ETag"]!
    #expect(bench.send("GET", "/openapi/v3", headers: [("If-None-Match", first)]).status == 304)
    bench.send(
      "POST", Definitions.path, Definitions.definition(versions: [Definitions.version(spec: ["type": "object"])]))
    let second = bench.send("GET", "/openapi/v3", headers: [("If-None-Match", first)])
    #expect(second.status == 200)
    #expect(second.body["paths"].has("apis/example.com/v1"))
    let etag = second.headers["ETag"]!
    #expect(bench.send("GET", "/openapi/v3", headers: [("If-None-Match", etag)]).status == 304)
    let widgets = second.body["paths"]["apis/example.com/v1"]["serverRelativeURL"].string!
    let definition = bench.send("GET", "\(Definitions.path)/widgets.example.com").body
    bench.send(
      "PUT", "\(Definitions.path)/widgets.example.com",
      definition.with(["type": "string"], "spec.versions.0.schema.openAPIV3Schema.properties.extra"))
    let third = bench.send("GET", "/openapi/v3", headers: [("If-None-Match", etag)])
    #expect(third.body["paths"]["apis/example.com/v1"]["serverRelativeURL"].string != widgets)
  }

  @Test("version 2 leaves out what it can't say")
  func version2() throws {
    let bench = try Bench.withWidgets()
    let spec = bench.send("GET", "/openapi/v2").body["definitions"]["com.example.v1.Widget"]["properties"]["spec"]
    #expect(spec["properties"]["either"]["oneOf"].isNull)
    #expect(spec["properties"]["maybe"]["type"].isNull)
    #expect(spec["properties"]["port"]["x-kubernetes-int-or-string"].bool == true)
    #expect(spec["properties"]["size"]["maximum"].int == 10)
  }
}

/// Reads messages without knowing their types.
struct ProtobufReader {
  private var fields: [(Int, [UInt8])] = []

  init(_ bytes: [UInt8]) {
    var at = 0
    func varint() -> UInt64 {
      var value: UInt64 = 0
      var shift: UInt64 = 0
      while at < bytes.count {
        let byte = bytes[at]
        at += 1
        value |= UInt64(byte & 0x7f) << shift
        if byte < 0x80 { break }
        shift += 7
      }
      return value
    }
    while at < bytes.count {
      let key = varint()
      switch key & 7 {
      case 0: _ = varint()
      case 1: at += 8
      case 2:
        let count = Int(varint())
        fields.append((Int(key >> 3), Array(bytes[at..<min(at + count, bytes.count)])))
        at += count
      default: return
      }
    }
  }

  func messages(_ field: Int) -> [ProtobufReader] { fields.filter { $0.0 == field }.map { ProtobufReader($0.1) } }

  func text(_ field: Int) -> String? {
    fields.first { $0.0 == field }.map { String(decoding: $0.1, as: UTF8.self) }
  }
}
