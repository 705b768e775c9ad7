import Kubernetes
import Testing
import Wire
import World

@Suite("Protobuf answers")
struct ProtobufTests {
  private let type = "application/vnd.kubernetes.protobuf"

  @Test(
    "say what the answers in JSON say",
    arguments: [
      "/api/v1/namespaces/default", "/api/v1/namespaces/default/services/kubernetes",
      "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
      "/apis/rbac.authorization.k8s.io/v1/clusterroles/admin", "/apis/scheduling.k8s.io/v1/priorityclasses",
      "/apis/storage.k8s.io/v1/storageclasses/gp2", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
      "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/probes", "/api/v1/namespaces/default/pods/rich",
    ])
  func same(_ path: String) throws {
    let bench = try Bench()
    var pod = Bench.pod("rich")
    pod["spec"]["containers"][0]["resources"] = ["requests": ["cpu": "250m", "memory": "64Mi"]]
    pod["spec"]["containers"][0]["readinessProbe"] = ["httpGet": ["path": "/", "port": "http"]]
    pod["spec"]["containers"][0]["livenessProbe"] = ["tcpSocket": ["port": 8080]]
    pod["spec"]["containers"][0]["env"] = [["name": "A", "value": "ä"]]
    bench.send("POST", "/api/v1/namespaces/default/pods", pod)
    let plain = bench.send("GET", path)
    let coded = bench.send("GET", path, accept: "\(type),application/json")
    #expect(coded.headers["Content-Type"] == type)
    #expect(coded.status == plain.status)
    let decoded = try ProtobufDecoder.decode(coded.bytes)
    #expect(decoded == plain.body, "\(decoded.sorted)\n\(plain.body.sorted)")
  }

  @Test("of custom resources are JSON")
  func custom() throws {
    let bench = try Bench()
    bench.send(
      "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
      [
        "metadata": ["name": "things.example.com"],
        "spec": [
          "group": "example.com", "scope": "Namespaced", "names": ["plural": "things", "kind": "Thing"],
          "versions": [
            [
              "name": "v1", "served": true, "storage": true, "schema": ["openAPIV3Schema": ["type": "object"]],
            ]
          ],
        ],
      ])
    let list = bench.send("GET", "/apis/example.com/v1/things", accept: "\(type),application/json")
    #expect(list.headers["Content-Type"] == "application/json")
    #expect(list.body["kind"].string == "ThingList")
  }

  @Test("of a watch are frames with their length before them")
  func watch() throws {
    let bench = try Bench()
    let watch = bench.stream(
      "/api/v1/namespaces/default/configmaps?watch=1&fieldSelector=metadata.name%3Da", accept: type)
    #expect(watch.headers["Content-Type"] == "\(type);stream=watch")
    let made = bench.send("POST", "/api/v1/namespaces/default/configmaps", ["metadata": ["name": "a"]])
    let length = watch.bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    #expect(length == watch.bytes.count - 4)
    // The event is {1: type, 2: {1: object}}.
    let event = Array(watch.bytes.dropFirst(4))
    #expect(event.starts(with: [0x0a, 5] + Array("ADDED".utf8) + [0x12]))
    let start = try #require(event.firstRange(of: ProtobufDecoder.magic)).lowerBound
    #expect(try ProtobufDecoder.decode(Array(event[start...])) == made.body)
  }
}
