import ArgumentParser
import Foundation
import Wire

struct TourCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tour",
    abstract: "The main job in one minute: a local EKS, a cluster, faults, the answers to why, a fix.",
    discussion: "Needs neither aws nor kubectl: it drives the local EKS over the wire itself, and prints the commands.")

  @Flag(help: "Leave the world up, so that you can break it in another way.")
  var keep = false

  func run() async throws {
    let started = ContinuousClock.now
    let folder = NSTemporaryDirectory() + "ekswhy-tour-\(ProcessInfo.processInfo.processIdentifier)"
    Stream.out("$ ekswhy up --detach --state \(folder) --port 0\n")
    let world = try await TourWorld.start(folder: folder)
    do {
      try await Tour(world: world).run()
    } catch {
      Stream.error("\nekswhy: the tour stopped: \(error)\n")
      if keep { Stream.error("the world is left up: eval \"$(ekswhy env --state \(folder))\"\n") } else { world.stop() }
      throw ExitCode(70)
    }
    let seconds = Int((ContinuousClock.now - started).inSeconds.rounded())
    Stream.out(
      """

      == that was the tour, in \(seconds) s
      On your own cluster, read-only:   ekswhy pod/NAME -n NAMESPACE      (what it reads: ekswhy permissions)
      Without a network, from a bundle: ekswhy capture --to bundle.tar.gz && ekswhy --from bundle.tar.gz pod/NAME

      """)
    if keep {
      Stream.out(
        """
        The world is still up. Break it in another way:
          eval "$(ekswhy env --state \(folder))" && aws eks update-kubeconfig --name demo
          kubectl -n kube-system set env ds/aws-node MAX_ENI=1
          aws ec2 stop-instances --instance-ids …
          ekswhy nodegroup/ng1
          ekswhy down --state \(folder)

        """)
    } else {
      Stream.out("To keep the world and break it in another way: ekswhy tour --keep\n")
      world.stop()
    }
  }
}
