import Foundation
import Wire
package import World

/// A state folder's world as it lies on disk, with its input log.
package struct RecordedWorld {
  package var rows: [String: [UInt8]] = [:]
  package var logs: [String: [UInt8]] = [:]
  package var inputs: [LogStore.Record]
  package var vault: any Vault

  /// Reads a state folder; nobody may be using it.
  package init(folder path: String) throws {
    guard FileManager.default.fileExists(atPath: "\(path)/world.db") else {
      throw Replay.Problem(description: "\(path) is no state folder of a local EKS")
    }
    let folder = try StateFolder(path: path)
    let store = try SQLiteStore(path: "\(path)/world.db")
    var rows: [String: [UInt8]] = [:]
    try store.load { key, value in rows[key] = value }
    let files = LogFiles(folder: "\(path)/logs")
    var places = WorldRows.logs(rows)
    inputs = LogStore.records(
      places.removeValue(forKey: InputLog.stream)?.bytes(of: InputLog.stream, files) ?? [])
    for (stream, place) in places { logs[stream] = place.bytes(of: stream, files) }
    guard !inputs.isEmpty else {
      throw Replay.Problem(description: "the world in \(path) was not recorded; record one with: ekswhy up --record")
    }
    self.rows = WorldRows.comparable(rows)
    vault = SealedFile(path: "\(path)/keys/sealed")
    withExtendedLifetime(folder) {}
  }

  /// Where a replay came to something else: rows and logs by name.
  package func differences(from replay: Replay) -> [String] {
    var found: [String] = []
    var mine = rows
    for (key, value) in replay.rows {
      if mine.removeValue(forKey: key) != value { found.append("row \(key)") }
    }
    found += mine.keys.map { "row \($0)" }
    var kept = logs
    for (stream, bytes) in replay.logs {
      if kept.removeValue(forKey: stream) != bytes { found.append("log \(stream)") }
    }
    found += kept.keys.map { "log \($0)" }
    return found.sorted()
  }
}
