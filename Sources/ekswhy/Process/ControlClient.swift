import Foundation
import Wire

/// Asks the local EKS of a state folder, over the socket in it.
struct ControlClient {
  let folder: String

  enum Problem: Error {
    /// Nobody listens there.
    case notRunning
    case broken(String)
  }

  func get(_ path: String, timeout: Int = 10) throws(Problem) -> JSON { try ask("GET", path, nil, timeout) }

  func post(_ path: String, _ body: JSON = .emptyObject, timeout: Int = 10) throws(Problem) -> JSON {
    try ask("POST", path, body, timeout)
  }

  private func ask(_ method: String, _ path: String, _ body: JSON?, _ timeout: Int) throws(Problem) -> JSON {
    let socket = try connect(timeout)
    defer { close(socket) }
    let bytes = body?.bytes() ?? []
    let head =
      "\(method) \(path) HTTP/1.1\r\nHost: ekswhy\r\nConnection: close\r\nContent-Length: \(bytes.count)\r\n\r\n"
    send(Array(head.utf8) + bytes, to: socket)
    let answer = receive(from: socket)
    guard let split = answer.firstRange(of: Array("\r\n\r\n".utf8)) else {
      throw .broken(answer.isEmpty ? "it gave no answer within \(timeout) s" : "its answer is not HTTP")
    }
    let status = String(decoding: answer[..<split.lowerBound], as: UTF8.self).split(separator: " ").dropFirst().first
    let content = Array(answer[split.upperBound...])
    guard status == "200" else {
      let message = (try? JSON.parse(content))?["message"].string
      throw .broken(message ?? String(decoding: content, as: UTF8.self))
    }
    do { return try JSON.parse(content) } catch { throw .broken("its answer is not JSON: \(error)") }
  }

  private func connect(_ timeout: Int) throws(Problem) -> Int32 {
    let path: String
    do { path = try SocketFile.path(in: folder) } catch { throw .broken(error.message) }
    #if os(Linux)
      let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    #else
      let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
    #endif
    var time = timeval(tv_sec: timeout, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { buffer in buffer.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else {
      let error = errno
      close(descriptor)
      if error == EACCES || error == EPERM { throw .broken("\(path) belongs to somebody else") }
      throw .notRunning
    }
    return descriptor
  }

  private func send(_ bytes: [UInt8], to socket: Int32) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { write(socket, $0.baseAddress, $0.count) }
      if count <= 0 { return }
      sent += count
    }
  }

  private func receive(from socket: Int32) -> [UInt8] {
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(socket, &buffer, buffer.count)
      guard count > 0 else { return answer }
      answer += buffer[..<count]
    }
  }
}

extension ControlClient.Problem {
  /// As a command's end; `what` names what was asked for.
  func failure(_ folder: String) -> Failure {
    switch self {
    case .notRunning:
      Failure("no local EKS runs in \(folder); start one with: \(Terminal.command) up", status: Failure.unreachable)
    case .broken(let why): Failure("the local EKS in \(folder): \(why)")
    }
  }
}
