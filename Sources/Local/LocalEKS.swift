import AWS
import EKS
import Foundation
import InCluster
import Kubernetes
import Synchronization
package import Wire
package import World

/// The local EKS: the storeys put together around one world, with its thread, its doors and its folder.
package final class LocalEKS: Sendable {
  package struct Options: Sendable {
    package var state: String
    package var port: Int
    package var clock: ClockMode
    package var awsTime: Durations.Mode
    /// Nil for one drawn at the world's beginning.
    package var seed: UInt64?
    /// Whether a new world writes its input log.
    package var record: Bool
    /// PEM of authorities that are believed beside the system's by calls out of the world.
    package var authorities: String
    /// Controllers that run, as `--controllers` of the kube-controller-manager has them.
    package var controllers: [String]
    package var scheduler: Bool
    /// Whether calls to AWS are throttled at its rates.
    package var limitsRates: Bool

    package init(
      state: String, port: Int = 4566, clock: ClockMode = .live, awsTime: Durations.Mode = .fast, seed: UInt64? = nil,
      record: Bool = false, authorities: String = "",
      controllers: [String] = ["*"], scheduler: Bool = true, limitsRates: Bool = false
    ) {
      self.state = state
      self.port = port
      self.clock = clock
      self.awsTime = awsTime
      self.seed = seed
      self.record = record
      self.authorities = authorities
      self.controllers = controllers
      self.scheduler = scheduler
      self.limitsRates = limitsRates
    }
  }

  /// Names of the controllers that can be switched off.
  package static var controllers: [String] { ControlPlane.controllers }

  private let options: Options
  private let folder: StateFolder
  private let thread: WorldThread
  private let doors: any Doors
  private let report: @Sendable (String) -> Void
  private let outsideAddress: String
  private let region: String
  private let requestIDs: RequestIDs
  private let started = Mutex<(port: Int, stop: (@Sendable () -> Void)?)>((0, nil))

  /// Opens the folder and the world in it. `report` takes one line for each noteworthy event.
  package init(
    options: Options, doors: any Doors, report: @escaping @Sendable (String) -> Void,
    wall: @escaping @Sendable () -> Timestamp = LocalEKS.wallClock
  ) throws {
    self.options = options
    self.doors = doors
    self.report = report
    folder = try StateFolder(path: options.state)
    let world = try World(
      store: SQLiteStore(path: "\(options.state)/world.db"), logFiles: LogFiles(folder: "\(options.state)/logs"),
      options: World.Options(
        seed: options.seed ?? UInt64.random(in: .min ... .max), durations: Durations(mode: options.awsTime),
        start: wall(), record: options.record))
    if options.record, !world.inputs.isRecording {
      throw StoreError.unreadable(
        "the world in \(options.state) was begun without a record of its inputs; record a new one, in another folder")
    }
    world.inputs.vault = SealedFile(path: "\(folder.path)/keys/sealed")
    outsideAddress = world.outsideAddress
    region = world.region
    requestIDs = RequestIDs(start: UInt64(bitPattern: wall().microseconds))
    self.wall = wall
    thread = WorldThread(world: world, mode: options.clock, wall: wall, report: report)
    secrets = try SecretFile(path: "\(folder.path)/keys/secrets")
    let ports = ClusterPorts(in: world)
    clusterDoors = ClusterDoors(world: world, folder: folder, doors: doors, ports: ports, report: report) {
      [thread, outsideAddress, requestIDs] cluster in
      KubeDoor(
        cluster: cluster, thread: thread, wall: wall, outsideAddress: outsideAddress, requestIDs: requestIDs)
    }
    storeys = Storeys(
      world: world, host: clusterDoors, ports: ports, secrets: secrets, authorities: options.authorities
    ) { [thread] in thread.post($0) }
    try world.restore()
    if world.isResumed, options.clock != .step { world.jump(to: wall()) }
  }

  private let wall: @Sendable () -> Timestamp
  // Used on the world's thread, or before it is started.
  private nonisolated(unsafe) let storeys: Storeys
  private nonisolated(unsafe) let clusterDoors: ClusterDoors
  private nonisolated(unsafe) let secrets: SecretFile

  package static let wallClock: @Sendable () -> Timestamp = {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }

  /// Opens the doors and lets the world go. Returns the port of the AWS services.
  package func start() throws -> Int {
    clusterDoors.reopen()
    let handler = AWSDoor(
      thread: thread, wall: wall, outsideAddress: outsideAddress, defaultRegion: region, requestIDs: requestIDs)
    let port = try doors.open(DoorRequest(door: "aws", port: options.port), handler: handler)
    started.withLock { $0.port = port }
    storeys.choose(ControlPlane.Selection(controllers: options.controllers, scheduler: options.scheduler))
    storeys.chooseRates(options.limitsRates)
    storeys.began(endpoint: "http://localhost:\(port)")
    try folder.writePrivate("environment.json", environment(port: port).bytes(.pretty))
    thread.start()
    clusterDoors.prepare()
    return port
  }

  /// Handler of the control socket.
  package var control: any HTTPHandler { ControlDoor(local: self) }

  /// Called, from any thread, when somebody asks the process to end.
  package func onStopRequest(_ body: @escaping @Sendable () -> Void) { started.withLock { $0.stop = body } }
  func requestStop() { started.withLock { $0.stop }?() }

  /// Commits what is under way and ends the world's thread.
  package func stop() {
    thread.stop()
    folder.remove("environment.json")
  }

  /// What `ekswhy env` exports, as it is written into the folder.
  private func environment(port: Int) -> JSON {
    let credentials =
      secrets.credentials(of: storeys.aws.administratorKey) ?? AWSCredentials(accessKeyID: "", secretAccessKey: "")
    return [
      "endpoint": .string("http://localhost:\(port)"), "region": .string(region),
      "accessKeyID": .string(credentials.accessKeyID), "secretAccessKey": .string(credentials.secretAccessKey),
    ]
  }

  // MARK: - Commands

  func status(_ done: @escaping @Sendable (JSON) -> Void) {
    let port = started.withLock { $0.port }
    let folder = folder.path
    let posted = thread.post { [thread] world in
      thread.command(.now) { result in
        var status: JSON = [
          "pid": .int(Int64(getpid())), "endpoint": .string("http://localhost:\(port)"), "state": .string(folder),
          "account": .string(world.account), "region": .string(world.region),
          "seed": .string(String(world.seed)), "clusters": .array(world.ports.clusterStatus()),
          "idle": .bool(world.isIdle), "health": .string(world.failure.map { "\($0)" } ?? "ok"),
        ]
        if case .success(let report) = result { status["clock"] = report.json }
        done(status)
      }
    }
    if !posted { done(["health": "stopping"]) }
  }

  func clock(_ command: ClockCommand, _ done: @escaping @Sendable (Result<ClockReport, ClockError>) -> Void) {
    let command = Handed(command)
    let posted = thread.post { [thread] _ in thread.command(command.value, done: done) }
    if !posted { done(.failure(ClockError(message: "the local EKS is stopping"))) }
  }

  /// A command on its way to the world's thread, which alone uses it from then on.
  private struct Handed: @unchecked Sendable {
    let value: ClockCommand
    init(_ value: ClockCommand) { self.value = value }
  }
}
