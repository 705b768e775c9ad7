import Foundation
import Testing
import Wire

/// The same seed and script give the same world, byte for byte, in fresh processes (in which the order of
/// Swift's dictionaries differs).
@Suite struct DeterminismTests {
  private func digest(_ seed: Int) throws -> String {
    let outcome = try Shell.run(
      LocalEKSProcess.binary, ["rehearse", "--seed", String(seed)], environment: ProcessInfo.processInfo.environment)
    #expect(outcome.status == 0, "\(outcome.all)")
    return outcome.trimmed
  }

  @Test func aSeedIsAWorld() throws {
    let first = try digest(7)
    #expect(first.hasSuffix("Z") && !first.hasPrefix("0 rows"))
    for _ in 0..<3 { #expect(try digest(7) == first) }
    #expect(try digest(8) != first)
  }

  @Test func coverageIsTold() throws {
    let outcome = try Shell.run(
      LocalEKSProcess.binary, ["coverage", "-o", "json"], environment: ProcessInfo.processInfo.environment)
    let rows = try JSON.parse(outcome.output).items
    func status(_ operation: String) -> String? {
      rows.first { $0["service"].string == "eks" && $0["operation"].string == operation }?["status"].string
    }
    #expect(status("CreateCluster") == "modelled")
    #expect(status("RegisterCluster") == "unsupported")
  }
}
