import Foundation
import Synchronization
package import Wire
package import World

/// The one thread that owns the world: takes what came in, carries out what is due, commits, and goes on.
final class WorldThread: @unchecked Sendable {
  typealias Job = (World) -> Void

  /// Events carried out before waiting requests are looked at again.
  private static let slice = 500
  /// What a slice is cut to where something came in meanwhile: events may be heavy.
  private static let patience = Duration.milliseconds(2)
  /// Slices that one batch may hold while nobody waits for it.
  private static let batchSlices = 20
  /// Of a time in which there is always more to do, at most one part in this many goes into commits.
  private static let commitShare = 4.0
  /// Longest that an answer is kept for a batch to grow, in seconds.
  private static let longestBatch = 1.0

  private let condition = NSCondition()
  // Guarded by `condition`.
  private var jobs: [Job] = []
  private var stopping = false
  private var stopped = false

  // Owned by the thread.
  private let world: World
  private var clock: WorldClock
  private var drive: Drive?
  /// Slices since the last commit.
  private var uncommitted = 0
  private let stopwatch = ContinuousClock()
  /// When events were last carried out.
  private var eventsRan = ContinuousClock.now
  /// When the last commit ended, and how long it took, in seconds.
  private var committed = (at: ContinuousClock.now, took: 0.0)
  private let wall: @Sendable () -> Timestamp
  /// Failures of the store are logged once, not for each request.
  private var reportedFailure = false
  private let report: @Sendable (String) -> Void

  /// A command under way that moves the clock.
  private struct Drive {
    enum Goal {
      case until(Timestamp)
      case idle
      case condition(String, (World) -> Bool)
    }
    var goal: Goal
    /// World time at which the drive gives up.
    var limit: Timestamp
    var done: (Result<ClockReport, ClockError>) -> Void
  }

  init(
    world: World, mode: ClockMode, wall: @escaping @Sendable () -> Timestamp,
    report: @escaping @Sendable (String) -> Void
  ) {
    self.world = world
    self.wall = wall
    self.report = report
    clock = WorldClock(mode: mode, wall: wall(), world: max(world.now, wall()))
    if mode == .step { clock.anchor(wall: wall(), world: world.now) }
  }

  func start() {
    let thread = Thread { [self] in run() }
    thread.name = "world"
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// Whether something came in since the last look; read without the lock.
  private let hasJobs = Atomic(false)

  /// Hands something to the world's thread; in order of arrival. False once it is stopping.
  @discardableResult
  func post(_ job: @escaping @Sendable (World) -> Void) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    guard !stopping else { return false }
    jobs.append(job)
    hasJobs.store(true, ordering: .releasing)
    condition.signal()
    return true
  }

  /// Finishes what has arrived, commits, and ends the thread.
  func stop() {
    condition.lock()
    stopping = true
    condition.signal()
    while !stopped { condition.wait() }
    condition.unlock()
  }

  // MARK: - The thread

  private func run() {
    while true {
      condition.lock()
      let taken = jobs
      jobs.removeAll(keepingCapacity: true)
      hasJobs.store(false, ordering: .releasing)
      let leaving = stopping
      condition.unlock()

      let busy = turn(taken)
      if leaving {
        world.commit()
        condition.lock()
        stopped = true
        condition.broadcast()
        condition.unlock()
        return
      }
      guard !busy else { continue }

      condition.lock()
      if jobs.isEmpty, !stopping {
        if let delay = delay() {
          _ = condition.wait(until: Date(timeIntervalSinceNow: delay.inSeconds))
        } else {
          condition.wait()
        }
      }
      condition.unlock()
    }
  }

  /// One round; true when there is more to do at once.
  private func turn(_ jobs: [Job]) -> Bool {
    let target = drive == nil && clock.mode != .step ? clock.world(at: wall()) : world.now
    world.setClock(target)
    for job in jobs { job(world) }
    var more = false
    if drive != nil {
      more = advanceDrive()
    } else if clock.mode == .run, !world.isIdle {
      more = runWhileBusy(until: .distantFuture)
      clock.anchor(wall: wall(), world: world.now)
    } else if !jobs.isEmpty, stopwatch.now - eventsRan < Self.patience * 5 {
      // Whoever asks on and on is answered first, and lets events have their part.
      more = world.nextEvent.map { $0 <= target } ?? false
    } else {
      more = runSlice(until: target)
      eventsRan = stopwatch.now
    }
    // A batch costs by what it touches: a long run with nobody waiting writes a component once, not each slice.
    uncommitted += 1
    if !more || uncommitted >= Self.batchSlices || (world.holdsAnswers && isWorthCommitting) {
      let begun = stopwatch.now
      world.commit()
      committed = (at: stopwatch.now, took: (stopwatch.now - begun).inSeconds)
      uncommitted = 0
    }
    reportFailure()
    return more
  }

  /// Whether the work since the last commit outweighs what that cost: a client that keeps asking of a busy world would
  /// otherwise have each of its looks pay for everything that moved. Many who wait share the price.
  private var isWorthCommitting: Bool {
    let price = committed.took * (Self.commitShare - 1) / Double(max(1, world.heldAnswers))
    return (stopwatch.now - committed.at).inSeconds >= min(price, Self.longestBatch)
  }

  private func reportFailure() {
    if let failure = world.failure {
      if !reportedFailure { report("\(failure); nothing is acknowledged until it can be written again") }
      reportedFailure = true
    } else if reportedFailure {
      report("the state can be written again")
      reportedFailure = false
    }
  }

