import Synchronization
import Wire

/// Collects what a replayed world answers.
final class Answers {
  /// What left, and by which input it was asked for.
  private final class Transcript: Sendable {
    let bytes = Mutex<[UInt8]>([])
    func write(_ number: Int, _ what: String, _ body: [UInt8] = []) {
      bytes.withLock { $0 += Array("\(number) \(what)\n".utf8) + body + (body.isEmpty ? [] : [0x0a]) }
    }
  }

  private let transcript = Transcript()
  private var number = 0

  func begin(_ number: Int) { self.number = number }
  var bytes: [UInt8] { transcript.bytes.withLock { $0 } }
  var responder: any HTTPResponder { Responder(number: number, transcript: transcript) }

  private struct Responder: HTTPResponder {
    let number: Int
    let transcript: Transcript

    private func head(_ status: Int, _ headers: HTTPHeaders) -> String {
      "\(status) " + headers.fields.map { "\($0.name): \($0.value)" }.joined(separator: ", ")
    }

    func send(_ response: HTTPResponse) {
      transcript.write(number, head(response.status, response.headers), response.body)
    }
    func begin(status: Int, headers: HTTPHeaders) -> any HTTPStream {
      transcript.write(number, "begins \(head(status, headers))")
      return Stream(number: number, transcript: transcript)
    }
    func acceptWebSocket(subprotocol: String) -> (any WebSocketStream)? {
      transcript.write(number, "accepts \(subprotocol)")
      return Stream(number: number, transcript: transcript)
    }
  }

  /// A stream whose other side is on record: it says nothing by itself.
  private struct Stream: HTTPStream, WebSocketStream {
    let number: Int
    let transcript: Transcript

    func write(_ bytes: [UInt8]) { transcript.write(number, "writes", bytes) }
    func end() { transcript.write(number, "ends") }
    func send(_ message: [UInt8]) { transcript.write(number, "sends", message) }
    func close(code: Int) { transcript.write(number, "closes \(code)") }
    func onDrained(_ body: @escaping @Sendable () -> Void) {}
    func onMessage(_ body: @escaping @Sendable ([UInt8]) -> Void) {}
    func onClose(_ body: @escaping @Sendable () -> Void) {}
  }
}
