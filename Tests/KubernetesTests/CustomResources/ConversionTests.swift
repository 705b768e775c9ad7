import Kubernetes
import Testing
import Wire
import World

/// Objects of a definition with a webhook: v1 (kept) has `spec.size`, v2 says the same in `spec.dimension`.
@Suite("A conversion webhook")
struct ConversionTests {
  private let bench: Bench
  private let hook: Hook
  private static let v1 = Definitions.widgets
  private static let v2 = "/apis/example.com/v2/namespaces/default/widgets"

  init() throws {
    bench = try Bench()
    let spec: (String, JSON) -> JSON = { field, type in ["type": "object", "properties": [field: type]] }
    let definition = Definitions.definition(
      versions: [
        Definitions.version("v1", spec: spec("size", ["type": "integer"]), more: ["subresources": ["status": [:]]]),
        Definitions.version(
          "v2", spec: spec("dimension", ["type": "string", "maxLength": 3]), storage: false,
          more: ["subresources": ["status": [:]]]),
      ],
      more: [
        "conversion": [
          "strategy": "Webhook",
          "webhook": [
            "clientConfig": ["url": "https://localhost:9443/convert"], "conversionReviewVersions": ["v1"],
          ],
        ]
      ])
    let made = bench.send("POST", Definitions.path, definition)
    #expect(made.status == 201, "\(made.text)")
    #expect(made.headers["Warning"] == nil)
    hook = Hook(bench)
  }

  /// Converts, or does what it is told.
  private final class Hook {
    var reviews: [JSON] = []
    var urls: [String] = []
    var reply: OutboundReply?
    var spoil: (inout JSON) -> Void = { _ in }
    unowned let bench: Bench

    init(_ bench: Bench) {
      self.bench = bench
      bench.world.outbound.send = { [unowned self] ticket, call in
        let review = (try? JSON.parse(call.body)) ?? .null
        reviews.append(review)
        urls.append(call.url)
        bench.world.outbound.answer(ticket, reply ?? answer(review))
      }
    }

    private func answer(_ review: JSON) -> OutboundReply {
      let request = review["request"]
      let wanted = request["desiredAPIVersion"]
      let converted = request["objects"].items.map { object in
        var result = object
        result["apiVersion"] = wanted
        if wanted.string == "example.com/v2" {
          let size = result["spec"].remove("size")?.int ?? 0
          result["spec"]["dimension"] = .string("\(size)m")
        } else {
          let text = result["spec"].remove("dimension")?.string ?? "0m"
          result["spec"]["size"] = JSON(Int(text.dropLast()) ?? -1)
        }
        result["metadata"]["annotations"]["by"] = "hook"
        result["metadata"]["creationTimestamp"] = .null
        return result
      }
      var answer: JSON = [
        "apiVersion": review["apiVersion"], "kind": "ConversionReview",
        "response": [
          "uid": request["uid"], "result": ["status": "Success"], "convertedObjects": .array(converted),
        ],
      ]
      spoil(&answer)
      return .answer(status: 200, body: answer.bytes())
    }
  }

  private func make(_ name: String = "w", size: Int = 4) {
    let made = bench.call("POST", Self.v1, Definitions.widget(name, spec: ["size": .int(Int64(size))]))
    #expect(made.status == 201, "\(made.text)")
  }

  @Test("is asked for one object and for lists; metadata stays the server's")
  func reads() throws {
    make()
    #expect(hook.reviews.isEmpty)
    let shown = bench.call("GET", "\(Self.v2)/w")
    #expect(shown.status == 200, "\(shown.text)")
    #expect(shown.body["apiVersion"].string == "example.com/v2")
    #expect(shown.body["spec"].text() == #"{"dimension":"4m"}"#)
    #expect(shown.body["metadata"]["annotations"]["by"].string == "hook")
    #expect(shown.body["metadata"]["creationTimestamp"].string == "2026-11-22T12:00:00Z")
    let review = try #require(hook.reviews.first)
    #expect(hook.urls == ["https://localhost:9443/convert?timeout=30s"])
    #expect(review["apiVersion"].string == "apiextensions.k8s.io/v1")
    #expect(review["request"]["desiredAPIVersion"].string == "example.com/v2")
    #expect(review["request"]["objects"][0]["spec"]["size"].int == 4)
    make("x", size: 5)
    let list = bench.call("GET", Self.v2).body
    #expect(list["kind"].string == "WidgetList")
    #expect(list["apiVersion"].string == "example.com/v2")
    #expect(list["items"].items.map { $0["spec"]["dimension"].string } == ["4m", "5m"])
    #expect(hook.reviews.count == 2)
    #expect(bench.call("GET", "\(Self.v1)/w").body["spec"]["size"].int == 4)
    #expect(hook.reviews.count == 2)
  }