  /// Carries out what is due; true when the slice was too short for it.
  private func runSlice(until time: Timestamp) -> Bool {
    let (begun, piece) = (stopwatch.now, 2)
    for _ in 0..<(Self.slice / piece) {
      if world.runEvents(until: time, limit: piece) < piece { return false }
      if isDisturbed(since: begun) { break }
    }
    return true
  }

  /// Whether somebody waits while a slice has had its time.
  private func isDisturbed(since begun: ContinuousClock.Instant) -> Bool {
    hasJobs.load(ordering: .acquiring) && stopwatch.now - begun >= Self.patience
  }

  /// Carries out events as long as foreground is left; true when the slice was too short for it.
  private func runWhileBusy(until limit: Timestamp) -> Bool {
    let begun = stopwatch.now
    for _ in 0..<Self.slice {
      if isDisturbed(since: begun) { return true }
      guard !world.isIdle, let next = world.nextEvent, next <= limit, !isAwaited(next) else { return false }
      _ = world.runEvents(until: next, limit: 1)
    }
    return true
  }

  /// Whether a call out of the world would be given up by then: its answer is waited for first.
  private func isAwaited(_ time: Timestamp) -> Bool { world.outbound.deadline.map { time >= $0 } ?? false }

  private func advanceDrive() -> Bool {
    guard let drive else { return false }
    switch drive.goal {
    case .until(let time):
      let near = world.outbound.deadline.map { min(time, $0 - .microseconds(1)) } ?? time
      if runSlice(until: near) { return true }
      guard !isAwaited(time) else { return false }
      world.setClock(time)
      finish(drive, .success(ClockReport(now: world.now)))
    case .idle:
      if runWhileBusy(until: drive.limit) { return true }
      if let next = world.nextEvent, !world.isIdle, isAwaited(next) { return false }
      finish(drive, world.isIdle ? .success(ClockReport(now: world.now)) : .failure(overdue(drive, "idle")))
    case .condition(let name, let holds):
      let begun = stopwatch.now
      for _ in 0..<Self.slice {
        if isDisturbed(since: begun) { return true }
        if holds(world) {
          finish(drive, .success(ClockReport(now: world.now)))
          return false
        }
        guard let next = world.nextEvent, next <= drive.limit else {
          finish(drive, .failure(overdue(drive, name)))
          return false
        }
        if isAwaited(next) { return false }
        _ = world.runEvents(until: next, limit: 1)
      }
      return true
    }
    return false
  }

  private func overdue(_ drive: Drive, _ goal: String) -> ClockError {
    let busy = world.busiest(3).map { "\($0.id) (\($0.waiting))" }
    return ClockError(
      message: "the limit was reached at \(world.now.rfc3339) before \(goal)"
        + (busy.isEmpty ? "; nothing is under way" : "; still busy: \(busy.joined(separator: ", "))"))
  }

  private func finish(_ drive: Drive, _ result: Result<ClockReport, ClockError>) {
    self.drive = nil
    clock.anchor(wall: wall(), world: world.now)
    world.answerOutside { _ in drive.done(result) }
  }

  /// How long nothing happens by itself; nil for ever.
  private func delay() -> Duration? {
    guard clock.mode != .step, let next = world.nextEvent, drive == nil || !isAwaited(next) else { return nil }
    return clock.wallDelay(until: next, from: wall())
  }

  // MARK: - Commands, on the world's thread

  func command(_ command: ClockCommand, done: @escaping (Result<ClockReport, ClockError>) -> Void) {
    let answer = { [self] in
      done(.success(ClockReport(now: world.now, mode: clock.mode, rate: clock.rate, wall: wall())))
    }
    if drive != nil {
      return done(.failure(ClockError(message: "the clock is being moved by another command; wait for it to end")))
    }
    switch command {
    case .now: answer()
    case .mode(let mode):
      clock.mode = mode
      clock.anchor(wall: wall(), world: world.now)
      answer()
    case .rate(let rate):
      guard rate > 0, rate <= 100_000, rate.isFinite else {
        return done(.failure(ClockError(message: "rate \(rate): wanted a number above 0 and at most 100000")))
      }
      clock.setRate(rate, wall: wall())
      answer()
    case .advance(let duration):
      guard duration >= .zero, duration <= .seconds(366 * 86_400) else {
        return done(.failure(ClockError(message: "advance by \(duration): wanted 0 to 366 days; time never goes back")))
      }
      drive = Drive(goal: .until(world.now + duration), limit: world.now + duration, done: done)
    case .runUntilIdle(let limit):
      drive = Drive(goal: .idle, limit: world.now + limit, done: done)
    case .runUntil(let text, let limit, let holds):
      drive = Drive(goal: .condition(text, holds), limit: world.now + limit, done: done)
    }
  }
}

/// What may be done to the clock of a running world.
package enum ClockCommand {
  case now
  case mode(ClockMode)
  case rate(Double)
  case advance(Duration)
  case runUntilIdle(limit: Duration)
  case runUntil(String, limit: Duration, (World) -> Bool)
}

package struct ClockReport: Sendable {
  package var now: Timestamp
  package var mode: ClockMode?
  package var rate: Double?
  package var wall: Timestamp?

  /// How far world time is ahead of wall time.
  package var ahead: Duration? { wall.map { now - $0 } }
}

package struct ClockError: Error, Sendable, CustomStringConvertible {
  package var message: String
  package var description: String { message }
}
