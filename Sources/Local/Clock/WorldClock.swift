import Wire

/// How world time follows wall time.
package enum ClockMode: String, Sendable, Codable, CaseIterable {
  /// World time goes as wall time goes, ahead of it by what was skipped.
  case live
  /// World time moves only when told to.
  case step
  /// World time jumps to the next thing that happens as long as something is under way; then it is live.
  case run
}

/// World time as a line through wall time: from an anchor on, at a rate.
struct WorldClock: Codable {
  var mode: ClockMode
  private(set) var rate: Double
  private var anchorWall: Timestamp
  private var anchorWorld: Timestamp

  init(mode: ClockMode, wall: Timestamp, world: Timestamp) {
    self.mode = mode
    rate = 1
    anchorWall = wall
    anchorWorld = world
  }

  /// World time at that wall time, were nothing skipped meanwhile.
  func world(at wall: Timestamp) -> Timestamp {
    let elapsed = Double(max(0, wall.microseconds - anchorWall.microseconds)) * rate
    return Timestamp(microseconds: anchorWorld.microseconds + Int64(elapsed))
  }

  /// Wall time to wait until the world's clock shows `world`.
  func wallDelay(until world: Timestamp, from wall: Timestamp) -> Duration {
    let ahead = Double(world.microseconds - self.world(at: wall).microseconds)
    return .microseconds(max(0, Int64(ahead / rate)))
  }

  /// Goes on from here: the world shows `world` at `wall`.
  mutating func anchor(wall: Timestamp, world: Timestamp) {
    anchorWall = wall
    anchorWorld = world
  }

  mutating func setRate(_ rate: Double, wall: Timestamp) {
    anchor(wall: wall, world: world(at: wall))
    self.rate = rate
  }
}
