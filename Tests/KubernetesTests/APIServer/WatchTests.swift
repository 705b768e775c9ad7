import Kubernetes
import Testing
import Wire
import World

@Suite("A watch")
struct WatchTests {
  private let path = "/api/v1/namespaces/default/configmaps"

  @Test("shows what is there, then what happens, and ends when its time is over")
  func stream() throws {
    let bench = try Bench()
    bench.send("POST", path, ["metadata": ["name": "a"]])
    let watch = bench.stream("\(path)?watch=1&timeoutSeconds=90&allowWatchBookmarks=true")
    #expect(watch.events.map { $0["type"].string } == ["ADDED", "ADDED"])
    bench.send("POST", path, ["metadata": ["name": "b"]])
    bench.send("PATCH", "\(path)/b", ["data": ["k": "v"]], type: "application/merge-patch+json")
    bench.send("DELETE", "\(path)/b")
    #expect(watch.events.map { $0["type"].string } == ["ADDED", "ADDED", "ADDED", "MODIFIED", "DELETED"])
    #expect(watch.events.last?["object"]["data"]["k"].string == "v")
    _ = bench.world.runEvents(until: Bench.start + .seconds(60), limit: 10)
    bench.world.commit()
    #expect(watch.events.last?["type"].string == "BOOKMARK")
    #expect(!watch.isEnded)
    _ = bench.world.runEvents(until: Bench.start + .seconds(120), limit: 10)
    bench.world.commit()
    #expect(watch.isEnded)
  }

  @Test("goes on from a revision without a gap")
  func resume() throws {
    let bench = try Bench()
    let list = bench.send("GET", path).body["metadata"]["resourceVersion"].string!
    bench.send("POST", path, ["metadata": ["name": "a"]])
    bench.send("POST", path, ["metadata": ["name": "b"]])
    let watch = bench.stream("\(path)?watch=1&resourceVersion=\(list)")
    #expect(watch.events.map { $0["object"]["metadata"]["name"].string } == ["a", "b"])
  }

  @Test("of a selection sees objects come and go")
  func selection() throws {
    let bench = try Bench()
    bench.send("POST", path, ["metadata": ["name": "a", "labels": ["on": "no"]]])
    let watch = bench.stream(
      "\(path)?watch=1&labelSelector=on%3Dyes&resourceVersion=\(bench.send("GET", path).body["metadata"]["resourceVersion"].string!)"
    )
    bench.send("PATCH", "\(path)/a", ["metadata": ["labels": ["on": "yes"]]], type: "application/merge-patch+json")
    bench.send("PATCH", "\(path)/a", ["metadata": ["labels": ["on": "no"]]], type: "application/merge-patch+json")
    #expect(watch.events.map { $0["type"].string } == ["ADDED", "DELETED"])
    #expect(watch.events.last?["object"]["metadata"]["labels"]["on"].string == "yes")
  }

  @Test("can stream its list, with a bookmark at its end")
  func watchList() throws {
    let bench = try Bench()
    let watch = bench.stream(
      "\(path)?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")
    #expect(watch.events.map { $0["type"].string } == ["ADDED", "BOOKMARK"])
    #expect(watch.events.last?["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"].string == "true")
    let refused = bench.send("GET", "\(path)?watch=1&sendInitialEvents=true")
    #expect(refused.status == 422)
  }

  @Test("as a Table has rows")
  func table() throws {
    let bench = try Bench()
    let watch = bench.stream("\(path)?watch=1", accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
    #expect(watch.events.first?["object"]["kind"].string == "Table")
    #expect(watch.events.first?["object"]["rows"][0]["cells"][0].string == "kube-root-ca.crt")
  }

  private struct Watcher: Component {
    static let kind = "watcher"
    var seen: [ObjectReference] = []
    mutating func step(_ input: Input, _ context: Context) {
      if case .changed(let reference) = input { seen.append(reference) }
    }
  }

  @Test("of a component is told of everything once, and survives a restart")
  func component() throws {
    let bench = try Bench()
    bench.world.know(Watcher.self)
    bench.world.spawn("watcher/1", Watcher())
    let denied = bench.storey.watch(
      cluster: "demo", resources: ["secrets"],
      credential: .certificate(CertificateSubject(commonName: "nobody")), component: "watcher/1")
    #expect(denied.status == 403)
    #expect(
      denied.message
        == "secrets is forbidden: User \"nobody\" cannot list resource \"secrets\" in API group \"\" at the cluster scope"
    )
    let reply = bench.storey.watch(
      cluster: "demo", resources: ["configmaps"], credential: Bench.admin, component: "watcher/1")
    #expect(reply.isSuccess)
    _ = bench.world.runEvents(until: Bench.start, limit: 100)
    let first = bench.world.state(of: "watcher/1", as: Watcher.self)!.seen.count
    #expect(first == 5)
    bench.world.commit()
    let later = try Bench(bench.store, restoring: { $0.know(Watcher.self) })
    later.send("POST", path, ["metadata": ["name": "a"]])
    _ = later.world.runEvents(until: Bench.start, limit: 100)
    #expect(later.world.state(of: "watcher/1", as: Watcher.self)!.seen.last?.name == "a")
  }
}

@Suite("A list")
struct ListTests {
  private let path = "/api/v1/namespaces/default/configmaps"