  @Test("is asked on writes; each version is judged by its own schema, and one is kept")
  func writes() throws {
    let made = bench.call("POST", Self.v2, Definitions.widget(spec: ["dimension": "7m"], version: "v2"))
    #expect(made.status == 201, "\(made.text)")
    #expect(made.body["apiVersion"].string == "example.com/v2")
    #expect(made.body["spec"]["dimension"].string == "7m")
    let kept = bench.call("GET", "\(Self.v1)/w").body
    #expect(kept["apiVersion"].string == "example.com/v1")
    #expect(kept["spec"].text() == #"{"size":7}"#)
    #expect(kept["metadata"]["uid"] == made.body["metadata"]["uid"])
    #expect(kept["metadata"]["resourceVersion"] == made.body["metadata"]["resourceVersion"])
    #expect(kept["metadata"]["managedFields"][0]["apiVersion"].string == "example.com/v2")
    #expect(kept["metadata"]["generation"].int == 1)
    let patched = bench.call(
      "PATCH", "\(Self.v2)/w", ["spec": ["dimension": "8m"]], type: "application/merge-patch+json")
    #expect(patched.body["spec"]["dimension"].string == "8m", "\(patched.text)")
    #expect(patched.body["metadata"]["generation"].int == 2)
    #expect(bench.call("GET", "\(Self.v1)/w").body["spec"]["size"].int == 8)
    let long = bench.call(
      "PATCH", "\(Self.v2)/w", ["spec": ["dimension": "8000m"]], type: "application/merge-patch+json")
    #expect(
      long.message == #"Widget.example.com "w" is invalid: spec.dimension: Too long: may not be more than 3 bytes"#)
    let status = bench.call(
      "PATCH", "\(Self.v2)/w/status", ["status": [:]], type: "application/merge-patch+json")
    #expect(status.status == 200, "\(status.text)")
    let gone = bench.call("DELETE", "\(Self.v2)/w")
    #expect(gone.status == 200, "\(gone.text)")
    #expect(bench.call("GET", "\(Self.v1)/w").status == 404)
  }

  @Test("is asked for server-side apply, and nothing is written where nothing changes")
  func apply() throws {
    func apply(_ dimension: String) -> Bench.Reply {
      bench.call(
        "PATCH", "\(Self.v2)/w?fieldManager=me",
        Definitions.widget(spec: ["dimension": .string(dimension)], version: "v2"), type: "application/apply-patch+yaml"
      )
    }
    let first = apply("1m")
    #expect(first.status == 201, "\(first.text)")
    let same = apply("1m")
    #expect(same.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"])
    let other = apply("2m")
    #expect(other.body["spec"]["dimension"].string == "2m", "\(other.text)")
    #expect(bench.call("GET", "\(Self.v1)/w").body["spec"]["size"].int == 2)
    let dry = bench.call(
      "PATCH", "\(Self.v2)/w?dryRun=All", ["spec": ["dimension": "9m"]], type: "application/merge-patch+json")
    #expect(dry.body["spec"]["dimension"].string == "9m")
    #expect(bench.call("GET", "\(Self.v1)/w").body["spec"]["size"].int == 2)
  }

  @Test("is asked for the events of a watch, which keep their order")
  func watch() throws {
    make()
    let stream = bench.start(
      "GET", "\(Self.v2)?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")
    bench.turn()
    make("x", size: 5)
    bench.turn()
    bench.call("DELETE", "\(Self.v1)/w")
    bench.turn()
    let events = stream.events
    #expect(events.map { $0["type"].string } == ["ADDED", "BOOKMARK", "ADDED", "DELETED"])
    #expect(events.map { $0["object"]["spec"]["dimension"].string } == ["4m", nil, "5m", "4m"])
    #expect(events.allSatisfy { $0["object"]["apiVersion"].string == "example.com/v2" })
    hook.reply = .failed("EOF")
    make("y")
    bench.turn()
    #expect(stream.events.last?["type"].string == "ERROR")
    #expect(stream.isEnded)
  }

