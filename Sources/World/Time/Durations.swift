/// How long AWS's own workflows take. `fast` shortens them so far that SDK waiters find them done at
/// their first or second question; rules (intervals, time-outs, cool-downs) are not in here and are
/// never shortened. Sources of the real figures: published experiments and user reports, mid-range.
package struct Durations: Sendable, Codable {
  package enum Mode: String, Sendable, Codable { case fast, real }

  package enum Step: String, Sendable, Codable, CaseIterable {
    case clusterCreate, clusterUpdate, clusterDelete
    case nodegroupScaleUp, nodegroupDelete
    case instanceLaunch, instanceBoot, instanceTerminate
    case imagePull, containerStart
    case addonInstall, fargateProfile, fargateLaunch
    case interfaceAttach, interfaceDetach
    case certificateIssue
  }

  package var mode: Mode

  package init(mode: Mode) { self.mode = mode }

  package subscript(step: Step) -> Duration {
    let (real, fast) = Self.figures(step)
    return mode == .real ? real : fast
  }

  private static func figures(_ step: Step) -> (real: Duration, fast: Duration) {
    switch step {
    case .clusterCreate: (.seconds(540), .milliseconds(150))
    case .clusterUpdate: (.seconds(120), .milliseconds(100))
    case .clusterDelete: (.seconds(240), .milliseconds(100))
    case .nodegroupScaleUp: (.seconds(30), .milliseconds(20))
    case .nodegroupDelete: (.seconds(120), .milliseconds(50))
    case .instanceLaunch: (.seconds(8), .milliseconds(20))
    case .instanceBoot: (.seconds(32), .milliseconds(60))
    case .instanceTerminate: (.seconds(30), .milliseconds(50))
    case .imagePull: (.seconds(4), .milliseconds(20))
    case .containerStart: (.milliseconds(700), .milliseconds(10))
    case .addonInstall: (.seconds(40), .milliseconds(50))
    case .fargateProfile: (.seconds(60), .milliseconds(100))
    case .fargateLaunch: (.seconds(40), .milliseconds(50))
    case .interfaceAttach: (.seconds(2), .milliseconds(5))
    case .interfaceDetach: (.seconds(4), .milliseconds(5))
    case .certificateIssue: (.seconds(15), .milliseconds(20))
    }
  }
}