  private func names(_ reply: Bench.Reply) -> [String] {
    reply.body["items"].items.compactMap { $0["metadata"]["name"].string }
  }

  @Test("should return chunks of results for list calls, all of one revision, whatever is written meanwhile")
  func chunks() throws {
    let bench = try Bench()
    for name in ["a", "b", "c", "d"] { bench.send("POST", path, ["metadata": ["name": .string(name)]]) }
    let first = bench.send("GET", "\(path)?limit=2")
    #expect(names(first) == ["a", "b"])
    #expect(first.body["metadata"]["remainingItemCount"].int == 3)
    let token = first.body["metadata"]["continue"].string!
    bench.send("DELETE", "\(path)/c")
    bench.send("PATCH", "\(path)/d", ["data": ["k": "v"]], type: "application/merge-patch+json")
    bench.send("POST", path, ["metadata": ["name": "bb"]])
    let second = bench.send("GET", "\(path)?limit=2&continue=\(token)")
    #expect(names(second) == ["c", "d"])
    #expect(second.body["items"][1]["data"].isNull)
    #expect(second.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"])

    // More changes than are kept: the list can't go on as it began, but with the present.
    for number in 0...1000 {
      bench.send("PATCH", "\(path)/a", ["data": ["n": .string("\(number)")]], type: "application/merge-patch+json")
    }
    let expired = bench.send("GET", "\(path)?limit=2&continue=\(token)")
    #expect(expired.status == 410)
    #expect(expired.body["reason"].string == "Expired")
    #expect(expired.message.hasPrefix("The provided continue parameter is too old"))
    let fresh = try #require(expired.body["metadata"]["continue"].string)
    let rest = bench.send("GET", "\(path)?limit=2&continue=\(fresh)")
    #expect(names(rest) == ["bb", "d"])
    #expect(rest.body["items"][1]["data"]["k"].string == "v")
  }

  @Test("takes only parameters that go together")
  func parameters() throws {
    let bench = try Bench()
    for (query, words) in [
      ("resourceVersionMatch=Exact", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
      (
        "resourceVersionMatch=Exact&resourceVersion=0",
        "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""
      ),
      ("resourceVersionMatch=Some&resourceVersion=1", "Unsupported value: \"Some\""),
      ("sendInitialEvents=true", "sendInitialEvents is forbidden for list"),
      (
        "watch=1&resourceVersionMatch=NotOlderThan",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
      ),
    ] {
      let reply = bench.send("GET", "\(path)?\(query)")
      #expect(reply.status == 422)
      #expect(reply.message.hasPrefix("ListOptions.meta.k8s.io \"\" is invalid: ") && reply.message.contains(words))
    }
  }

  @Test("at an exact revision shows what was there then")
  func exact() throws {
    let bench = try Bench()
    bench.send("POST", path, ["metadata": ["name": "a"]])
    let then = bench.send("GET", path).body["metadata"]["resourceVersion"].string!
    bench.send("DELETE", "\(path)/a")
    let now = bench.send("GET", path)
    let past = bench.send("GET", "\(path)?resourceVersion=\(then)&resourceVersionMatch=Exact")
    #expect(names(past).contains("a") && !names(now).contains("a"))
    #expect(past.body["metadata"]["resourceVersion"].string == then)
  }
}

@Suite("API priority and fairness")
struct FlowTests {
  @Test("tells every request its flow, the first schema by precedence that is of it")
  func flows() throws {
    let bench = try Bench()
    func uid(_ resource: String, _ name: String) -> String? {
      bench.send("GET", "/apis/flowcontrol.apiserver.k8s.io/v1/\(resource)/\(name)").body["metadata"]["uid"].string
    }
    let admin = bench.send("GET", "/api/v1/nodes")
    #expect(admin.headers["X-Kubernetes-Pf-Flowschema-Uid"] == uid("flowschemas", "exempt"))
    #expect(admin.headers["X-Kubernetes-Pf-Prioritylevel-Uid"] == uid("prioritylevelconfigurations", "exempt"))
    let jane = KubeRequest.Credential.certificate(CertificateSubject(commonName: "jane", organizations: []))
    #expect(
      bench.send("GET", "/api/v1/nodes", as: jane).headers["X-Kubernetes-Pf-Flowschema-Uid"]
        == uid("flowschemas", "global-default"))
    bench.send(
      "POST", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
      [
        "metadata": ["name": "jane"],
        "spec": [
          "matchingPrecedence": 9000, "priorityLevelConfiguration": ["name": "workload-low"],
          "rules": [
            [
              "subjects": [["kind": "User", "user": ["name": "jane"]]],
              "resourceRules": [
                [
                  "verbs": ["list"], "apiGroups": [""], "resources": ["nodes"], "clusterScope": true,
                ]
              ],
            ]
          ],
        ],
      ])
    #expect(
      bench.send("GET", "/api/v1/nodes", as: jane).headers["X-Kubernetes-Pf-Flowschema-Uid"]
        == uid("flowschemas", "jane"))
    #expect(
      bench.send("GET", "/api/v1/nodes", as: KubeRequest.Credential.none).headers["X-Kubernetes-Pf-Flowschema-Uid"]
        == nil)
  }
}
