import Foundation

/// `load HOST PORT REQUEST-FILE CONNECTIONS SECONDS`: sends the bytes of the file over kept-alive
/// connections, each waiting for its answer, and prints the rate and the times as one line of JSON.
@main
enum Load {
  static func main() {
    let words = CommandLine.arguments
    guard words.count == 6, let port = UInt16(words[2]), let data = FileManager.default.contents(atPath: words[3]),
      let connections = Int(words[4]), let seconds = Double(words[5])
    else {
      FileHandle.standardError.write(Data("usage: load HOST PORT REQUEST-FILE CONNECTIONS SECONDS\n".utf8))
      exit(64)
    }
    signal(SIGPIPE, SIG_IGN)
    let host = words[1]
    let request = Array(data)
    let results = Results()
    let end = DispatchTime.now().uptimeNanoseconds + UInt64(seconds * 1e9)
    let threads = (0..<connections).map { _ in
      let done = DispatchSemaphore(value: 0)
      Thread {
        var connection = Connection(host: host, port: port, request: request)
        var times: [UInt32] = []
        var statuses: [Int: Int] = [:]
        while true {
          let start = DispatchTime.now().uptimeNanoseconds
          if start >= end { break }
          let status = connection.ask()
          statuses[status, default: 0] += 1
          times.append(UInt32(clamping: (DispatchTime.now().uptimeNanoseconds - start) / 1000))
          if status == 0 { usleep(1000) }
        }
        results.add(times, statuses)
        done.signal()
      }.start()
      return done
    }
    for thread in threads { thread.wait() }
    print(results.json(seconds: seconds))
  }
}

/// What the connections measured.
final class Results: @unchecked Sendable {
  private let lock = NSLock()
  private var times: [UInt32] = []
  private var statuses: [Int: Int] = [:]

  func add(_ times: [UInt32], _ statuses: [Int: Int]) {
    lock.withLock {
      self.times += times
      self.statuses.merge(statuses, uniquingKeysWith: +)
    }
  }

  func json(seconds: Double) -> String {
    let sorted = times.sorted()
    func quantile(_ q: Double) -> UInt32 {
      sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * q))]
    }
    let counts = statuses.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
    return "{\"rate\": \(Int(Double(sorted.count) / seconds)), \"p50_us\": \(quantile(0.5)), "
      + "\"p99_us\": \(quantile(0.99)), \"statuses\": {\(counts)}}"
  }
}
