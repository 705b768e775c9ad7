import Local
import Testing
import Wire
import World

/// A client that sends many requests waits behind himself, not in front of the others.
@Suite("Waiting requests") struct FlowQueuesTests {
  private struct Nobody: HTTPResponder {
    func send(_ response: HTTPResponse) {}
    func begin(status: Int, headers: HTTPHeaders) -> any HTTPStream { preconditionFailure("nothing is streamed") }
    func acceptWebSocket(subprotocol: String) -> (any WebSocketStream)? { nil }
  }

  private func waiting(_ token: String, _ path: String = "/api") -> FlowQueues.Waiting {
    .init(
      request: KubeRequest(
        cluster: "demo", method: "GET", path: path, headers: [:], credential: .bearer(token)),
      responder: Nobody())
  }

  private func next(_ queues: FlowQueues, _ count: Int) -> [String] {
    (0..<count).compactMap { _ in
      guard let next = queues.next(), case .bearer(let token) = next.request.credential else { return nil }
      return token
    }
  }

  @Test("A flood of one client does not hold up another")
  func fairness() {
    let queues = FlowQueues()
    for _ in 0..<FlowQueues.limit { #expect(queues.add(waiting("flood"))) }
    // More of it is told to come again, others are taken.
    #expect(!queues.add(waiting("flood")))
    for _ in 0..<3 { #expect(queues.add(waiting("quiet"))) }
    #expect(queues.add(waiting("late")))
    #expect(next(queues, 7) == ["flood", "quiet", "late", "flood", "quiet", "flood", "quiet"])
    #expect(queues.add(waiting("flood")))
    #expect(next(queues, 5000).count == FlowQueues.limit - 2)
    #expect(queues.next() == nil)
  }

  @Test("One client's requests keep their order")
  func order() {
    let queues = FlowQueues()
    for index in 0..<100 { _ = queues.add(waiting(index % 2 == 0 ? "a" : "b", "/\(index)")) }
    var last: [String: Int] = [:]
    while let next = queues.next() {
      guard case .bearer(let token) = next.request.credential else { continue }
      let index = Int(next.request.path.dropFirst()) ?? -1
      #expect(index > last[token] ?? -1)
      last[token] = index
    }
    #expect(last == ["a": 98, "b": 99])
  }

  @Test("Who has too many waiting is told so as by a kube-apiserver")
  func refusal() {
    let refusal = FlowQueues.refusal
    #expect(refusal.status == 429)
    #expect(refusal.headers["Retry-After"] == "1")
    #expect(refusal.headers["Content-Type"] == "text/plain; charset=utf-8")
    #expect(refusal.headers["X-Content-Type-Options"] == "nosniff")
    #expect(String(decoding: refusal.body, as: UTF8.self) == "Too many requests, please try again later.\n")
  }
}