  @Test(
    "that fails or talks nonsense is told in upstream's words",
    arguments: [
      (
        "down",
        #"conversion webhook for example.com/v1, Kind=Widget failed: Post "https://localhost:9443/convert?timeout=30s": dial tcp 127.0.0.1:9443: connect: connection refused"#
      ),
      ("refused", "conversion webhook for example.com/v1, Kind=Widget failed: no can do"),
      (
        "silent",
        "conversion webhook for example.com/v1, Kind=Widget failed: response.result.status was '', not 'Success'"
      ),
      ("short", "conversion webhook for example.com/v1, Kind=Widget returned 0 objects, expected 1"),
      (
        "version",
        "conversion webhook for example.com/v1, Kind=Widget returned invalid object at index 0: invalid groupVersion (expected example.com/v2, received example.com/v3)"
      ),
      (
        "kind",
        "conversion webhook for example.com/v1, Kind=Widget returned invalid object at index 0: invalid kind (expected Widget, received Gadget)"
      ),
      (
        "name",
        "conversion webhook for example.com/v1, Kind=Widget returned invalid object: must have the same name: w != v"
      ),
      (
        "labels",
        "conversion webhook for example.com/v1, Kind=Widget returned invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object"
      ),
      ("empty", "conversion webhook for example.com/v1, Kind=Widget failed: no response provided"),
    ])
  func failures(_ fault: String, _ text: String) throws {
    make()
    if fault == "down" { hook.reply = .failed("dial tcp 127.0.0.1:9443: connect: connection refused") }
    hook.spoil = { answer in
      switch fault {
      case "refused": answer["response"]["result"] = ["status": "Failure", "message": "no can do"]
      case "silent": answer["response"]["result"] = [:]
      case "short": answer["response"]["convertedObjects"] = []
      case "version": answer["response"]["convertedObjects"][0]["apiVersion"] = "example.com/v3"
      case "kind": answer["response"]["convertedObjects"][0]["kind"] = "Gadget"
      case "name": answer["response"]["convertedObjects"][0]["metadata"]["name"] = "v"
      case "labels": answer["response"]["convertedObjects"][0]["metadata"]["labels"] = ["a": 1]
      case "empty": answer["response"] = .null
      default: break
      }
    }
    for path in ["\(Self.v2)/w", Self.v2] {
      let shown = bench.call("GET", path)
      #expect(shown.status == 500)
      #expect(shown.message == text)
      #expect(shown.body["reason"].isNull)
    }
    let before = bench.call("GET", "\(Self.v1)/w").body
    #expect(bench.call("PATCH", "\(Self.v2)/w", ["spec": [:]], type: "application/merge-patch+json").message == text)
    #expect(bench.call("DELETE", "\(Self.v2)/w").message == text)
    #expect(bench.call("GET", "\(Self.v1)/w").body == before)
  }

  @Test("behind a Service that is not there fails as a call does")
  func service() throws {
    make()
    let changed = bench.send(
      "PATCH", "\(Definitions.path)/widgets.example.com",
      [
        [
          "op": "replace", "path": "/spec/conversion/webhook/clientConfig",
          "value": ["service": ["namespace": "shop", "name": "hook", "path": "/c"]],
        ]
      ], type: "application/json-patch+json")
    #expect(changed.status == 200, "\(changed.text)")
    #expect(
      bench.call("GET", "\(Self.v2)/w").message
        == #"conversion webhook for example.com/v1, Kind=Widget failed: Post "https://hook.shop.svc:443/c?timeout=30s": service "hook" not found"#
    )
  }

  @Test("goes with what is kept in a version of before, until it is written again")
  func migration() throws {
    make()
    bench.send(
      "PATCH", "\(Definitions.path)/widgets.example.com",
      [
        ["op": "replace", "path": "/spec/versions/0/storage", "value": false],
        ["op": "replace", "path": "/spec/versions/1/storage", "value": true],
      ], type: "application/json-patch+json")
    let shown = bench.call("GET", "\(Self.v2)/w").body
    #expect(shown["spec"]["dimension"].string == "4m")
    let asked = hook.reviews.count
    let written = bench.call("PUT", "\(Self.v2)/w", shown)
    #expect(written.status == 200, "\(written.text)")
    #expect(written.body["metadata"]["resourceVersion"] != shown["metadata"]["resourceVersion"])
    #expect(hook.reviews.count > asked)
    let settled = hook.reviews.count
    #expect(bench.call("GET", "\(Self.v2)/w").body["spec"]["dimension"].string == "4m")
    #expect(hook.reviews.count == settled)
  }
}
