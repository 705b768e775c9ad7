import Foundation
import Local
import Testing
import Wire
import World

@Suite struct LogFilesTests {
  /// Two that differ at their end only, longer than a file's name may be.
  @Test func longNamesOfStreamsAreFilesOfTheirOwn() throws {
    let folder = try StateFolder(path: NSTemporaryDirectory() + "ekswhy-logs-\(UUID().uuidString)")
    let files = LogFiles(folder: "\(folder.path)/logs")
    let stem = "pod/" + String(repeating: "ä/%", count: 130)
    let (a, b) = (stem + "a", stem + "b")
    for (stream, text) in [(a, "one"), (b, "two"), (a, " more")] { try files.append(stream, Array(text.utf8)) }
    #expect(String(decoding: files.read(a, length: 8), as: UTF8.self) == "one more")
    #expect(String(decoding: files.read(b, length: 3), as: UTF8.self) == "two")
    try files.replace(a, Array("new".utf8))
    try files.cut(a, length: 2)
    #expect(String(decoding: files.read(a, length: 9), as: UTF8.self) == "ne")
    files.remove(a)
    #expect(files.read(a, length: 3).isEmpty)
    #expect(files.read(b, length: 3).count == 3)
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/logs")
    #expect(names.count == 1 && names[0].utf8.count <= 255)
    #expect(LogFiles.name("node/A/kubelet") == "node%2FA%2Fkubelet.log")
  }
}
