import Foundation
import Testing

/// boto3 against the local EKS, by scripts of `Tests/Golden/python`; with the interpreter that `EKSWHY_PYTHON` names.
@Suite(.serialized, .enabled(if: Boto.isThere))
struct BotoTests {
  private func run(_ script: String) throws -> Outcome {
    let eks = try LocalEKSProcess()
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Golden/python/\(script)").path
    return try Shell.run(Boto.python, [path], environment: eks.environment)
  }

  @Test func waitersPagesAndErrors() throws {
    let ran = try run("boto3_idioms.py")
    #expect(ran.status == 0, "\(ran.all)")
    #expect(
      ran.output.split(separator: "\n") == ["cluster", "nodegroup", "addon", "pages", "rest", "gone"], "\(ran.all)")
  }

  /// Whatever a member of EKS's model may not be is refused for that.
  @Test func everyConstraintOfTheModel() throws {
    let ran = try run("eks_refusals.py")
    #expect(ran.status == 0, "\(ran.all)")
    #expect(ran.output.contains("wrong 0"), "\(ran.all)")
  }
}

enum Boto {
  static let python = ProcessInfo.processInfo.environment["EKSWHY_PYTHON"] ?? "python3"
  static var isThere: Bool {
    let present = try? Shell.run(python, ["-c", "import boto3"], environment: ProcessInfo.processInfo.environment)
    if present?.status != 0 { print("SKIPPED: the Python package `boto3` is not installed") }
    return present?.status == 0
  }
}
