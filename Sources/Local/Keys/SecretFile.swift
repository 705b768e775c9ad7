import AWS
import Foundation
package import Wire
package import World

/// Secret access keys and session tokens in one private file beside the world's store, whose state names
/// them by access key id only.
///
/// A secret is appended and synced when it is made, so it is on disk before the batch that names it;
/// one whose id never came to be committed is a dead line.
package final class SecretFile: SecretKeeper {
  private var kept: [String: AWSCredentials] = [:]
  private let file: Int32

  package init(path: String) throws(StoreError) {
    if let data = FileManager.default.contents(atPath: path) {
      for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1: kept[parts[0]] = nil
        case 2: kept[parts[0]] = AWSCredentials(accessKeyID: parts[0], secretAccessKey: parts[1])
        case 3:
          kept[parts[0]] = AWSCredentials(accessKeyID: parts[0], secretAccessKey: parts[1], sessionToken: parts[2])
        default: continue
        }
      }
    }
    file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .unwritable("\(path): \(String(cString: strerror(errno)))") }
  }

  deinit { close(file) }

  package func make(accessKeyID: String, temporary: Bool) -> AWSCredentials {
    let made = AWSCredentials(
      accessKeyID: accessKeyID, secretAccessKey: Self.random(40), sessionToken: temporary ? Self.random(356) : nil)
    kept[accessKeyID] = made
    append(([made.accessKeyID, made.secretAccessKey] + (made.sessionToken.map { [$0] } ?? [])).joined(separator: " "))
    return made
  }

  package func credentials(of accessKeyID: String) -> AWSCredentials? { kept[accessKeyID] }

  package func forget(accessKeyID: String) {
    guard kept.removeValue(forKey: accessKeyID) != nil else { return }
    append(accessKeyID)
  }

  private static func random(_ length: Int) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    return String(decoding: (0..<length).map { _ in alphabet.randomElement()! }, as: UTF8.self)
  }

  /// A line that can't be written is no reason to stop: the world's own commit fails on the same disk,
  /// and nothing that rests on the secret is acknowledged.
  private func append(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    fdatasync(file)
  }
}
