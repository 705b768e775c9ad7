import Kubernetes
import Testing
import Wire
import World

@Suite("Admission webhooks")
struct WebhookTests {
  private let maps = "/api/v1/namespaces/default/configmaps"

  /// Answers the calls of a bench as a webhook would, at once or when told.
  private final class Hook {
    var asked: [(call: OutboundCall, review: JSON)] = []
    var held: [String] = []
    var isHolding = false
    unowned let bench: Bench
    let answer: (JSON) -> JSON

    init(_ bench: Bench, _ answer: @escaping (_ request: JSON) -> JSON) {
      self.bench = bench
      self.answer = answer
      bench.world.outbound.send = { [self] ticket, call in
        asked.append((call, (try? JSON.parse(call.body)) ?? .null))
        if isHolding { held.append(ticket) } else { reply(ticket, asked.count - 1) }
      }
    }

    func reply(_ ticket: String, _ index: Int) {
      let request = asked[index].review["request"]
      var response = answer(request)
      if response["status"].isNull, response["allowed"].isNull { response["allowed"] = true }
      response["uid"] = request["uid"]
      let review: JSON = [
        "kind": "AdmissionReview", "apiVersion": asked[index].review["apiVersion"], "response": response,
      ]
      bench.world.outbound.answer(ticket, .answer(status: 200, body: review.bytes()))
    }
  }

  static func configuration(
    _ kind: String, _ name: String = "hooks", _ webhooks: [JSON]
  ) -> JSON {
    [
      "apiVersion": "admissionregistration.k8s.io/v1", "kind": .string("\(kind)WebhookConfiguration"),
      "metadata": ["name": .string(name)], "webhooks": .array(webhooks),
    ]
  }

