import ArgumentParser
import Foundation
import Wire

/// `ekswhy down`: stops the local EKS; its state stays.
struct Down: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Stop the local EKS. Its state stays in the folder.")

  @OptionGroup var state: StateOption

  func run() throws {
    let folder = state.forExisting
    let client = ControlClient(folder: folder)
    do {
      let pid = try client.get("/status")["pid"].int
      _ = try client.post("/shutdown")
      try waitUntilGone(folder, pid)
      Terminal.say("the local EKS in \(folder) is stopped")
    } catch ControlClient.Problem.notRunning {
      Terminal.say("no local EKS runs in \(folder)")
    } catch let problem as ControlClient.Problem { throw problem.failure(folder) }
  }

  /// Gone is who has let go of the folder's lock, after the last commit.
  private func waitUntilGone(_ folder: String, _ pid: Int?) throws {
    let lock = open("\(folder)/lock", O_RDWR | O_CLOEXEC)
    guard lock >= 0 else { return }
    defer { close(lock) }
    for _ in 0..<3000 {
      if flock(lock, LOCK_EX | LOCK_NB) == 0 { return }
      usleep(10_000)
    }
    throw Failure("the local EKS in \(folder)\(pid.map { " (pid \($0))" } ?? "") has not ended after 30 s")
  }
}
