import Foundation
import Testing
import Wire

/// The idioms of programs that use the PyPI package `kubernetes`, as `Tests/Golden/python/idioms.py` has them; with the
/// interpreter that `EKSWHY_PYTHON` names.
@Suite(.serialized, .enabled(if: Clients.both))
struct PythonClientTests {
  private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Golden/python/idioms.py").path

  @Test func idioms() async throws {
    let python = ProcessInfo.processInfo.environment["EKSWHY_PYTHON"] ?? "python3"
    let present = try Shell.run(
      python, ["-c", "import kubernetes"], environment: ProcessInfo.processInfo.environment)
    guard present.status == 0 else {
      print("SKIPPED: the Python package `kubernetes` is not installed; its idioms are not checked")
      return
    }
    let cluster = try await QuickCluster()
    let ran = try Shell.run(python, [Self.script], environment: cluster.eks.environment)
    #expect(ran.status == 0, "\(ran.all)")
    #expect(
      ran.output.split(separator: "\n") == [
        "typed", "errors", "patches", "lists", "watch", "yaml", "dynamic", "streams", "eviction", "leader", "bulk",
        "informer", "rights",
      ], "\(ran.all)")
  }
}
