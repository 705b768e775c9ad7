import Testing
import Wire

@Suite struct ProtobufDecoderTests {
  static let kinds = [
    "clusterrole", "configmap", "cronjob", "deployment", "ingress", "job", "namespace", "namespacelist", "pdb",
    "priorityclass", "quota", "role", "rolebinding", "secret", "service", "serviceaccount", "tokenrequest",
  ]

  /// Bodies as kubectl 1.32 sends them, beside the JSON of the same objects.
  @Test("bodies of kubectl", arguments: kinds)
  func matchesJSON(_ kind: String) throws {
    let bytes = try repositoryFile("Tests/Golden/kubernetes/protobuf/\(kind).pb")
    var decoded = try ProtobufDecoder.decode(bytes)
    var wanted = try golden("protobuf/\(kind)").withoutNulls
    // The list was read twice, with a revision between.
    decoded["metadata"]["resourceVersion"] = .null
    wanted["metadata"]["resourceVersion"] = .null
    decoded["metadata"]["namespace"] = .null
    wanted["metadata"]["namespace"] = .null
    #expect(decoded.sorted.text(.pretty) == wanted.sorted.text(.pretty))
  }

  @Test func optionsTakeTheirKindFromTheRequest() throws {
    let gvk = GroupVersionKind(group: "apps", version: "v1", kind: "DeleteOptions")
    // runtime.Unknown {raw: DeleteOptions {gracePeriodSeconds: 0, propagationPolicy: "Background"}}
    let raw: [UInt8] = [0x08, 0x00, 0x22, 0x0a] + Array("Background".utf8)
    let body = ProtobufDecoder.magic + [0x12, UInt8(raw.count)] + raw
    let options = try ProtobufDecoder.decode(body, fallback: gvk)
    #expect(options["gracePeriodSeconds"].int == 0 && options["propagationPolicy"].string == "Background")
    #expect(throws: ProtobufDecoder.Failure.self) { try ProtobufDecoder.decode([1, 2, 3]) }
  }

  @Test func neverCrashes() throws {
    var mutations = Mutations(seed: 3)
    for kind in Self.kinds {
      let bytes = try repositoryFile("Tests/Golden/kubernetes/protobuf/\(kind).pb")
      for _ in 0..<300 { _ = try? ProtobufDecoder.decode(mutations.spoil(bytes)) }
    }
  }
}

extension JSON {
  /// Without fields that are null, at every depth.
  var withoutNulls: JSON {
    switch self {
    case .array(let array): .array(array.map(\.withoutNulls))
    case .object(let object):
      .object(JSONObject(object.fields.filter { !$0.value.isNull }.map { ($0.key, $0.value.withoutNulls) }))
    default: self
    }
  }
}
