import Kubernetes
import Testing
import Wire

@Suite("Kinds are checked in upstream's words")
struct KindValidationTests {
  static let core = "/api/v1/namespaces/default"
  static let apps = "/apis/apps/v1/namespaces/default"

  static let template: JSON = [
    "metadata": ["labels": ["app": "a"]], "spec": ["containers": [["name": "c", "image": "nginx"]]],
  ]
  static let workload: JSON = [
    "metadata": ["name": "w"], "spec": ["selector": ["matchLabels": ["app": "a"]], "template": template],
  ]
  static let service: JSON = ["metadata": ["name": "s"], "spec": ["ports": [["port": 80]]]]
  static let claim: JSON = [
    "metadata": ["name": "c"],
    "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]],
  ]
  static let volume: JSON = [
    "metadata": ["name": "v"],
    "spec": ["accessModes": ["ReadWriteOnce"], "capacity": ["storage": "1Gi"], "hostPath": ["path": "/x"]],
  ]
  static let job: JSON = [
    "metadata": ["name": "j"], "spec": ["template": template.with("Never", "spec.restartPolicy")],
  ]
  static let cron: JSON = [
    "metadata": ["name": "c"], "spec": ["schedule": "* * * * *", "jobTemplate": ["spec": job["spec"]]],
  ]
  static let ingress: JSON = [
    "metadata": ["name": "i"],
    "spec": [
      "rules": [
        [
          "http": [
            "paths": [
              ["path": "/", "pathType": "Prefix", "backend": ["service": ["name": "s", "port": ["number": 80]]]]
            ]
          ]
        ]
      ]
    ],
  ]
  static let scaler: JSON = [
    "metadata": ["name": "h"],
    "spec": ["scaleTargetRef": ["kind": "Deployment", "name": "d", "apiVersion": "apps/v1"], "maxReplicas": 3],
  ]
  static let hook: JSON = [
    "metadata": ["name": "w"],
    "webhooks": [
      [
        "name": "a.b.c", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": ["url": "https://a.b/c"],
        "rules": [["operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]]],
      ]
    ],
  ]

  static let cases: [Refused] = [
    Refused(
      "ConfigMap key", "\(core)/configmaps", ["metadata": ["name": "x"], "data": ["a/b": "1"]],
      [
        #"data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"#
      ]),
    Refused(
      "Secret basic-auth", "\(core)/secrets", ["metadata": ["name": "x"], "type": "kubernetes.io/basic-auth"],
      ["data[username]: Required value", "data[password]: Required value"]),
    Refused(
      "Secret tls", "\(core)/secrets",
      ["metadata": ["name": "x"], "type": "kubernetes.io/tls", "data": ["tls.crt": "eA=="]],
      ["data[tls.key]: Required value"]),
    Refused(
      "Service ports", "\(core)/services", ["metadata": ["name": "s"], "spec": ["selector": ["a": "b"]]],
      ["spec.ports: Required value"]),
    Refused(
      "Service name", "\(core)/services", service.with("1s", "metadata.name"),
      [
        #"metadata.name: Invalid value: "1s": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"#
      ]),
    Refused(
      "Service two ports", "\(core)/services", service.with([["port": 80], ["port": 80]], "spec.ports"),
      [
        "spec.ports[0].name: Required value", "spec.ports[1].name: Required value",
        #"spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}"#,
      ]),
    Refused(
      "Service type", "\(core)/services", service.with("Any", "spec.type"),
      [
        #"spec.type: Unsupported value: "Any": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort""#
      ]),
    Refused(
      "Service headless NodePort", "\(core)/services",
      service.with("NodePort", "spec.type").with("None", "spec.clusterIP"),
      [#"spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services"#]),
    Refused(
      "Service ExternalName", "\(core)/services", service.with("ExternalName", "spec.type"),
      ["spec.externalName: Required value"]),
    Refused(
      "Service affinity", "\(core)/services",
      service.with("ClientIP", "spec.sessionAffinity").with(
        ["clientIP": ["timeoutSeconds": 100_000]], "spec.sessionAffinityConfig"),
      [
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 100000: must be greater than 0 and less than 86400"
      ]),
    Refused(
      "Service node port", "\(core)/services", service.with(30000, "spec.ports.0.nodePort"),
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]),
    Refused(
      "Service source ranges", "\(core)/services",
      service.with("LoadBalancer", "spec.type").with(["10.0.0.0"], "spec.loadBalancerSourceRanges"),
      [
        #"spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"#
      ]),
    Refused(
      "Endpoints loopback", "\(core)/endpoints",
      ["metadata": ["name": "e"], "subsets": [["addresses": [["ip": "127.0.0.1"]], "ports": [["port": 80]]]]],
      [
        #"subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)"#
      ]),
    Refused(
      "EndpointSlice", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
      ["metadata": ["name": "e"], "addressType": "IPv4", "endpoints": [["addresses": ["::1"]]]],
      [
        #"endpoints[0].addresses[0]: Invalid value: "::1": must be an IPv4 address"#,
        #"endpoints[0].addresses[0]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)"#,
      ]),
    Refused(
      "Deployment selector", "\(apps)/deployments",
      workload.with(["matchLabels": ["app": "b"]], "spec.selector"),
      [
        #"spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`"#
      ]),
    Refused(
      "Deployment without selector", "\(apps)/deployments", workload.with(.null, "spec.selector"),
      ["spec.selector: Required value"]),
    Refused(
      "Deployment replicas", "\(apps)/deployments", workload.with(-1, "spec.replicas"),
      ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
    Refused(
      "Deployment strategy", "\(apps)/deployments",
      workload.with(
        ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": 0, "maxUnavailable": "0%"]], "spec.strategy"),
      [
        #"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0"#
      ]),
    Refused(
      "Deployment recreate", "\(apps)/deployments",
      workload.with(["type": "Recreate", "rollingUpdate": ["maxSurge": 1]], "spec.strategy"),
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"]),
    Refused(
      "Deployment restart policy", "\(apps)/deployments",
      workload.with("Never", "spec.template.spec.restartPolicy"),
      [#"spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always""#]),
    Refused(
      "Deployment deadline", "\(apps)/deployments",
      workload.with(10, "spec.minReadySeconds").with(10, "spec.progressDeadlineSeconds"),
      ["spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds"]),
    Refused(
      "DaemonSet surge", "\(apps)/daemonsets",
      workload.with(
        ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": 1, "maxUnavailable": 1]], "spec.updateStrategy"),
      [
        "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"
      ]),
    Refused(
      "StatefulSet policy", "\(apps)/statefulsets", workload.with("Any", "spec.podManagementPolicy"),
      [#"spec.podManagementPolicy: Invalid value: "Any": must be 'OrderedReady' or 'Parallel'"#]),
    Refused(
      "StatefulSet mount", "\(apps)/statefulsets",
      workload.with([["name": "data", "mountPath": "/d"]], "spec.template.spec.containers.0.volumeMounts"),
      [#"spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data""#]),
    Refused(
      "ReplicationController selector", "\(core)/replicationcontrollers",
      workload.with(["app": "b"], "spec.selector"),
      [
        #"spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`"#
      ]),
    Refused(
      "Job restart policy", "/apis/batch/v1/namespaces/default/jobs",
      job.with(.null, "spec.template.spec.restartPolicy"),
      [#"spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never""#]),
    Refused(
      "Job indexed", "/apis/batch/v1/namespaces/default/jobs",
      job.with("Indexed", "spec.completionMode").with(2, "spec.parallelism"),
      ["spec.completions: Required value: when completion mode is Indexed"]),
    Refused(
      "Job per index", "/apis/batch/v1/namespaces/default/jobs", job.with(1, "spec.backoffLimitPerIndex"),
      ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"]),
    Refused(
      "CronJob schedule", "/apis/batch/v1/namespaces/default/cronjobs", cron.with("* * * *", "spec.schedule"),
      [
        #"spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]"#
      ]),
    Refused(
      "CronJob minute", "/apis/batch/v1/namespaces/default/cronjobs", cron.with("61 * * * *", "spec.schedule"),
      [
        #"spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61"#
      ]),
    Refused(
      "CronJob name", "/apis/batch/v1/namespaces/default/cronjobs",
      cron.with(.string(String(repeating: "a", count: 53)), "metadata.name"),
      [
        "metadata.name: Invalid value: \"\(String(repeating: "a", count: 53))\": must be no more than 52 characters"
      ]),
    Refused(
      "Ingress empty", "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
      ["metadata": ["name": "i"], "spec": ["ingressClassName": "alb"]],
      [
        #"spec: Invalid value: {"ingressClassName":"alb"}: either `defaultBackend` or `rules` must be specified"#
      ]),
    Refused(
      "Ingress path", "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
      ingress.with(.null, "spec.rules.0.http.paths.0.pathType").with("x", "spec.rules.0.host"),
      ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"]),
    Refused(
      "Ingress backend", "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
      ingress.with(["service": ["name": "s"]], "spec.rules.0.http.paths.0.backend"),
      ["spec.rules[0].http.paths[0].backend.service: Required value: port name or number is required"]),
    Refused(
      "NetworkPolicy block", "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
      [
        "metadata": ["name": "n"],
        "spec": ["ingress": [["from": [["ipBlock": ["cidr": "10.0.0.0/16", "except": ["10.1.0.0/24"]]]]]]],
      ],
      [
        #"spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "10.1.0.0/24": must be a strict subset of `cidr`"#
      ]),
    Refused(
      "PVC size", "\(core)/persistentvolumeclaims", claim.with("0", "spec.resources.requests.storage"),
      [#"spec.resources[storage]: Invalid value: "0": must be greater than zero"#]),
    Refused(
      "PVC modes", "\(core)/persistentvolumeclaims",
      claim.with(["ReadWriteOncePod", "ReadWriteMany"], "spec.accessModes"),
      ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"]),
    Refused(
      "PV source", "/api/v1/persistentvolumes", volume.with(.null, "spec.hostPath"),
      ["spec: Required value: must specify a volume type"]),
    Refused(
      "PV local", "/api/v1/persistentvolumes",
      volume.with(.null, "spec.hostPath").with(["path": "/x"], "spec.local"),
      ["spec.nodeAffinity: Required value: Local volume requires node affinity"]),
    Refused(
      "StorageClass", "/apis/storage.k8s.io/v1/storageclasses", ["metadata": ["name": "s"]],
      ["provisioner: Required value"]),
    Refused(
      "PriorityClass", "/apis/scheduling.k8s.io/v1/priorityclasses",
      ["metadata": ["name": "p"], "value": 2_000_000_000],
      ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"]),
    Refused(
      "PodDisruptionBudget", "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
      ["metadata": ["name": "p"], "spec": ["minAvailable": 1, "maxUnavailable": 1]],
      [
        #"spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set"#
      ]),
    Refused(
      "HorizontalPodAutoscaler", "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
      scaler.with(5, "spec.minReplicas"),
      ["spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"]),
    Refused(
      "Role", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
      ["metadata": ["name": "r"], "rules": [["verbs": ["get"], "nonResourceURLs": ["/x"]]]],
      [
        #"rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs"#
      ]),
    Refused(
      "RoleBinding", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
      [
        "metadata": ["name": "r"], "roleRef": ["kind": "Role", "name": "x"],
        "subjects": [["kind": "Robot", "name": "a"]],
      ],
      [
        #"subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group""#
      ]),
    Refused(
      "LimitRange", "\(core)/limitranges",
      [
        "metadata": ["name": "l"],
        "spec": ["limits": [["type": "Container", "min": ["cpu": "2"], "max": ["cpu": "1"]]]],
      ],
      [
        #"spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1"#,
        #"spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1"#,
        #"spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1"#,
      ]),
    Refused(
      "ResourceQuota", "\(core)/resourcequotas",
      ["metadata": ["name": "q"], "spec": ["hard": ["cats": "1", "pods": "0.5"]]],
      [
        #"spec.hard[cats]: Invalid value: "cats": must be a standard resource type or fully qualified"#,
        #"spec.hard[cats]: Invalid value: "cats": must be a standard resource for quota"#,
        #"spec.hard[pods]: Invalid value: "500m": must be an integer"#,
      ]),
    Refused(
      "ResourceQuota scopes", "\(core)/resourcequotas",
      ["metadata": ["name": "q"], "spec": ["hard": ["pods": "1"], "scopes": ["Terminating", "NotTerminating"]]],
      [#"spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes"#]),
    Refused(
      "Webhook name", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
      hook.with("a.b", "webhooks.0.name"),
      [
        #"webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots"#
      ]),
    Refused(
      "Webhook side effects", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
      hook.with("Some", "webhooks.0.sideEffects"),
      [
        #"webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun""#
      ]),
    Refused(
      "Webhook client", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
      hook.with([:] as JSON, "webhooks.0.clientConfig"),
      ["webhooks[0].clientConfig: Required value: exactly one of url or service is required"]),
    Refused(
      "Node taints", "/api/v1/nodes",
      [
        "metadata": ["name": "n"],
        "spec": ["taints": [["key": "a", "effect": "NoSchedule"], ["key": "a", "effect": "NoSchedule"]]],
      ],
      [
        #"metadata.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule"}: taints must be unique by key and effect pair"#
      ]),
    Refused(
      "Lease", "/apis/coordination.k8s.io/v1/namespaces/default/leases",
      ["metadata": ["name": "l"], "spec": ["leaseDurationSeconds": 0]],
      ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"]),
    Refused(
      "IngressClass", "/apis/networking.k8s.io/v1/ingressclasses",
      ["metadata": ["name": "i"], "spec": ["controller": "alb"]],
      [
        #"spec.controller: Invalid value: "alb": must be a domain-prefixed path (such as "acme.io/foo")"#
      ]),
    Refused(
      "VolumeAttachment", "/apis/storage.k8s.io/v1/volumeattachments",
      ["metadata": ["name": "v"], "spec": ["attacher": "ebs.csi.aws.com", "nodeName": "n", "source": [:] as JSON]],
      [
        "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"
      ]),
    Refused(
      "FlowSchema", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
      [
        "metadata": ["name": "f"],
        "spec": ["matchingPrecedence": 20_000, "priorityLevelConfiguration": ["name": "global-default"]],
      ],
      ["spec.matchingPrecedence: Invalid value: 20000: must not be greater than 10000"]),
  ]

  @Test("of a new one every fault is told")
  func create() throws {
    let bench = try Bench()
    for refused in Self.cases {
      let reply = bench.send("POST", refused.path, refused.object)
      #expect(reply.status == 422, "\(refused.name): \(reply.text)")
      #expect(reply.causes == refused.causes, "\(refused.name)")
    }
  }

  /// What is made, what is changed in it, and what is said of that.
  static let updates: [(Refused, String, JSON)] = [
    (
      Refused(
        "Deployment selector", "\(apps)/deployments", workload,
        [
          #"spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`"#,
          #"spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable"#,
        ]), "spec.selector.matchLabels.app", "b"
    ),
    (
      Refused(
        "StatefulSet service", "\(apps)/statefulsets", workload,
        [
          "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        ]), "spec.serviceName", "x"
    ),
    (
      Refused(
        "Job template", "/apis/batch/v1/namespaces/default/jobs", job, []),
      "spec.template.spec.containers.0.image", "other"
    ),
    (
      Refused(
        "Job completions", "/apis/batch/v1/namespaces/default/jobs", job,
        ["spec.completions: Invalid value: 3: field is immutable"]), "spec.completions", 3
    ),
    (
      Refused(
        "PVC class", "\(core)/persistentvolumeclaims", claim.with("gp3", "spec.storageClassName"),
        [
          "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        ]), "spec.storageClassName", "gp2"
    ),
    (
      Refused(
        "PV source", "/api/v1/persistentvolumes", volume,
        [
          "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"
        ]), "spec.hostPath.path", "/y"
    ),
    (
      Refused(
        "Secret immutable", "\(core)/secrets",
        ["metadata": ["name": "s"], "data": ["a": "eA=="], "immutable": true],
        ["data: Forbidden: field is immutable when `immutable` is set"]), "data.a", "eQ=="
    ),
    (
      Refused(
        "Secret type", "\(core)/secrets", ["metadata": ["name": "s"]],
        [#"type: Invalid value: "other": field is immutable"#]), "type", "other"
    ),
    (
      Refused(
        "ConfigMap immutable", "\(core)/configmaps",
        ["metadata": ["name": "s"], "data": ["a": "1"], "immutable": true],
        ["immutable: Forbidden: field is immutable when `immutable` is set"]), "immutable", false
    ),
    (
      Refused(
        "Service address", "\(core)/services", service,
        [
          #"spec.clusterIPs[0]: Invalid value: ["10.100.9.9"]: may not change once set"#
        ]), "spec", ["clusterIP": "10.100.9.9", "clusterIPs": ["10.100.9.9"], "ports": [["port": 80]]]
    ),
    (
      Refused(
        "StorageClass", "/apis/storage.k8s.io/v1/storageclasses",
        ["metadata": ["name": "s"], "provisioner": "ebs.csi.aws.com", "parameters": ["type": "gp3"]],
        ["parameters: Forbidden: updates to parameters are forbidden."]), "parameters.type", "gp2"
    ),
    (
      Refused(
        "ClusterRoleBinding", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        ["metadata": ["name": "b"], "roleRef": ["kind": "ClusterRole", "name": "view"]],
        [
          #"roleRef: Invalid value: {"kind":"ClusterRole","name":"edit","apiGroup":"rbac.authorization.k8s.io"}: cannot change roleRef"#
        ]), "roleRef.name", "edit"
    ),
    (
      Refused(
        "PriorityClass", "/apis/scheduling.k8s.io/v1/priorityclasses", ["metadata": ["name": "p"], "value": 5],
        ["value: Forbidden: may not be changed in an update."]), "value", 6
    ),
    (
      Refused(
        "IngressClass", "/apis/networking.k8s.io/v1/ingressclasses",
        ["metadata": ["name": "i"], "spec": ["controller": "a.b/c"]],
        [#"spec.controller: Invalid value: "a.b/d": field is immutable"#]), "spec.controller", "a.b/d"
    ),
    (
      Refused(
        "CSIDriver", "/apis/storage.k8s.io/v1/csidrivers", ["metadata": ["name": "d.e"], "spec": [:] as JSON],
        ["spec.attachRequired: Invalid value: false: field is immutable"]), "spec.attachRequired", false
    ),
  ]

  @Test("of a change what may not be")
  func update() throws {
    let bench = try Bench()
    for (refused, place, value) in Self.updates {
      let made = bench.send("POST", refused.path, refused.object)
      #expect(made.status == 201, "\(refused.name): \(made.text)")
      let path = "\(refused.path)/\(made.body["metadata"]["name"].string ?? "")"
      let reply = bench.send("PUT", path, made.body.with(value, place))
      #expect(reply.status == 422, "\(refused.name): \(reply.text)")
      if !refused.causes.isEmpty { #expect(reply.causes == refused.causes, "\(refused.name)") }
      bench.send("DELETE", path)
    }
  }

  @Test("a status is checked on its own")
  func status() throws {
    let bench = try Bench()
    let made = bench.send("POST", "\(Self.apps)/deployments", Self.workload).body
    let path = "\(Self.apps)/deployments/w/status"
    let wrong = bench.send("PUT", path, made.with(["replicas": 1, "readyReplicas": 2], "status"))
    #expect(wrong.causes == ["status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"])
    let right = bench.send(
      "PUT", path, made.with(["replicas": 2, "readyReplicas": 2], "status").with(7, "spec.replicas"))
    #expect(right.body["status"]["readyReplicas"].int == 2)
    #expect(right.body["spec"]["replicas"].int == 1)
    let namespace = bench.send("GET", "/api/v1/namespaces/default").body
    let ended = bench.send("PUT", "/api/v1/namespaces/default/status", namespace.with("Terminating", "status.phase"))
    #expect(
      ended.causes == [
        #"status.Phase: Invalid value: "Terminating": may only be 'Active' if `deletionTimestamp` is empty"#
      ])
  }
}
