import Wire
import World

/// How a container ended.
struct ContainerExit: Codable, Sendable {
  var code: Int
  var reason: String
  var startedAt: Timestamp
  var finishedAt: Timestamp
  var containerID: String
  /// What the runtime said of it.
  var message: String?
}

/// How a probe of a container fares.
struct ProbeRecord: Codable, Sendable {
  /// When it is due next.
  var next: Timestamp
  var failures = 0
  var successes = 0
}

/// A container as its kubelet keeps it.
struct ContainerRecord: Codable, Sendable {
  enum State: Codable, Sendable {
    case waiting(reason: String, message: String)
    case running(since: Timestamp)
    case terminated(ContainerExit)
  }

  var name: String
  var isInit: Bool
  /// An init container that runs on beside the others.
  var isSidecar = false
  /// One that was put into a running pod, to look around.
  var isEphemeral: Bool?
  var state: State
  var last: ContainerExit?
  var restarts = 0
  var id = ""
  var isReady = false
  var hasStarted = false
  /// When the pull under way ends.
  var pullEnds: Timestamp?
  var hasImage = false
  var failedPulls = 0
  /// Pause before the next start, doubled each time.
  var crashPause: Duration = .zero
  var notBefore: Timestamp?
  /// When it ends by itself or by a signal, and with what code.
  var ends: Timestamp?
  var endCode = 0
  var program: ComponentID?
  /// What the program last said of itself; nil as long as it said nothing.
  var saysReady: Bool?
  /// How its probes fare, by their kinds.
  var probes: [String: ProbeRecord]?
  var wasToldToStop = false
  /// Whether its command really runs in its pod's inside.
  var runs: Bool?
  /// What its processes listen on, where they really run.
  var ports: [Int]?
  /// Why it could not be started.
  var fault: String?

  /// The `postStart` hook under way.
  var postStart: PostStart?
  /// What its hook said as it failed, until the container is started anew.
  var hookFailure: String?
  /// How far it is on its way to its end.
  var stopping: Stopping?
  /// When its image may be asked for again.
  var pullAgainAt: Timestamp?
  /// Whether it keeps the resources it has although its spec says others.
  var keepsResources: Bool?
  /// Whether it ends because it takes more memory than it may.
  var endsByMemory: Bool?

  struct PostStart: Codable, Sendable {
    /// When it is over, where that is known.
    var ends: Timestamp?
  }

  struct Stopping: Codable, Sendable {
    /// When its grace is over.
    var deadline: Timestamp
    /// When its `preStop` hook is over or counts as that.
    var hookEnds: Timestamp?
    /// A sidecar, which ends after those that it serves.
    var waitsForTurn = false
    var isSignalled = false
  }

  /// One of those that the pod is there for.
  var isMain: Bool { !isInit && isEphemeral != true }
  var isRunning: Bool { if case .running = state { true } else { false } }
  var runningSince: Timestamp? { if case .running(let since) = state { since } else { nil } }
  var isYetToRun: Bool {
    if postStart != nil { return last == nil }
    if case .waiting = state { return last == nil }
    return false
  }
  var exit: ContainerExit? { if case .terminated(let exit) = state { exit } else { nil } }
}

/// A pod as its kubelet keeps it.
struct PodRecord: Codable, Sendable {
  enum Sandbox: String, Codable, Sendable { case none, asked, ready, gone }

  var uid: String
  var namespace: String
  var name: String
  var startedAt: Timestamp
  var sandbox = Sandbox.none
  var sandboxID = ""
  /// When the network was asked for an address and has not answered.
  var askedAt: Timestamp?
  var failedSandboxes = 0
  var failedMounts = 0
  /// Since when its volumes are waited for.
  var volumesSince: Timestamp?
  /// Not to be tried again before.
  var notBefore: Timestamp?
  var address = ""
  var containers: [ContainerRecord] = []
  /// Why it failed as a whole, whatever its containers did.
  var failure: Failure?
  /// When its grace is over; nil while it is wanted.
  var killAt: Timestamp?
  var toldTerminated = false

  /// A reason of the pod's own.
  struct Failure: Codable, Sendable {
    var reason: String
    var message: String
  }

  var key: String { "\(namespace)/\(name)" }
}
