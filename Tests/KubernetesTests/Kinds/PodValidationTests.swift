import Kubernetes
import Testing
import Wire

@Suite("A pod is checked in upstream's words")
struct PodValidationTests {
  static let base = Bench.pod("p")
  static let label =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    + "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

  /// What is put where, and what is said of it.
  static let cases: [(String, JSON, [String])] = [
    (
      "spec.restartPolicy", "Sometimes",
      [
        #"spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never""#
      ]
    ),
    (
      "spec.dnsPolicy", "Any",
      [
        #"spec.dnsPolicy: Unsupported value: "Any": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None""#
      ]
    ),
    ("spec.dnsPolicy", "None", ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
    ("spec.containers.0.name", "A b", [#"spec.containers[0].name: Invalid value: "A b": "# + label]),
    ("spec.containers.0.image", "", ["spec.containers[0].image: Required value"]),
    (
      "spec.containers.0.image", " nginx",
      [#"spec.containers[0].image: Invalid value: " nginx": must not have leading or trailing whitespace"#]
    ),
    (
      "spec.containers.0.imagePullPolicy", "Maybe",
      [
        #"spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never""#
      ]
    ),
    (
      "spec.containers.0.ports", [["containerPort": 70000]],
      ["spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"]
    ),
    ("spec.containers.0.ports", [["name": "http"]], ["spec.containers[0].ports[0].containerPort: Required value"]),
    (
      "spec.containers.0.ports", [["containerPort": 80, "protocol": "QUIC"]],
      [
        #"spec.containers[0].ports[0].protocol: Unsupported value: "QUIC": supported values: "SCTP", "TCP", "UDP""#
      ]
    ),
    (
      "spec.containers.0.ports",
      [["containerPort": 80, "hostPort": 80], ["containerPort": 81, "hostPort": 80]],
      [#"spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80""#]
    ),
    (
      "spec.containers.0.env", [["name": "a=b"]],
      [
        #"spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of "#
          + #"printable ASCII characters other than '=' (regex used for validation is '^[ -<>-~]+$')"#
      ]
    ),
    (
      "spec.containers.0.env", [["name": "A", "valueFrom": ["fieldRef": ["fieldPath": "spec.hostNetwork"]]]],
      [
        #"spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.hostNetwork": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs""#
      ]
    ),
    (
      "spec.containers.0.env", [["name": "A", "valueFrom": ["fieldRef": ["fieldPath": "spec.dog"]]]],
      [
        #"spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.dog": error converting fieldPath: field label not supported: spec.dog"#
      ]
    ),
    (
      "spec.containers.0.env",
      [["name": "A", "value": "x", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]]],
      [
        #"spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty"#
      ]
    ),
    (
      "spec.containers.0.volumeMounts", [["name": "none", "mountPath": "/x"]],
      [#"spec.containers[0].volumeMounts[0].name: Not found: "none""#]
    ),
    (
      "spec.volumes", [["name": "a", "emptyDir": [:] as JSON, "hostPath": ["path": "/x"]]],
      ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"]
    ),
    ("spec.volumes", [["name": "a"], ["name": "a"]], [#"spec.volumes[1].name: Duplicate value: "a""#]),
    ("spec.volumes", [["name": "a", "secret": [:] as JSON]], ["spec.volumes[0].secret.secretName: Required value"]),
    (
      "spec.volumes", [["name": "a", "configMap": ["name": "c", "defaultMode": 1024]]],
      [
        "spec.volumes[0].configMap.defaultMode: Invalid value: 1024: must be a number between 0 and 0777 (octal), both inclusive"
      ]
    ),
    (
      "spec.containers.0.resources", ["requests": ["cpu": "2"], "limits": ["cpu": "1"]],
      [#"spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1"#]
    ),
    (
      "spec.containers.0.resources", ["limits": ["gpu": "1"]],
      [
        #"spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified"#,
        #"spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers"#,
        #"spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified"#,
        #"spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers"#,
      ]
    ),
    (
      "spec.containers.0.resources", ["requests": ["nvidia.com/gpu": "1"]],
      ["spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources"]
    ),
    (
      "spec.containers.0.resources", ["requests": ["memory": "-1"]],
      [
        #"spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0"#
      ]
    ),
    (
      "spec.containers.0.livenessProbe", ["periodSeconds": 5],
      ["spec.containers[0].livenessProbe: Required value: must specify a handler type"]
    ),
    (
      "spec.containers.0.livenessProbe", ["exec": ["command": ["true"]], "successThreshold": 2],
      ["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"]
    ),
    (
      "spec.containers.0.readinessProbe", ["httpGet": ["port": 0]],
      [
        "spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive"
      ]
    ),
    (
      "spec.containers.0.lifecycle", ["preStop": ["exec": ["command": ["true"]], "sleep": ["seconds": 1]]],
      ["spec.containers[0].lifecycle.preStop.sleep: Forbidden: may not specify more than 1 handler type"]
    ),
    (
      "spec.containers.0.lifecycle", ["preStop": ["sleep": ["seconds": 31]]],
      [
        "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)"
      ]
    ),
    (
      "spec.containers.0.securityContext", ["runAsUser": -1],
      [
        "spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"
      ]
    ),
    (
      "spec.securityContext.seccompProfile", ["type": "Localhost"],
      [
        "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"
      ]
    ),
    (
      "spec.initContainers", [["name": "i", "image": "x", "livenessProbe": ["exec": ["command": ["true"]]]]],
      [
        "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"
      ]
    ),
    ("spec.initContainers", [["name": "c", "image": "x"]], [#"spec.initContainers[0].name: Duplicate value: "c""#]),
    (
      "spec.tolerations", [["operator": "Equal", "value": "x"]],
      [
        #"spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys""#
      ]
    ),
    (
      "spec.tolerations", [["key": "k", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 5]],
      [
        #"spec.tolerations[0].effect: Invalid value: "NoSchedule": effect must be 'NoExecute' when `tolerationSeconds` is set"#
      ]
    ),
    (
      "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution", ["nodeSelectorTerms": []],
      [
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term"
      ]
    ),
    (
      "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution",
      [["labelSelector": ["matchLabels": ["a": "b"]]]],
      [
        "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty",
        #"spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must be non-empty"#,
        #"spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"#,
      ]
    ),
    (
      "spec.topologySpreadConstraints", [["topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"]],
      [
        "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"
      ]
    ),
    (
      "spec.activeDeadlineSeconds", 0,
      ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"]
    ),
    (
      "spec.ephemeralContainers", [["name": "d", "image": "x"]],
      ["spec.ephemeralContainers: Forbidden: cannot be set on create"]
    ),
    (
      "spec.hostAliases", [["ip": "999.1.1.1", "hostnames": ["a"]]],
      [
        #"spec.hostAliases[0].ip: Invalid value: "999.1.1.1": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"#
      ]
    ),
    (
      "metadata.labels", ["a": "b c"],
      [
        #"metadata.labels: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"#
      ]
    ),
  ]

  @Test("of a new one every fault is told")
  func create() throws {
    let bench = try Bench()
    for (path, value, causes) in Self.cases {
      let reply = bench.send("POST", "/api/v1/namespaces/default/pods", Self.base.with(value, path))
      #expect(reply.status == 422, "\(path)")
      #expect(reply.causes == causes, "\(path)")
    }
  }

  @Test("of a running one little may change")
  func update() throws {
    let bench = try Bench()
    let path = "/api/v1/namespaces/default/pods/p"
    let pod = bench.send("POST", "/api/v1/namespaces/default/pods", Self.base).body
    let image = bench.send("PUT", path, pod.with("nginx:2", "spec.containers.0.image"))
    #expect(image.status == 200)
    let current = image.body
    let refused: [(String, JSON, String)] = [
      ("spec.hostname", "x", "spec: pod updates may not change fields other than `spec.containers[*].image`"),
      (
        "spec.tolerations", [], "spec.tolerations: existing toleration can not be modified except its tolerationSeconds"
      ),
      (
        "spec.containers.1", ["name": "b", "image": "x"],
        "spec.containers: pod updates may not add or remove containers"
      ),
    ]
    for (place, value, text) in refused {
      let reply = bench.send("PUT", path, current.with(value, place))
      #expect(reply.status == 422)
      #expect(reply.causes.contains { $0.replacing("Forbidden: ", with: "").hasPrefix(text) }, "\(reply.causes)")
    }
    let deadline = bench.send("PUT", path, current.with(60, "spec.activeDeadlineSeconds")).body
    #expect(deadline["spec"]["activeDeadlineSeconds"].int == 60)
    let longer = bench.send("PUT", path, deadline.with(90, "spec.activeDeadlineSeconds"))
    #expect(
      longer.causes == ["spec.activeDeadlineSeconds: Invalid value: 90: must be less than or equal to previous value"])
  }

  @Test("ephemeral containers are added through their subresource and stay")
  func ephemeral() throws {
    let bench = try Bench()
    bench.send("POST", "/api/v1/namespaces/default/pods", Self.base)
    let path = "/api/v1/namespaces/default/pods/p/ephemeralcontainers"
    let patch: JSON = [
      "spec": ["ephemeralContainers": [["name": "d", "image": "busybox", "targetContainerName": "c"]]]
    ]
    let added = bench.send("PATCH", path, patch, type: "application/strategic-merge-patch+json")
    #expect(added.status == 200)
    #expect(added.body["spec"]["ephemeralContainers"][0]["terminationMessagePolicy"].string == "File")
    let removed = bench.send("PUT", path, added.body.with(.null, "spec.ephemeralContainers"))
    #expect(
      removed.causes.contains {
        $0.hasPrefix(#"spec.ephemeralContainers: Forbidden: existing ephemeral containers "d" may not be removed"#)
      })
    let missing = bench.send(
      "PATCH", path,
      ["spec": ["ephemeralContainers": [["name": "e", "image": "x", "targetContainerName": "nobody"]]]],
      type: "application/strategic-merge-patch+json")
    #expect(missing.causes == [#"spec.ephemeralContainers[0].targetContainerName: Not found: "nobody""#])
  }

  @Test("deprecated and doubtful fields are warned of")
  func warnings() throws {
    let bench = try Bench()
    let pod = Self.base.with(["beta.kubernetes.io/os": "linux"], "spec.nodeSelector")
      .with([["name": "A", "value": "1"], ["name": "A", "value": "2"]], "spec.containers.0.env")
    let reply = bench.send("POST", "/api/v1/namespaces/default/pods", pod)
    #expect(reply.status == 201)
    let warnings = reply.headers.fields.filter { $0.name == "Warning" }.map(\.value)
    #expect(
      warnings == [
        #"299 - "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead""#,
        #"299 - "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply""#,
      ])
  }
}
