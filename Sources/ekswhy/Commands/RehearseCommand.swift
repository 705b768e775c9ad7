import ArgumentParser
import Local

/// For the test that a seed decides a world in every process alike.
struct RehearseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rehearse", abstract: "Plays a fixed script in a world without doors and prints its digest.",
    shouldDisplay: false)

  @Option(help: "seed of the world's chance")
  var seed: UInt64 = 1

  @Flag(help: "print every row before the digest, to find what differs")
  var rows = false

  func run() throws { print(try Rehearsal.digest(seed: seed) { key, value in if rows { print("\(key) \(value)") } }) }
}
