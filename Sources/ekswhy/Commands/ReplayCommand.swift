import ArgumentParser
import Foundation
import Local
import Wire
import World

/// `ekswhy replay`: plays a recorded world again.
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Play the input log of a recorded world again, and digest what came of it.",
    discussion: """
      A world that was begun with `ekswhy up --record` keeps the requests that changed it. The same log gives the \
      same objects, logs and answers, byte for byte; of a state folder it is also said whether its world is the \
      same. The log of a folder is logs/inputs.log, and may be given alone: it holds no credentials, and of secret \
      values only digests, which then stand for them.
      """)

  @Argument(help: "State folder of a stopped local EKS, or its logs/inputs.log.")
  var path: String

  @Option(help: "Write rows, logs and answers as files into this folder, to find what differs.")
  var into: String?

  @Option(name: .shortAndLong, help: "text or json.")
  var output = OutputFormat.text

  func run() throws {
    let path = URL(fileURLWithPath: (path as NSString).expandingTildeInPath).standardizedFileURL.path
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw Failure("there is no \(path)")
    }
    do {
      let world = isFolder.boolValue ? try RecordedWorld(folder: path) : nil
      let inputs = try world?.inputs ?? LogStore.records(Array(Data(contentsOf: URL(fileURLWithPath: path))))
      let replay = Replay(vault: world?.vault)
      try replay.play(inputs)
      if let into { try write(replay, into) }
      let differences = world?.differences(from: replay)
      Terminal.say(
        output == .json ? report(replay, differences).text(.pretty) : text(report(replay, differences)))
      if !replay.divergences.isEmpty || differences?.isEmpty == false { throw ExitCode(1) }
    } catch let problem as Replay.Problem { throw Failure(problem.description) } catch let error as StoreError {
      throw Failure(error.description)
    }
  }

  private func report(_ replay: Replay, _ differences: [String]?) -> JSON {
    var rows = Digest.Running()
    for (key, value) in replay.rows {
      rows.add("\(key) ")
      rows.add(value + [0x0a])
    }
    let logs = replay.logs.map { ($0.stream, JSON.string(Digest.sha256($0.bytes))) }
    return [
      "inputs": .int(Int64(replay.records)), "now": .string(replay.now?.rfc3339Micro ?? ""),
      "rows": ["count": .int(Int64(replay.rows.count)), "digest": .string(rows.finish())],
      "logs": .object(JSONObject(logs)),
      "answers": ["bytes": .int(Int64(replay.transcript.count)), "digest": .string(Digest.sha256(replay.transcript))],
      "ended": JSON(replay.ended), "sealedValuesMissing": replay.missing == 0 ? .null : .int(Int64(replay.missing)),
      "divergences": replay.divergences.isEmpty ? .null : JSON(replay.divergences),
      "differences": differences.map { JSON($0) } ?? .null,
    ]
  }

  private func text(_ report: JSON) -> String {
    var lines = [
      "inputs   \(report["inputs"].int ?? 0), to \(report["now"].string ?? "")",
      "rows     \(report["rows"]["count"].int ?? 0)  \(report["rows"]["digest"].string ?? "")",
      "answers  \(report["answers"]["bytes"].int ?? 0) bytes  \(report["answers"]["digest"].string ?? "")",
    ]
    for log in report["logs"].fields { lines.append("log      \(log.key)  \(log.value.string ?? "")") }
    if let why = report["ended"].string { lines.append("the recording ends here: \(why)") }
    if let count = report["sealedValuesMissing"].int {
      lines.append("\(count) secret values are not at hand; their digests stand for them")
    }
    for text in report["divergences"].strings { lines.append("other than recorded: \(text)") }
    if let differences = report["differences"].array?.compactMap(\.string) {
      lines.append(differences.isEmpty ? "the world in the folder is the same" : "the world in the folder differs:")
      lines += differences.prefix(50).map { "  \($0)" }
      if differences.count > 50 { lines.append("  and \(differences.count - 50) more") }
    }
    return lines.joined(separator: "\n")
  }

  private func write(_ replay: Replay, _ folder: String) throws {
    let manager = FileManager.default
    try manager.createDirectory(
      atPath: "\(folder)/logs", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    var rows: [UInt8] = []
    for (key, value) in replay.rows { rows += Array("\(key) ".utf8) + value + [0x0a] }
    try Data(rows).write(to: URL(fileURLWithPath: "\(folder)/rows"))
    try Data(replay.transcript).write(to: URL(fileURLWithPath: "\(folder)/answers"))
    for (stream, bytes) in replay.logs {
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/logs/\(LogFiles.name(stream))"))
    }
  }
}
