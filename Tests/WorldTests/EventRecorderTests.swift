import Testing
import Wire
import World

@Suite("Events as client-go tells them")
struct EventRecorderTests {
  private let client = KubeClient(cluster: "demo", credential: .none, userAgent: "test")
  private let pod: JSON = ["kind": "Pod", "namespace": "default", "name": "web", "uid": "u1"]

  private func tell(_ recorder: inout EventRecorder, _ message: String, at seconds: Int64) -> KubeRequest? {
    recorder.record(
      client, about: pod, type: "Warning", reason: "Failed", message: message, now: Timestamp(seconds: seconds),
      suffix: { "abc" })
  }

  private func body(_ request: KubeRequest?) -> JSON {
    if case .json(let json)? = request?.body { json } else { .null }
  }

  @Test("The same again raises the count of the first")
  func counts() {
    var recorder = EventRecorder(component: "kubelet", host: "n")
    let first = tell(&recorder, "no", at: 1)
    #expect(first?.method == "POST")
    #expect(body(first)["metadata"]["name"].string == "web.abc")
    #expect(body(first)["source"]["host"].string == "n")
    let second = tell(&recorder, "no", at: 2)
    #expect(second?.method == "PATCH")
    #expect(second?.path == "/api/v1/namespaces/default/events/web.abc")
    #expect(body(second)["count"].int == 2)
  }

  @Test("Ten similar ones are told as one")
  func aggregates() {
    var recorder = EventRecorder(component: "kubelet")
    for index in 1...9 { #expect(tell(&recorder, "no \(index)", at: Int64(index))?.method == "POST") }
    #expect(body(tell(&recorder, "no 10", at: 10))["message"].string == "(combined from similar events): no 10")
    #expect(tell(&recorder, "no 11", at: 11)?.method == "PATCH")
  }

  @Test("A flood is cut to one in five minutes")
  func flood() {
    var recorder = EventRecorder(component: "kubelet")
    for _ in 0..<25 { #expect(tell(&recorder, "no", at: 1) != nil) }
    #expect(tell(&recorder, "no", at: 2) == nil)
    #expect(tell(&recorder, "no", at: 303) != nil)
  }

  @Test("What it remembers survives being saved")
  func survives() throws {
    var recorder = EventRecorder(component: "kubelet", host: "n")
    for index in 1...9 { _ = tell(&recorder, "no \(index)", at: Int64(index)) }
    let saved = try JSON(encoding: recorder)
    var again = try JSON.parse(saved.bytes()).decode(EventRecorder.self)
    #expect(try JSON(encoding: again) == saved)
    // The same request as without the pause: the tenth similar one, and the flood filter where it was.
    #expect(body(tell(&again, "no 10", at: 10)) == body(tell(&recorder, "no 10", at: 10)))
    for _ in 11...25 { _ = tell(&again, "no", at: 11) }
    #expect(tell(&again, "no", at: 12) == nil)
  }

  @Test("A key is not looked at while requests for it are under way")
  func workQueue() {
    var queue = WorkQueue()
    queue.add("a")
    #expect(queue.take() == ["a"])
    queue.began("a")
    queue.began("a")
    queue.add("a")
    #expect(queue.isEmpty)
    #expect(queue.answered("a", isFailure: false) == .nothing)
    #expect(queue.answered("a", isFailure: false) == .now)
    queue.began("a")
    #expect(queue.answered("a", isFailure: true) == .later(.milliseconds(5), quietly: false))
    queue.began("a")
    #expect(queue.answered("a", isFailure: true) == .later(.milliseconds(10), quietly: false))
  }
}
