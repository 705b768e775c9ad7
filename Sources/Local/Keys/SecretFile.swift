import Foundation
import Wire
import World

/// Secret access keys and session tokens in one private file beside the world's store.
///
/// A secret is appended and synced when it is made, so it is on disk before the batch that names it;
/// one whose id never came to be committed is only a dead line, dropped when the file is next opened.
final class SecretFile: SecretKeeper, @unchecked Sendable {
  private let path: String
  private var secrets: [String: String] = [:]
  private var file: Int32

  init(path: String) throws(StoreError) {
    self.path = path
    if let data = FileManager.default.contents(atPath: path) {
      for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2 else { continue }
        secrets[String(parts[0])] = parts[1].isEmpty ? nil : String(parts[1])
      }
    }
    file = Foundation.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .unwritable("\(path): \(String(cString: strerror(errno)))") }
  }

  deinit { close(file) }

  func make(_ id: String, length: Int) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    let secret = String(decoding: (0..<length).map { _ in alphabet.randomElement()! }, as: UTF8.self)
    secrets[id] = secret
    append("\(id) \(secret)\n")
    return secret
  }

  func secret(_ id: String) -> String? { secrets[id] }

  func remove(_ id: String) {
    guard secrets.removeValue(forKey: id) != nil else { return }
    append("\(id) \n")
  }

  /// A line that can't be written is no reason to stop: the world's own commit fails on the same disk,
  /// and nothing that rests on the secret is acknowledged.
  private func append(_ line: String) {
    let bytes = Array(line.utf8)
    _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    fdatasync(file)
  }
}
