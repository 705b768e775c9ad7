import Testing
import Wire

@Suite struct TableTests {
  static let now = Timestamp(rfc3339: "2026-11-22T12:00:00Z")!
  static let table = ResourceTable.for(KubernetesVersion(minor: 36))

  private func table(_ plural: String, _ group: String = "") throws -> KubeTable {
    KubeTable(try #require(Self.table.preferred(group: group, plural: plural)))
  }

  private func row(_ plural: String, _ group: String = "", _ text: String) throws -> [String] {
    try table(plural, group).cells(JSON.parse(text), now: Self.now).map { $0.string ?? $0.text() }
  }

  @Test(
    "ages",
    arguments: [
      (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (599, "9m59s"), (600, "10m"),
      (10_799, "179m"), (10_800, "3h"), (10_860, "3h1m"), (28_800, "8h"), (172_799, "47h"), (172_800, "2d"),
      (176_400, "2d1h"), (691_200, "8d"), (63_071_999, "729d"), (63_072_000, "2y"), (63_158_400, "2y1d"),
      (315_360_000, "10y"),
    ])
  func ages(_ seconds: Int, _ text: String) { #expect(HumanDuration.text(.seconds(seconds)) == text) }

  static let pods: [(String, String, String, String)] = [
    (#"{"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Pending"}}"#, "0/1", "Pending", "0"),
    (
      #"{"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running","containerStatuses":[{"ready":true,"restartCount":2,"state":{"running":{}},"lastState":{"terminated":{"finishedAt":"2026-11-22T11:59:00Z"}}}]}}"#,
      "1/1", "Running", "2 (60s ago)"
    ),
    (
      #"{"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running","containerStatuses":[{"restartCount":3,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}}"#,
      "0/1", "CrashLoopBackOff", "3"
    ),
    (
      #"{"spec":{"initContainers":[{"name":"i"},{"name":"j"}],"containers":[{"name":"a"}]},"status":{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0}}},{"name":"j","state":{"running":{}}}]}}"#,
      "0/1", "Init:1/2", "0"
    ),
    (
      #"{"spec":{"initContainers":[{"name":"i"}],"containers":[{"name":"a"}]},"status":{"phase":"Pending","initContainerStatuses":[{"name":"i","restartCount":1,"state":{"terminated":{"exitCode":3}}}]}}"#,
      "0/1", "Init:ExitCode:3", "1"
    ),
    (
      #"{"spec":{"initContainers":[{"name":"s","restartPolicy":"Always"}],"containers":[{"name":"a"}]},"status":{"phase":"Running","initContainerStatuses":[{"name":"s","started":true,"ready":true,"restartCount":1,"state":{"running":{}}}],"containerStatuses":[{"ready":true,"state":{"running":{}}}]}}"#,
      "2/2", "Running", "1"
    ),
    (
      #"{"spec":{"containers":[{"name":"a"},{"name":"b"}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"False"}],"containerStatuses":[{"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"ready":true,"state":{"running":{}}}]}}"#,
      "1/2", "NotReady", "0"
    ),
    (
      #"{"metadata":{"deletionTimestamp":"2026-11-22T11:59:00Z"},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running"}}"#,
      "0/1", "Terminating", "0"
    ),
    (
      #"{"metadata":{"deletionTimestamp":"2026-11-22T11:59:00Z"},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running","reason":"NodeLost"}}"#,
      "0/1", "Unknown", "0"
    ),
    (#"{"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Failed","reason":"Evicted"}}"#, "0/1", "Evicted", "0"),
    (
      #"{"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]}}"#,
      "0/1", "SchedulingGated", "0"
    ),
    (
      #"{"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"exitCode":137,"signal":9}}}]}}"#,
      "0/1", "Signal:9", "0"
    ),
  ]

  @Test("pods", arguments: pods.indices)
  func podCells(_ index: Int) throws {
    let (text, ready, status, restarts) = Self.pods[index]
    let pod = PodCells(try JSON.parse(text))
    #expect(pod.ready == ready && pod.status == status && pod.restartsText(now: Self.now) == restarts)
  }

  static let others: [(String, String, String, [String])] = [
    (
      "nodes", "",
      #"{"metadata":{"name":"n","creationTimestamp":"2026-11-22T11:58:00Z","labels":{"node-role.kubernetes.io/worker":""}},"spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"Unknown"}],"nodeInfo":{"kubeletVersion":"v1.33.1","osImage":"AL","kernelVersion":"6.1","containerRuntimeVersion":"containerd://1.7"},"addresses":[{"type":"InternalIP","address":"10.0.0.1"}]}}"#,
      [
        "n", "NotReady,SchedulingDisabled", "worker", "2m", "v1.33.1", "10.0.0.1", "<none>", "AL", "6.1",
        "containerd://1.7",
      ]
    ),
    (
      "services", "",
      #"{"metadata":{"name":"s"},"spec":{"type":"LoadBalancer","clusterIPs":["10.1.0.1"],"ports":[{"port":80,"nodePort":30080,"protocol":"TCP"}],"selector":{"b":"2","a":"1"}},"status":{"loadBalancer":{}}}"#,
      ["s", "LoadBalancer", "10.1.0.1", "<pending>", "80:30080/TCP", "<unknown>", "a=1,b=2"]
    ),
    (
      "deployments", "apps",
      #"{"metadata":{"name":"d","creationTimestamp":"2026-11-22T09:00:00Z"},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"d"}},"template":{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}}},"status":{"readyReplicas":1,"updatedReplicas":2,"availableReplicas":1}}"#,
      ["d", "1/3", "2", "1", "3h", "a,b", "x,y", "app=d"]
    ),
    (
      "jobs", "batch",
      #"{"metadata":{"name":"j"},"spec":{"completions":1},"status":{"succeeded":1,"startTime":"2026-11-22T11:00:00Z","completionTime":"2026-11-22T11:00:05Z","conditions":[{"type":"Complete","status":"True"}]}}"#,
      ["j", "Complete", "1/1", "5s", "<unknown>", "", "", "<none>"]
    ),
    (
      "events", "",
      #"{"metadata":{"name":"e"},"type":"Warning","reason":"Failed","involvedObject":{"kind":"Pod","name":"p"},"message":"no\n","lastTimestamp":"2026-11-22T11:59:30Z","firstTimestamp":"2026-11-22T11:59:00Z","count":4,"source":{"component":"kubelet","host":"n"}}"#,
      ["30s", "Warning", "Failed", "pod/p", "", "kubelet, n", "no", "60s", "4", "e"]
    ),
    (
      "horizontalpodautoscalers", "autoscaling",
      #"{"metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"d"},"minReplicas":1,"maxReplicas":5,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":50}}}]},"status":{"currentReplicas":2}}"#,
      ["h", "Deployment/d", "cpu: <unknown>/50%", "1", "5", "2", "<unknown>"]
    ),
    (
      "endpoints", "",
      #"{"metadata":{"name":"e"},"subsets":[{"addresses":[{"ip":"1.1.1.1"},{"ip":"1.1.1.2"},{"ip":"1.1.1.3"},{"ip":"1.1.1.4"}],"ports":[{"port":80}]}]}"#,
      ["e", "1.1.1.1:80,1.1.1.2:80,1.1.1.3:80 + 1 more...", "<unknown>"]
    ),
    (
      "persistentvolumeclaims", "",
      #"{"metadata":{"name":"c"},"spec":{"volumeName":"v","storageClassName":"gp3","volumeMode":"Filesystem"},"status":{"phase":"Bound","capacity":{"storage":"8Gi"},"accessModes":["ReadWriteOnce"]}}"#,
      ["c", "Bound", "v", "8Gi", "RWO", "gp3", "<unset>", "<unknown>", "Filesystem"]
    ),
    (
      "limitranges", "", #"{"metadata":{"name":"l","creationTimestamp":"2026-11-22T09:00:00Z"}}"#,
      ["l", "2026-11-22T09:00:00Z"]
    ),
    (
      "apiservices", "apiregistration.k8s.io",
      #"{"metadata":{"name":"v1beta1.x"},"spec":{"service":{"namespace":"a","name":"b"}},"status":{"conditions":[{"type":"Available","status":"False","reason":"MissingEndpoints"}]}}"#,
      ["v1beta1.x", "a/b", "False (MissingEndpoints)", "<unknown>"]
    ),
  ]

  @Test("rows", arguments: others.indices)
  func rows(_ index: Int) throws {
    let (plural, group, text, cells) = Self.others[index]
    #expect(try row(plural, group, text) == cells)
  }

  @Test func everyRowHasItsColumns() throws {
    for resource in Self.table.resources {
      let table = KubeTable(resource)
      #expect(
        table.cells(["metadata": ["name": "a"]], now: Self.now).count == table.columns.count, "\(resource.plural)")
    }
  }

  @Test func namespacesAsRecorded() throws {
    let wanted = try golden("table-ns")
    let now = try #require(Timestamp(rfc3339: "2026-11-22T20:55:52Z"))
    let objects = wanted["rows"].items.map { row -> JSON in
      ["metadata": row["object"]["metadata"], "status": ["phase": row["cells"][1]]]
    }
    let table = try table("namespaces").json(objects, now: now, metadata: wanted["metadata"])
    #expect(table["rows"] == wanted["rows"])
    #expect(table["columnDefinitions"].items.map { $0["name"] } == wanted["columnDefinitions"].items.map { $0["name"] })
    #expect(
      table["columnDefinitions"].items.map { $0["format"] } == wanted["columnDefinitions"].items.map { $0["format"] })
  }

  @Test func customColumns() throws {
    let resource = KubeResource(
      group: "x.io", version: "v1", plural: "widgets", singular: "widget", kind: "Widget", namespaced: true)
    let columns = try JSON.parse(
      #"[{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"},{"name":"Size","type":"integer","jsonPath":".spec.size"},{"name":"When","type":"date","jsonPath":".status.at"},{"name":"Label","type":"string","jsonPath":".metadata.labels['a\\.b/c']","priority":1},{"name":"First","type":"string","jsonPath":".spec.list[0]"}]"#
    )
    let table = KubeTable(custom: resource, additionalPrinterColumns: columns)
    let object = try JSON.parse(
      #"{"metadata":{"name":"w","labels":{"a.b/c":"d"}},"spec":{"size":3,"list":[{"k":1}]},"status":{"at":"2026-11-22T11:59:00Z","conditions":[{"type":"A","status":"x"},{"type":"Ready","status":"True"}]}}"#
    )
    #expect(table.cells(object, now: Self.now) == ["w", "True", 3, "60s", "d", #"{"k":1}"#])
    #expect(table.cells(["metadata": ["name": "w"]], now: Self.now) == ["w", .null, .null, .null, .null, .null])
    let plain = KubeTable(custom: resource, additionalPrinterColumns: .null)
    #expect(plain.columns.map(\.name) == ["Name", "Age"])
  }

  @Test func pathsNeverCrash() {
    var mutations = Mutations(seed: 9)
    let object: JSON = ["a": [["b": 1], ["b": "x"]]]
    for _ in 0..<3000 {
      let text = String(decoding: mutations.spoil(Array(#"{.a[?(@.b=="x")].b['c']..d[*][-1]}"#.utf8)), as: UTF8.self)
      _ = JSONPath(text)?.values(in: object)
    }
  }
}
