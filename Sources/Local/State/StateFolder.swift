import Foundation
import Wire
package import World

/// The folder that holds one world: its store, logs and keys, and the lock that lets one process in.
package final class StateFolder: @unchecked Sendable {
  package let path: String
  private var lock: Int32 = -1

  /// Makes the folder if need be and takes its lock.
  package init(path: String) throws(StoreError) {
    self.path = path
    do {
      for folder in [path, "\(path)/logs", "\(path)/keys"] {
        try FileManager.default.createDirectory(
          atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      }
    } catch { throw .unwritable("\(path): \(error.localizedDescription)") }
    lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else { throw .unwritable("\(path)/lock: \(String(cString: strerror(errno)))") }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      close(lock)
      throw .locked(path)
    }
  }

  deinit { if lock >= 0 { close(lock) } }

  /// Writes a file that only its owner may read, whole or not at all.
  package func writePrivate(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
    let target = "\(path)/\(name)"
    let temporary = "\(target).new"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .unwritable("\(target): \(String(cString: strerror(errno)))") }
    defer { close(file) }
    let written = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    guard written == bytes.count, fsync(file) == 0, rename(temporary, target) == 0 else {
      throw .unwritable("\(target): \(String(cString: strerror(errno)))")
    }
  }

  package func read(_ name: String) -> [UInt8]? {
    FileManager.default.contents(atPath: "\(path)/\(name)").map(Array.init)
  }

  package func remove(_ name: String) { unlink("\(path)/\(name)") }
}

/// Log streams as files of the state folder.
package final class LogFiles: LogStore.Files {
  private let folder: String
  /// What is already cut to its length needs no system call each time.
  private var lengths: [String: Int] = [:]

  package init(folder: String) { self.folder = folder }

  private func path(_ stream: String) -> String { "\(folder)/\(Self.name(stream))" }

  /// The name of a stream's file; long ones end in a digest, since file systems bound names at 255 bytes.
  package static func name(_ stream: String) -> String {
    let name = stream.replacing("%", with: "%25").replacing("/", with: "%2F")
    guard name.utf8.count > 200 else { return "\(name).log" }
    return "\(String(decoding: name.utf8.prefix(120), as: UTF8.self))-\(Digest.sha256(Array(stream.utf8))).log"
  }

  package func append(_ stream: String, _ bytes: [UInt8]) throws(StoreError) {
    let file = open(path(stream), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure(stream) }
    defer { close(file) }
    lengths[stream] = nil
    let written = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    guard written == bytes.count else { throw failure(stream) }
    lengths[stream] = Int(lseek(file, 0, SEEK_END))
  }

  package func read(_ stream: String, length: Int) -> [UInt8] {
    let file = open(path(stream), O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
      while count < length {
        let got = pread(file, buffer.baseAddress! + count, length - count, off_t(count))
        guard got > 0 else { return }
        count += got
      }
    }
  }

  package func replace(_ stream: String, _ bytes: [UInt8]) throws(StoreError) {
    let temporary = "\(path(stream)).new"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure(stream) }
    defer { close(file) }
    let written = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    guard written == bytes.count, rename(temporary, path(stream)) == 0 else { throw failure(stream) }
    lengths[stream] = bytes.count
  }

  package func cut(_ stream: String, length: Int) throws(StoreError) {
    guard lengths[stream] != length else { return }
    var information = stat()
    guard stat(path(stream), &information) == 0 else { return }
    if Int(information.st_size) > length {
      guard truncate(path(stream), off_t(length)) == 0 else { throw failure(stream) }
    }
    lengths[stream] = length
  }

  package func remove(_ stream: String) {
    unlink(path(stream))
    lengths[stream] = nil
  }

  private func failure(_ stream: String) -> StoreError {
    .unwritable("\(path(stream)): \(String(cString: strerror(errno)))")
  }
}
