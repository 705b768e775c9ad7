import Foundation

/// Load for an API server, over TLS and HTTP/2. Prints one line of JSON.
///
///     kubeload PORT TOKEN rate METHOD PATH TYPE BODY CONNECTIONS SECONDS
///     kubeload PORT TOKEN each METHOD PATH TYPE BODY CONNECTIONS COUNT
///     kubeload PORT TOKEN burst METHOD PATH TYPE BODY CONNECTIONS STREAMS
///     kubeload PORT TOKEN watch PATH OBJECT-PATH CONNECTIONS STREAMS SECONDS RATE
///
/// `rate` keeps one request under way on each connection; `each` sends so many in all; `burst` sends all at once.
/// In path and body `{n}` is a number that no other request has and `{c}` the connection's, from 1. `watch` opens
/// watches, then patches the object so many times a second and times each event from before its patch is sent.
@main
enum KubeLoad {
  static func main() throws {
    signal(SIGPIPE, SIG_IGN)
    let words = Array(CommandLine.arguments.dropFirst())
    guard words.count >= 9, let port = UInt16(words[0]) else { usage() }
    let target = Target(port: port, token: words[1])
    let rest = Array(words[3...])
    switch words[2] {
    case "rate", "each":
      guard rest.count == 6, let connections = Int(rest[4]), let amount = Double(rest[5]) else { usage() }
      let request = Template(method: rest[0], path: rest[1], type: rest[2], body: rest[3])
      print(Rate.run(target, request, connections, seconds: words[2] == "rate" ? amount : nil, count: Int(amount)))
    case "burst":
      guard rest.count == 6, let connections = Int(rest[4]), let streams = Int(rest[5]) else { usage() }
      let request = Template(method: rest[0], path: rest[1], type: rest[2], body: rest[3])
      print(try Burst.run(target, request, connections, streams))
    case "watch":
      guard rest.count == 6, let connections = Int(rest[2]), let streams = Int(rest[3]), let seconds = Double(rest[4]),
        let rate = Double(rest[5])
      else { usage() }
      print(try Watchers.run(target, rest[0], object: rest[1], connections, streams, seconds: seconds, rate: rate))
    default: usage()
    }
  }

  static func usage() -> Never {
    FileHandle.standardError.write(
      Data("usage: kubeload PORT TOKEN rate|each|burst|watch …; see KubeLoad.swift\n".utf8))
    exit(64)
  }
}

struct Target: Sendable {
  var port: UInt16
  var token: String
}

struct Template: Sendable {
  var method: String
  var path: String
  var type: String
  var body: String

  func path(_ number: Int, _ connection: Int) -> String { fill(path, number, connection) }
  func body(_ number: Int, _ connection: Int) -> [UInt8] { Array(fill(body, number, connection).utf8) }

  private func fill(_ text: String, _ number: Int, _ connection: Int) -> String {
    guard text.contains("{") else { return text }
    return text.replacing("{n}", with: String(number)).replacing("{c}", with: String(connection + 1))
  }
}

/// Nanoseconds of a clock that never goes back.
func monotonic() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

/// What was measured, from any thread.
final class Results: @unchecked Sendable {
  private let lock = NSLock()
  private var times: [UInt32] = []
  private var statuses: [Int: Int] = [:]
  private var bytes = 0

  func add(_ times: [UInt32], _ statuses: [Int: Int], bytes: Int) {
    lock.withLock {
      self.times += times
      self.statuses.merge(statuses, uniquingKeysWith: +)
      self.bytes += bytes
    }
  }

  func json(seconds: Double) -> String {
    let sorted = times.sorted()
    func quantile(_ q: Double) -> UInt32 {
      sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * q))]
    }
    let counts = statuses.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
    return "{\"count\": \(sorted.count), \"seconds\": \(seconds), \"p50_us\": \(quantile(0.5)), "
      + "\"p99_us\": \(quantile(0.99)), \"bytes\": \(bytes), \"statuses\": {\(counts)}}"
  }
}

/// Runs a body on so many threads and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let done = DispatchGroup()
  for number in 0..<count {
    done.enter()
    let thread = Thread {
      body(number)
      done.leave()
    }
    thread.stackSize = 1 << 20
    thread.start()
  }
  done.wait()
}
