import Testing
import Wire

@Suite struct KubeStatusTests {
  static let pods = GroupName(group: "", name: "pods")
  static let configMaps = GroupName(group: "", name: "configmaps")

  static let recorded: [(String, KubeStatus)] = [
    (
      "anon",
      .forbidden(
        pods, "", #"User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope"#)
    ),
    (
      "badcontinue",
      .invalidContinue("continue key is not valid: invalid character 'i' looking for beginning of value")
    ),
    ("badtoken-401", .unauthorized),
    ("badver", .noSuchResource),
    ("conflict-409", .conflict(configMaps, "x")),
    ("exists-409", .alreadyExists(configMaps, "x")),
    ("del", .deleted(configMaps, "x", uid: "f3e8f552-1763-41f4-af35-104bce36868b")),
    ("list-badrv", .tooLargeResourceVersion(99_999_999, current: 2276)),
    ("notfound", .notFound(pods, "nope")),
    ("unsupported-406", .notAcceptable()),
    ("unsupported-415", .unsupportedMediaType()),
    (
      "invalid-422",
      .invalid(
        GroupName(group: "", name: "Pod"), "BAD_",
        [
          .invalid("metadata.name", "BAD_", NameRules.dns1123Subdomain("BAD_")[0]),
          .required("spec.containers"),
        ])
    ),
  ]

  @Test("answers as recorded", arguments: recorded.indices)
  func matchesGolden(_ index: Int) throws {
    let (name, status) = Self.recorded[index]
    let body = try golden(name)
    #expect(status.json.text(.pretty) == body.text(.pretty))
    if status.isFailure { #expect(KubeStatus(body) == status) }
  }

  @Test func pathsAndBodies() {
    let path = FieldPath("spec").child("containers").index(0).child("ports").key("http")
    #expect(path.text == "spec.containers[0].ports[http]")
    #expect(
      FieldError.notSupported("spec.type", "X", supported: ["A", "B"]).description
        == #"spec.type: Unsupported value: "X": supported values: "A", "B""#)
    #expect(FieldError.invalid("a", ["b": 1], "no").body == #"Invalid value: {"b":1}: no"#)
    #expect(FieldError.required("a").body == "Required value")
    #expect(FieldError.tooLong("a", limit: 63).body == "Too long: may not be more than 63 bytes")
  }

  @Test func methodNotSupported() {
    #expect(
      KubeStatus.methodNotSupported(GroupName(group: "apps", name: "deployments"), "create").message
        == #"create is not supported on resources of kind "deployments.apps""#)
  }
}