  static func webhook(_ name: String, _ more: (inout JSON) -> Void = { _ in }) -> JSON {
    var webhook: JSON = [
      "name": .string(name), "clientConfig": ["url": "https://localhost:9443/\(name)"],
      "rules": [
        ["operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]]
      ], "sideEffects": "None", "admissionReviewVersions": ["v1"],
    ]
    more(&webhook)
    return webhook
  }

  @discardableResult
  private func configure(_ bench: Bench, _ kind: String, _ name: String = "hooks", _ webhooks: JSON...) -> Bench.Reply {
    bench.send(
      "POST",
      "/apis/admissionregistration.k8s.io/v1/\(kind.lowercased())webhookconfigurations",
      Self.configuration(kind, name, webhooks))
  }

  private static func patch(_ operations: JSON) -> JSON {
    ["patchType": "JSONPatch", "patch": .string(Base64.encode(operations.bytes()))]
  }

  @Test("are asked in an AdmissionReview with all that upstream tells them")
  func review() throws {
    let bench = try Bench()
    configure(bench, "Validating", "hooks", Self.webhook("v.example.com"))
    let hook = Hook(bench) { _ in [:] }
    let made = bench.call(
      "POST", "\(maps)?fieldManager=me&fieldValidation=Strict", ["metadata": ["name": "a"], "data": ["k": "v"]])
    #expect(made.status == 201)
    let asked = try #require(hook.asked.first)
    #expect(asked.call.url == "https://localhost:9443/v.example.com?timeout=10s")
    #expect(asked.review["apiVersion"].string == "admission.k8s.io/v1")
    let request = asked.review["request"]
    #expect(request["kind"].text() == #"{"group":"","version":"v1","kind":"ConfigMap"}"#)
    #expect(request["resource"].text() == #"{"group":"","version":"v1","resource":"configmaps"}"#)
    #expect(request["requestKind"] == request["kind"])
    #expect(request["name"].string == "a")
    #expect(request["namespace"].string == "default")
    #expect(request["operation"].string == "CREATE")
    #expect(request["userInfo"]["groups"].strings == ["system:masters", "system:authenticated"])
    #expect(request["object"]["metadata"]["uid"] == made.body["metadata"]["uid"])
    #expect(request["oldObject"].isNull)
    #expect(request["dryRun"].bool == false)
    #expect(
      request["options"].text()
        == #"{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1","fieldManager":"me","fieldValidation":"Strict"}"#)
    bench.call("PATCH", "\(maps)/a", ["data": ["k": "w"]], type: "application/merge-patch+json")
    #expect(hook.asked.last?.review["request"]["operation"].string == "UPDATE")
    #expect(hook.asked.last?.review["request"]["oldObject"]["data"]["k"].string == "v")
    bench.call("DELETE", "\(maps)/a")
    #expect(hook.asked.last?.review["request"]["operation"].string == "DELETE")
    #expect(hook.asked.last?.review["request"]["object"].isNull == true)
    #expect(hook.asked.last?.review["request"]["oldObject"]["data"]["k"].string == "w")
    #expect(hook.asked.count == 3)
  }

  @Test("deny in upstream's words, with their own code, and warn")
  func denial() throws {
    let bench = try Bench()
    configure(bench, "Validating", "hooks", Self.webhook("deny.example.com"))
    _ = Hook(bench) { request in
      switch request["name"].string {
      case "plain": ["allowed": false]
      case "told": ["allowed": false, "status": ["message": "no such thing", "code": 403, "reason": "Forbidden"]]
      case "reason": ["allowed": false, "status": ["reason": "Quota"]]
      default: ["allowed": true, "warnings": ["this will not last"], "auditAnnotations": ["seen": "yes"]]
      }
    }
    let plain = bench.call("POST", maps, ["metadata": ["name": "plain"]])
    #expect(plain.status == 400)
    #expect(plain.message == "admission webhook \"deny.example.com\" denied the request without explanation")
    let told = bench.call("POST", maps, ["metadata": ["name": "told"]])
    #expect(told.status == 403)
    #expect(told.body["reason"].string == "Forbidden")
    #expect(told.message == "admission webhook \"deny.example.com\" denied the request: no such thing")
    #expect(
      bench.call("POST", maps, ["metadata": ["name": "reason"]]).message
        == "admission webhook \"deny.example.com\" denied the request: Quota")
    let allowed = bench.call("POST", maps, ["metadata": ["name": "fine"]])
    #expect(allowed.status == 201)
    #expect(allowed.headers.all("Warning") == ["299 - \"this will not last\""])
    #expect(bench.audit.last?["annotations"]["deny.example.com/seen"].string == "yes")
    #expect(bench.send("GET", "\(maps)/told").status == 404)
  }

