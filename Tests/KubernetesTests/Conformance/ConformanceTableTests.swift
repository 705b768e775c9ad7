import Foundation
import Testing

/// Every spec that a control plane passes without containers is held by a test of this project:
/// `Tests/Golden/kubernetes/conformance.txt` says which, and this suite that it is there.
@Suite("Conformance: which test holds which spec")
struct ConformanceTableTests {
  private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().resolvingSymlinksInPath()

  private struct Row {
    var suite: String
    var function: String
    var spec: String
  }

  private static func rows() throws -> [Row] {
    let text = try String(
      contentsOf: tests.appendingPathComponent("Golden/kubernetes/conformance.txt"), encoding: .utf8)
    return text.split(separator: "\n").map { line in
      let parts = line.split(separator: "\t").map(String.init)
      let test = parts[0].split(separator: "/").map(String.init)
      return Row(suite: test[0], function: test[1], spec: parts[1])
    }
  }

  /// The text of each suite, from its declaration to the next one's.
  private static func suites() throws -> [String: String] {
    var found: [String: String] = [:]
    let files = FileManager.default.enumerator(at: tests, includingPropertiesForKeys: nil)
    while let file = files?.nextObject() as? URL {
      guard file.pathExtension == "swift" else { continue }
      let text = try String(contentsOf: file, encoding: .utf8)
      var suite = ""
      for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        if line.hasPrefix("struct ") || line.hasPrefix("final class ") {
          suite = String(line.drop { $0 != " " }.split(separator: " ").first { $0 != "class" } ?? "")
        }
        found[suite, default: ""] += line + "\n"
      }
    }
    return found
  }

  @Test("Every spec has its test")
  func complete() throws {
    let rows = try Self.rows()
    let suites = try Self.suites()
    #expect(rows.count == 166 && Set(rows.map(\.spec)).count == rows.count)
    for row in rows {
      let text = try #require(suites[row.suite], "\(row.spec): no suite \(row.suite)")
      let function = try #require(
        text.range(of: "func \(row.function)("), "\(row.spec): no \(row.suite)/\(row.function)")
      // The attribute stands before it, after the end of whatever comes first.
      let before = text[..<function.lowerBound]
      let attribute = before.range(of: "@Test", options: .backwards)?.lowerBound
      let end = before.range(of: "\n  }\n", options: .backwards)?.lowerBound ?? before.startIndex
      #expect(attribute.map { $0 > end } == true, "\(row.suite)/\(row.function) is no test")
      #expect(row.spec.hasPrefix("[sig-") && row.spec.hasSuffix("[Conformance]"))
    }
  }
}
