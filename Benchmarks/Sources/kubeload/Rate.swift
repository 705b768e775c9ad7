import Foundation
import Synchronization

/// One request under way on each connection, for a time or until so many are done.
enum Rate {
  private static let number = Atomic<Int>(0)

  static func run(_ target: Target, _ request: Template, _ connections: Int, seconds: Double?, count: Int) -> String {
    let results = Results()
    let begun = monotonic()
    let end = seconds.map { begun + UInt64($0 * 1e9) } ?? .max
    onThreads(connections) { mine in
      var times: [UInt32] = []
      var statuses: [Int: Int] = [:]
      var bytes = 0
      do {
        let connection = try HTTP2Connection(port: target.port, token: target.token, contentType: request.type)
        while true {
          let start = monotonic()
          if start >= end { break }
          let number = number.add(1, ordering: .relaxed).newValue
          if seconds == nil, number > count { break }
          connection.add(request.method, request.path(number, mine), request.body(number, mine))
          try connection.flush()
          var ended = false
          while !ended {
            try connection.receive { event in
              switch event {
              case .status(_, let status): statuses[status, default: 0] += 1
              case .data(_, let piece): bytes += piece.count
              case .end: ended = true
              }
            }
          }
          times.append(UInt32(clamping: (monotonic() - start) / 1000))
        }
      } catch { statuses[-1, default: 0] += 1 }
      results.add(times, statuses, bytes: bytes)
    }
    return results.json(seconds: Double(monotonic() - begun) / 1e9)
  }
}

/// All requests at once, so many on each connection.
enum Burst {
  static func run(_ target: Target, _ request: Template, _ connections: Int, _ streams: Int) throws -> String {
    let results = Results()
    let open = try (0..<connections).map { _ in
      Handed(try HTTP2Connection(port: target.port, token: target.token, contentType: request.type))
    }
    let begun = monotonic()
    onThreads(connections) { mine in
      var times: [UInt32] = []
      var statuses: [Int: Int] = [:]
      var bytes = 0
      let connection = open[mine].value
      do {
        for stream in 0..<streams {
          connection.add(
            request.method, request.path(mine * streams + stream, mine), request.body(mine * streams + stream, mine))
        }
        try connection.flush()
        while times.count < streams {
          try connection.receive { event in
            switch event {
            case .status(_, let status): statuses[status, default: 0] += 1
            case .data(_, let piece): bytes += piece.count
            case .end: times.append(UInt32(clamping: (monotonic() - begun) / 1000))
            }
          }
        }
      } catch { statuses[-1, default: 0] += 1 }
      results.add(times, statuses, bytes: bytes)
    }
    return results.json(seconds: Double(monotonic() - begun) / 1e9)
  }
}

/// A connection on its way to the one thread that uses it.
struct Handed: @unchecked Sendable {
  let value: HTTP2Connection
  init(_ value: HTTP2Connection) { self.value = value }
}
