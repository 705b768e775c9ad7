import Testing
import Wire

@Suite struct SchemaTests {
  static let schema = KubernetesSchema.for(KubernetesVersion(minor: 36))
  static let deployment = GroupVersionKind(group: "apps", version: "v1", kind: "Deployment")
  static let pod = GroupVersionKind(group: "", version: "v1", kind: "Pod")

  @Test func types() throws {
    let container = try #require(Self.schema["io.k8s.api.core.v1.Container"])
    let ports = try #require(container["ports"])
    #expect(ports.listType == .map && ports.listMapKeys == ["containerPort", "protocol"])
    #expect(ports.mergeKey == "containerPort" && ports.merges)
    #expect(container["name"]?.isRequired == true)
    let spec = try #require(Self.schema["io.k8s.api.core.v1.PodSpec"])
    #expect(spec["nodeSelector"]?.isAtomicMap == true && spec["volumes"]?.retainsKeys == true)
    #expect(Self.schema[Self.deployment]?.name == "io.k8s.api.apps.v1.Deployment")
    #expect(Self.schema["io.k8s.api.core.v1.ContainerPort"]?["protocol"]?.keyDefault == "TCP")
  }

  @Test func versionsDiffer() {
    let old = KubernetesSchema.for(KubernetesVersion(minor: 32))
    #expect(old["io.k8s.api.core.v1.Container"]?["restartPolicyRules"] == nil)
    #expect(Self.schema["io.k8s.api.core.v1.Container"]?["restartPolicyRules"] != nil)
  }

  @Test func everyStoredResourceHasAType() {
    for minor in 32...36 {
      let version = KubernetesVersion(minor: minor)
      let schema = KubernetesSchema.for(version)
      for row in ResourceTable.for(version).resources {
        #expect(schema[row.gvk] != nil, "\(row.qualifiedName) \(minor)")
      }
    }
  }

  @Test func unknownFieldsGoAndAreTold() throws {
    var pod: JSON = [
      "kind": "Pod",
      "spec": ["foo": 1, "containers": [["name": "a", "bar": true, "resources": ["limits": ["cpu": "1000m"]]]]],
      "dta": [:],
    ]
    let findings = Self.schema.prune(&pod, as: Self.pod)
    #expect(findings.unknown == ["spec.foo", "spec.containers[0].bar", "dta"])
    #expect(findings.mismatch == nil)
    #expect(pod["spec"]["containers"][0].has("bar") == false && !pod.has("dta"))
    #expect(pod["spec"]["containers"][0]["resources"]["limits"]["cpu"].string == "1")
    #expect(findings.status(Self.pod, strict: false) == nil)
    let configMap = GroupVersionKind(group: "", version: "v1", kind: "ConfigMap")
    var object: JSON = ["kind": "ConfigMap", "dta": [:]]
    let status = Self.schema.prune(&object, as: configMap).status(configMap, strict: true)
    #expect(try status?.json == golden("strict-400"))
  }

  @Test func valuesTakeTheirForm() throws {
    var pod = try JSON.parse(
      #"{"metadata":{"creationTimestamp":null,"deletionTimestamp":"2026-01-01T01:00:00.5+01:00"},"spec":{"nodeName":null}}"#
    )
    #expect(Self.schema.prune(&pod, as: Self.pod) == FieldFindings())
    #expect(pod.text() == #"{"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{}}"#)
  }

  static let wrongTypes: [(String, String)] = [
    (
      #"{"spec":{"template":{"spec":{"containers":[{"name":"a","ports":{"containerPort":1}}]}}}}"#,
      "json: cannot unmarshal object into Go struct field Container.spec.template.spec.containers.ports "
        + "of type []v1.ContainerPort"
    ),
    (
      #"{"spec":{"template":{"spec":{"containers":[{"ports":[{"containerPort":"x"}]}]}}}}"#,
      "json: cannot unmarshal string into Go struct field "
        + "ContainerPort.spec.template.spec.containers.ports.containerPort of type int32"
    ),
    (
      #"{"spec":{"template":{"metadata":{"annotations":{"a":1}}}}}"#,
      "json: cannot unmarshal number into Go struct field ObjectMeta.spec.template.metadata.annotations of type string"
    ),
    (
      #"{"spec":{"replicas":1.5}}"#,
      "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"
    ),
    (
      #"{"spec":{"strategy":{"rollingUpdate":{"maxSurge":true}}}}"#,
      "json: cannot unmarshal bool into Go value of type int32"
    ),
    (
      #"{"spec":{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":"x"}}}]}}}}"#, Quantity.parseError
    ),
  ]

  @Test("texts of wrong types", arguments: wrongTypes.indices)
  func mismatches(_ index: Int) throws {
    let (text, wanted) = Self.wrongTypes[index]
    var object = try JSON.parse(text)
    #expect(Self.schema.prune(&object, as: Self.deployment).mismatch == wanted)
  }

  @Test func customResources() throws {
    let gvk = GroupVersionKind(group: "example.com", version: "v1", kind: "Widget")
    let schema = Self.schema.adding(
      gvk,
      openAPIV3Schema: [
        "type": "object",
        "properties": [
          "spec": [
            "type": "object",
            "properties": [
              "size": ["type": "integer"], "free": ["type": "object", "x-kubernetes-preserve-unknown-fields": true],
              "ports": [
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"],
                "items": ["type": "object", "properties": ["n": ["type": "string"]]],
              ],
            ],
          ]
        ],
      ])
    var widget: JSON = [
      "metadata": ["name": "a", "nonsense": 1],
      "spec": ["size": 1, "x": 2, "free": ["y": 1], "ports": [["n": "a", "m": 1]]],
    ]
    #expect(schema.prune(&widget, as: gvk).unknown == ["metadata.nonsense", "spec.x", "spec.ports[0].m"])
    #expect(widget["spec"]["free"]["y"].int == 1)
  }
}
