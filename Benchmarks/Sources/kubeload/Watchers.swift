import Foundation
import Synchronization

/// Many watches of one collection, and one who patches an object in it.
enum Watchers {
  private static let mark = Array("\"sent\":\"".utf8)
  private static let opened = Atomic<Int>(0)
  private static let isOver = Atomic<Bool>(false)

  static func run(
    _ target: Target, _ path: String, object: String, _ connections: Int, _ streams: Int, seconds: Double, rate: Double
  ) throws -> String {
    let results = Results()
    let open = try (0..<connections).map { _ in
      Handed(try HTTP2Connection(port: target.port, token: target.token, contentType: "application/json"))
    }
    let patcher = Handed(
      try HTTP2Connection(port: target.port, token: target.token, contentType: "application/merge-patch+json"))
    let sent = Atomic<Int>(0)
    let begun = monotonic()
    onThreads(connections + 1) { mine in
      if mine == connections {
        while opened.load(ordering: .relaxed) < connections * streams { usleep(10_000) }
        usleep(300_000)
        patch(patcher.value, object, seconds: seconds, rate: rate) { sent.add(1, ordering: .relaxed) }
        usleep(500_000)
        isOver.store(true, ordering: .relaxed)
        // One more event lets every watcher see that it is over.
        patch(patcher.value, object, seconds: 0.001, rate: 1000) {}
        return
      }
      var times: [UInt32] = []
      var statuses: [Int: Int] = [:]
      let connection = open[mine].value
      do {
        for _ in 0..<streams { connection.add("GET", path, []) }
        try connection.flush()
        while !isOver.load(ordering: .relaxed) {
          try connection.receive { event in
            switch event {
            case .status(_, let status):
              statuses[status, default: 0] += 1
              opened.add(1, ordering: .relaxed)
            case .data(_, let piece):
              if let time = time(in: piece) { times.append(UInt32(clamping: (monotonic() - time) / 1000)) }
            case .end: statuses[-2, default: 0] += 1
            }
          }
        }
      } catch { statuses[-1, default: 0] += 1 }
      // The last one is no measurement.
      results.add(times, statuses, bytes: 0)
    }
    let text = results.json(seconds: Double(monotonic() - begun) / 1e9)
    return "{\"sent\": \(sent.load(ordering: .relaxed)), " + text.dropFirst()
  }

  private static func patch(
    _ connection: HTTP2Connection, _ object: String, seconds: Double, rate: Double, _ done: () -> Void
  ) {
    let begun = monotonic()
    var number = 0.0
    while true {
      let due = begun + UInt64(number / rate * 1e9)
      if due >= begun + UInt64(seconds * 1e9) { return }
      while monotonic() < due { usleep(200) }
      connection.add("PATCH", object, Array("{\"data\":{\"sent\":\"\(monotonic())\"}}".utf8))
      guard (try? connection.flush()) != nil else { return }
      var ended = false
      while !ended {
        let received: Void? = try? connection.receive { if case .end = $0 { ended = true } }
        if received == nil { return }
      }
      done()
      number += 1
    }
  }

  /// When the event's patch was sent; an event is small and comes in one piece.
  private static func time(in bytes: ArraySlice<UInt8>) -> UInt64? {
    bytes.withUnsafeBufferPointer { bytes in
      guard bytes.count > mark.count else { return nil }
      for start in 0..<(bytes.count - mark.count) {
        guard bytes[start] == mark[0], memcmp(bytes.baseAddress! + start, mark, mark.count) == 0 else { continue }
        var value: UInt64 = 0
        for byte in bytes[(start + mark.count)...] {
          guard (0x30...0x39).contains(byte) else { return value }
          value = value * 10 + UInt64(byte - 0x30)
        }
      }
      return nil
    }
  }
}
