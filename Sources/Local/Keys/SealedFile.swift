import Foundation
import Wire
import World

/// Secret values of recorded requests, in one private file apart from the log that names them by digest.
///
/// The digests are keyed, so that whoever has the log alone cannot try values.
final class SealedFile: Vault {
  private let path: String
  private var key: [UInt8] = []
  private var values: [String: String] = [:]

  /// Opens the file; it is made with the first value.
  init(path: String) {
    self.path = path
    guard let data = FileManager.default.contents(atPath: path) else { return }
    for (number, line) in String(decoding: data, as: UTF8.self).split(separator: "\n").enumerated() {
      if number == 0 {
        key = Array(line.utf8)
      } else if let blank = line.firstIndex(of: " "), let value = Base64.decode(line[line.index(after: blank)...]) {
        values[String(line[..<blank])] = String(decoding: value, as: UTF8.self)
      }
    }
  }

  func seal(_ value: String) -> String {
    if key.isEmpty {
      key = Array((0..<4).map { _ in String(UInt64.random(in: .min ... .max), radix: 16) }.joined().utf8)
      append(String(decoding: key, as: UTF8.self))
    }
    let digest = Digest.hmac(Array(value.utf8), key: key)
    if values[digest] == nil {
      values[digest] = value
      append("\(digest) \(Base64.encode(value.utf8))")
    }
    return digest
  }

  func open(_ digest: String) -> String? { values[digest] }

  /// On disk before the batch that holds the digest; a value whose batch never came is a dead line.
  private func append(_ line: String) {
    let file = Foundation.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { return }
    defer { close(file) }
    let bytes = Array("\(line)\n".utf8)
    _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    fdatasync(file)
  }
}
