package import Wire

/// The input log: everything that came into the world from outside, in order, so that the world can be played again.
///
/// A record is written with the batch it belongs to, and cut to it on restart, as every log. An input that
/// changed nothing and left no trace (most reads) is not written. Whoever asks something of the outside that the
/// world can't know asks through ``answer(_:_:)``; a replay is given what was answered then.
package final class InputLog {
  package static let stream = "inputs"
  /// Bytes after which recording ends: a log without its beginning could not be played.
  package static let limit = 256 << 20

  /// What survives the process.
  struct Saved: Codable {
    var sequence: Int
    var isEnded: Bool
  }

  private enum Role { case off, recording, replaying }

  private unowned let world: World
  private var role = Role.off
  private(set) var saved: Saved?
  /// Held back, since more events may join it and the last of a batch is marked.
  private var last: InputRecord?
  /// The clock after the last record.
  private var clock: Timestamp
  private var answers: [JSON] = []
  private var listeners: [String: (JSON) -> Void] = [:]
  /// Where secrets of recorded requests are kept. Set by Local before anything is recorded.
  package var vault: (any Vault)?
  private lazy var recording = Recording(world: world)
  /// What a replay met that was recorded otherwise, at most a few.
  package private(set) var divergences: [String] = []

  init(world: World, saved: Saved?) {
    self.world = world
    self.saved = saved
    clock = world.now
    if let saved, !saved.isEnded { role = .recording }
  }

  package var isRecording: Bool { role == .recording }
  package var isReplaying: Bool { role == .replaying }

  /// Begins the log of a new world.
  func begin(_ options: World.Options) {
    saved = Saved(sequence: 0, isEnded: false)
    role = .recording
    append(
      .began(
        seed: options.seed, account: options.account, region: options.region, outsideAddress: options.outsideAddress,
        durations: options.durations.mode))
  }

  func opened() { if isRecording { append(.opened(world.durations.mode)) } }

  // MARK: - Inputs

  /// Carries out what came from outside, and records it when it changed anything.
  func take<Result>(_ input: () -> InputRecord.Input, always: Bool = false, _ carryOut: () -> Result) -> Result {
    guard role == .recording else { return carryOut() }
    answers = []
    let marks = world.marks
    let at = world.now
    let result = carryOut()
    if always || world.marks != marks { append(input(), at: at) }
    return result
  }

  /// A request to an AWS service.
  func take(_ call: AWSCall, _ carryOut: () -> AWSReply) -> AWSReply {
    take({ .aws(recording.json(call)) }, carryOut)
  }

  /// A request to an API server.
  func take(_ request: KubeRequest, _ carryOut: () -> Void) {
    take({ .kube(recording.json(request)) }, carryOut)
  }

  /// Says who takes what is told under a name.
  package func listen(_ kind: String, _ body: @escaping (JSON) -> Void) {
    precondition(listeners[kind] == nil, "two listen to \(kind)")
    listeners[kind] = body
  }

  /// Tells the world something that is no request: that a client is gone, what came in over an open stream.
  package func tell(_ kind: String, _ value: JSON) {
    guard let listener = listeners[kind] else { preconditionFailure("nobody listens to \(kind)") }
    take({ .told(kind, value) }, always: true, { listener(value) })
  }

  /// Called before and after events are carried out.
  func eventsBegin() { if role == .recording { answers = [] } }
  func eventsEnd(_ count: Int, from start: Timestamp) {
    guard role == .recording, count > 0 else { return }
    if case .events(let before)? = last?.input, clock == start {
      last!.input = .events(before + count)
      last!.answers += answers
      clock = world.now
    } else {
      append(.events(count), at: start)
    }
  }

  func jumped(from start: Timestamp, to time: Timestamp) {
    if isRecording { append(.jumped(to: time), at: start) }
  }

  // MARK: - Questions to the outside

  /// What the outside says to a question: asked now, or, in a replay, what it said when the log was written.
  package func answer(_ question: String, _ ask: () -> JSON) -> JSON {
    switch role {
    case .off: return ask()
    case .recording:
      let answer = ask()
      answers.append([question: answer])
      return answer
    case .replaying:
      guard let next = answers.first, next.has(question) else {
        diverge("asks \(question), which was not asked when the log was written")
        return ask()
      }
      answers.removeFirst()
      return next[question]
    }
  }

  /// The same for an answer that nobody may read in the log: its digest stands there, the value in the vault.
  package func secretAnswer(_ question: String, _ ask: () -> String) -> String {
    guard role != .off else { return ask() }
    let digest = answer(question) { .string(vault?.seal(ask()) ?? "") }.string ?? ""
    return vault?.open(digest) ?? digest
  }

  // MARK: - Replay

  /// Plays a record. Requests come from the log without credentials: what was found out about them then holds.
  package func replay(_ record: InputRecord, responder: any HTTPResponder) {
    role = .replaying
    answers = record.answers
    world.setClock(record.at)
    switch record.input {
    case .began, .opened, .ended: break
    case .jumped(let time): world.jump(to: time)
    case .events(let count):
      let done = world.runEvents(until: .distantFuture, limit: count)
      if done != count { diverge("has \(done) events of \(count)") }
    case .aws(let json):
      let reply = world.aws.perform(recording.call(json))
      if let body = try? JSON.bytes(encoding: reply) {
        world.answerOutside { _ in responder.send(HTTPResponse(status: reply.error?.status ?? 200, body: body)) }
      }
    case .kube(let json): world.kube.handle(recording.request(json), .outside(responder))
    case .told(let kind, let value): listeners[kind]?(value)
    }
    if !answers.isEmpty { diverge("did not ask for \(answers.map { $0.fields.first?.key ?? "" })") }
    if let time = record.committedAt {
      world.setClock(time)
      world.commit()
    }
    current = record.sequence + 1
  }
  private var current = 0

  private func diverge(_ text: String) {
    if divergences.count < 20 { divergences.append("input \(current): the world \(text)") }
  }

  // MARK: - Writing

  private func append(_ input: InputRecord.Input, at: Timestamp? = nil) {
    flush()
    last = InputRecord(sequence: saved!.sequence, at: at ?? world.now, input: input, answers: answers)
    answers = []
    saved!.sequence += 1
    clock = world.now
  }

  private func flush() {
    guard let record = last else { return }
    last = nil
    world.logs.append(Self.stream, at: record.at, record.json.text())
  }

  /// Ends the batch: called with each commit that writes.
  func settle() {
    guard role == .recording else { return }
    if world.logs.length(Self.stream) > Self.limit { append(.ended("the log has reached its bound")) }
    // Nothing came from outside, yet something is to be written: what storeys do as they are set up.
    guard last != nil else { return }
    last!.committedAt = world.now
    clock = world.now
    if case .ended = last!.input {
      saved!.isEnded = true
      role = .off
    }
    flush()
  }
}

/// Keeps what the input log must not hold.
package protocol Vault: AnyObject {
  /// Keeps a value and returns what stands for it: a digest of it of 64 hexadecimal digits.
  func seal(_ value: String) -> String
  /// The value behind a digest; nil when it isn't at hand.
  func open(_ digest: String) -> String?
}