  @Test("change objects one after the other, and are asked again when they say so")
  func mutation() throws {
    let bench = try Bench()
    configure(
      bench, "Mutating", "hooks",
      Self.webhook("first.example.com") { $0["reinvocationPolicy"] = "IfNeeded" },
      Self.webhook("second.example.com"))
    var urls: [String] = []
    let hook = Hook(bench) { request in
      let isFirst = request["object"]["data"]["second"].isNull
      guard request["object"]["data"]["first"].isNull else {
        return isFirst ? Self.patch([["op": "add", "path": "/data/second", "value": "2"]]) : [:]
      }
      return Self.patch([["op": "add", "path": "/data", "value": ["first": "1"]]])
    }
    let made = bench.call("POST", maps, ["metadata": ["generateName": "g-"]])
    #expect(made.status == 201)
    #expect(made.body["data"]["first"].string == "1")
    #expect(made.body["data"]["second"].string == "2")
    urls = hook.asked.map { String($0.call.url.split(separator: "/").last!.prefix { $0 != "." }) }
    #expect(urls == ["first", "second", "first"])
    #expect(
      bench.audit.last?["annotations"]["mutation.webhook.admission.k8s.io/round_0_index_1"].string
        == #"{"configuration":"hooks","webhook":"second.example.com","mutated":true}"#)
    #expect(
      bench.audit.last?["annotations"]["patch.webhook.admission.k8s.io/round_0_index_0"].string
        == #"{"configuration":"hooks","webhook":"first.example.com","patch":[{"op":"add","path":"/data","value":{"first":"1"}}],"patchType":"JSONPatch"}"#
    )
  }

  @Test("that cannot be asked fail the request, or not, by their policy")
  func failure() throws {
    let bench = try Bench()
    configure(bench, "Validating", "hooks", Self.webhook("down.example.com") { $0["timeoutSeconds"] = 5 })
    bench.world.outbound.send = { [unowned bench] ticket, _ in
      bench.world.outbound.answer(ticket, .failed("dial tcp 127.0.0.1:9443: connect: connection refused"))
    }
    let refused = bench.call("POST", maps, ["metadata": ["name": "a"]])
    #expect(refused.status == 500)
    #expect(
      refused.message
        == "Internal error occurred: failed calling webhook \"down.example.com\": failed to call webhook: Post "
        + "\"https://localhost:9443/down.example.com?timeout=5s\": dial tcp 127.0.0.1:9443: connect: connection refused"
    )
    bench.send(
      "PATCH", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hooks",
      [["op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"]], type: "application/json-patch+json")
    #expect(bench.call("POST", maps, ["metadata": ["name": "a"]]).status == 201)
    #expect(
      bench.audit.last?["annotations"]["failed-open.validating.webhook.admission.k8s.io/round_0_index_0"].string
        == "down.example.com")
  }

  @Test("at a Service without endpoints fail as on EKS")
  func service() throws {
    let bench = try Bench()
    configure(
      bench, "Mutating", "hooks",
      Self.webhook("svc.example.com") {
        $0["clientConfig"] = ["service": ["name": "hook", "namespace": "kube-system", "path": "/mutate"]]
      })
    let missing = bench.call("POST", maps, ["metadata": ["name": "a"]])
    #expect(missing.message.hasSuffix("svc:443/mutate?timeout=10s\": service \"hook\" not found"))
    bench.send(
      "POST", "/api/v1/namespaces/kube-system/services",
      ["metadata": ["name": "hook"], "spec": ["selector": ["app": "hook"], "ports": [["port": 443]]]])
    #expect(
      bench.call("POST", maps, ["metadata": ["name": "a"]]).message
        == "Internal error occurred: failed calling webhook \"svc.example.com\": failed to call webhook: Post "
        + "\"https://hook.kube-system.svc:443/mutate?timeout=10s\": no endpoints available for service \"hook\"")
  }

  @Test("are chosen by rules and selectors, and not for their own configurations")
  func selection() throws {
    let bench = try Bench()
    configure(
      bench, "Validating", "hooks",
      Self.webhook("all.example.com") {
        $0["rules"] = [["operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]]]
        $0["namespaceSelector"] = ["matchLabels": ["kubernetes.io/metadata.name": "default"]]
      },
      Self.webhook("labelled.example.com") { $0["objectSelector"] = ["matchLabels": ["watch": "me"]] },
      Self.webhook("scaled.example.com") {
        $0["rules"] = [
          ["operations": ["UPDATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments/scale"]]
        ]
      })
    let hook = Hook(bench) { _ in [:] }
    func asked(_ act: () -> Void) -> [String] {
      hook.asked = []
      act()
      return hook.asked.map { String($0.call.url.split(separator: "/").last!.prefix { $0 != "." }) }
    }
    #expect(asked { bench.call("POST", maps, ["metadata": ["name": "a"]]) } == ["all"])
    #expect(
      asked { bench.call("POST", maps, ["metadata": ["name": "b", "labels": ["watch": "me"]]]) } == ["all", "labelled"])
    #expect(
      asked { bench.call("POST", "/api/v1/namespaces/kube-system/configmaps", ["metadata": ["name": "a"]]) } == [])
    let deployment: JSON = [
      "metadata": ["name": "d"],
      "spec": [
        "selector": ["matchLabels": ["a": "b"]],
        "template": ["metadata": ["labels": ["a": "b"]], "spec": ["containers": [["name": "c", "image": "i"]]]],
      ],
    ]
    #expect(asked { bench.call("POST", "/apis/apps/v1/namespaces/default/deployments", deployment) } == ["all"])
    #expect(
      asked {
        bench.call(
          "PATCH", "/apis/apps/v1/namespaces/default/deployments/d/scale", ["spec": ["replicas": 2]],
          type: "application/merge-patch+json")
      } == ["all", "scaled"])
    #expect(hook.asked.last?.review["request"]["kind"]["kind"].string == "Scale")
    #expect(hook.asked.last?.review["request"]["subResource"].string == "scale")
    #expect(
      asked {
        bench.call(
          "DELETE", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hooks")
      } == [])
    #expect(asked { bench.call("POST", maps, ["metadata": ["name": "c"]]) } == [])
  }

  @Test("with side effects refuse a dry run")
  func dryRun() throws {
    let bench = try Bench()
    configure(bench, "Validating", "hooks", Self.webhook("pure.example.com"))
    let hook = Hook(bench) { _ in [:] }
    #expect(bench.call("POST", "\(maps)?dryRun=All", ["metadata": ["name": "a"]]).status == 201)
    #expect(hook.asked.first?.review["request"]["dryRun"].bool == true)
    #expect(hook.asked.first?.review["request"]["options"]["dryRun"].strings == ["All"])
    #expect(bench.send("GET", "\(maps)/a").status == 404)
  }

  @Test("are asked before a client is connected to a container")
  func connect() throws {
    let bench = try Bench()
    bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("p", node: "n"))
    configure(
      bench, "Validating", "hooks",
      Self.webhook("deny.example.com") {
        $0["rules"][0]["operations"] = ["CONNECT"]
        $0["rules"][0]["resources"] = ["pods/exec", "pods/attach"]
      })
    let hook = Hook(bench) { request in
      request["object"]["command"].strings.first == "ls"
        ? ["allowed": true] : ["allowed": false, "status": ["message": "no shells", "code": 403]]
    }
    let path = "/api/v1/namespaces/default/pods/p"
    let denied = bench.call("POST", "\(path)/exec?container=c&command=sh&command=-i&stdin=true&stdout=true&tty=false")
    #expect(denied.status == 403)
    #expect(denied.message == "admission webhook \"deny.example.com\" denied the request: no shells")
    let request = try #require(hook.asked.first).review["request"]
    #expect(request["operation"].string == "CONNECT" && request["subResource"].string == "exec")
    #expect(request["kind"].text() == #"{"group":"","version":"v1","kind":"PodExecOptions"}"#)
    #expect(
      request["object"].text()
        == #"{"kind":"PodExecOptions","apiVersion":"v1","stdin":true,"stdout":true,"container":"c","command":["sh","-i"]}"#
    )
    #expect(request["name"].string == "p" && request["namespace"].string == "default")
    // What is allowed goes on to what it needs.
    #expect(bench.call("POST", "\(path)/exec?command=ls&stdout=true").message == "Upgrade request required")
    bench.call("POST", "\(path)/attach?stdout=true")
    #expect(hook.asked.last?.review["request"]["kind"]["kind"].string == "PodAttachOptions")
  }

  @Test("are asked when their conditions in CEL hold; one that fails goes by the failure policy")
  func conditions() throws {
    let bench = try Bench()
    let wrong = configure(
      bench, "Validating", "wrong",
      Self.webhook("v.example.com") { $0["matchConditions"] = [["name": "a", "expression": "request.x"]] })
    #expect(
      wrong.causes == [
        "webhooks[0].matchConditions[0].expression: Invalid value: \"request.x\": compilation failed: ERROR: "
          + "<input>:1:8: undefined field 'x'\n | request.x\n | .......^"
      ])
    configure(
      bench, "Validating", "hooks",
      Self.webhook("v.example.com") {
        $0["matchConditions"] = [
          ["name": "named", "expression": "!object.metadata.name.startsWith('free')"],
          ["name": "user", "expression": "request.userInfo.username != 'system:admin'"],
        ]
      })
    let hook = Hook(bench) { _ in ["allowed": false, "status": ["message": "no"]] }
    #expect(bench.call("POST", maps, ["metadata": ["name": "free-1"]]).status == 201)
    #expect(hook.asked.isEmpty)
    #expect(bench.call("POST", maps, ["metadata": ["name": "other"]]).status == 400)
    #expect(hook.asked.count == 1)
    configure(
      bench, "Validating", "strict",
      Self.webhook("w.example.com") { $0["matchConditions"] = [["name": "a", "expression": "object.data.x == '1'"]] })
    let failed = bench.call("POST", maps, ["metadata": ["name": "free-2"]])
    #expect(
      failed.message
        == "configmaps \"free-2\" is forbidden: expression 'object.data.x == '1'' resulted in error: no such key: data")
  }

  @Test("keep the request waiting, and nothing else; what changed meanwhile is a conflict")
  func waiting() throws {
    let bench = try Bench()
    let old = bench.send("POST", maps, ["metadata": ["name": "a"]]).body
    configure(
      bench, "Validating", "hooks",
      Self.webhook("slow.example.com") { $0["objectSelector"] = ["matchLabels": ["slow": "yes"]] })
    let hook = Hook(bench) { _ in [:] }
    hook.isHolding = true
    var slow = old
    slow["metadata"]["labels"] = ["slow": "yes"]
    let responder = bench.start("PUT", "\(maps)/a", slow)
    #expect(responder.status == 0)
    #expect(!bench.world.isIdle)
    var quick = old
    quick["data"] = ["k": "v"]
    #expect(bench.send("PUT", "\(maps)/a", quick).status == 200)
    hook.reply(hook.held[0], 0)
    bench.turn()
    #expect(responder.status == 409)
  }

  @Test("have until their time is over, in the world's time")
  func deadline() throws {
    let bench = try Bench()
    configure(bench, "Validating", "hooks", Self.webhook("lost.example.com") { $0["timeoutSeconds"] = 3 })
    bench.world.outbound.send = { _, _ in }
    let responder = bench.start("POST", maps, ["metadata": ["name": "a"]])
    _ = bench.world.runEvents(until: Bench.start + .seconds(2), limit: 10)
    bench.world.commit()
    #expect(responder.status == 0)
    _ = bench.world.runEvents(until: Bench.start + .seconds(3), limit: 10)
    bench.world.commit()
    #expect(responder.status == 500)
    #expect(String(decoding: responder.bytes, as: UTF8.self).contains("context deadline exceeded"))
  }

  @Test("that say nonsense are told from those that deny")
  func nonsense() throws {
    let bench = try Bench()
    configure(bench, "Validating", "hooks", Self.webhook("odd.example.com"))
    for (status, body, words) in [
      (
        200, #"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}"#,
        "received invalid webhook response: webhook response was absent"
      ),
      (
        200, #"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"x","allowed":true}}"#,
        "received invalid webhook response: expected response.uid="
      ),
      (404, "nope", "failed to call webhook: the server could not find the requested resource"),
      (
        500, "boom",
        "failed to call webhook: an error on the server (\"boom\") has prevented the request from succeeding"
      ),
    ] {
      bench.world.outbound.send = { [unowned bench] ticket, _ in
        bench.world.outbound.answer(ticket, .answer(status: status, body: Array(body.utf8)))
      }
      let reply = bench.call("POST", maps, ["metadata": ["name": "a"]])
      #expect(reply.status == 500)
      #expect(reply.message.contains("failed calling webhook \"odd.example.com\": \(words)"))
    }
  }
}
