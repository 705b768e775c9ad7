import Wire
import World

/// Commands of `ekswhy status`, `clock` and `down` to the running process, on a socket in its state folder.
struct ControlDoor: HTTPHandler {
  let local: LocalEKS

  func handle(_ request: HTTPRequest, _ responder: any HTTPResponder) {
    switch (request.method, request.path) {
    case ("GET", "/status"): local.status { answer($0, responder) }
    case ("POST", "/clock"):
      do {
        let command = try ClockCommand(json: try JSON.parse(request.body))
        local.clock(command) { result in
          switch result {
          case .success(let report): answer(report.json, responder)
          case .failure(let error): refuse(error.message, responder)
          }
        }
      } catch let error as ClockError { refuse(error.message, responder) } catch { refuse("\(error)", responder) }
    case ("POST", "/shutdown"):
      answer(["stopping": true], responder)
      local.requestStop()
    default: responder.send(HTTPResponse(status: 404, body: Array("no such command".utf8)))
    }
  }

  private func answer(_ json: JSON, _ responder: any HTTPResponder) {
    responder.send(HTTPResponse(status: 200, headers: ["Content-Type": "application/json"], body: json.bytes()))
  }

  private func refuse(_ message: String, _ responder: any HTTPResponder) {
    let body: JSON = ["message": .string(message)]
    responder.send(HTTPResponse(status: 400, headers: ["Content-Type": "application/json"], body: body.bytes()))
  }
}

extension ClockReport {
  var json: JSON {
    [
      "now": .string(now.rfc3339Milli), "mode": JSON(mode?.rawValue), "rate": rate.map { .double($0) } ?? .null,
      "aheadSeconds": ahead.map { .double($0.inSeconds) } ?? .null,
    ]
  }
}

extension ClockCommand {
  /// Reads `{"command": "advance", "seconds": 60}` and the like.
  init(json: JSON) throws(ClockError) {
    func seconds(_ key: String, default standard: Double?) throws(ClockError) -> Duration {
      guard let value = json[key].double ?? standard, value >= 0, value <= 366 * 86_400 else {
        throw ClockError(message: "\(key): wanted 0 to 366 days in seconds, got \(json[key])")
      }
      return .milliseconds(Int64(value * 1000))
    }
    let limit = try seconds("limitSeconds", default: 3600)
    switch json["command"].string {
    case "now": self = .now
    case "mode":
      guard let mode = json["mode"].string.flatMap(ClockMode.init(rawValue:)) else {
        throw ClockError(message: "mode \(json["mode"]): wanted live, step or run")
      }
      self = .mode(mode)
    case "rate": self = .rate(json["rate"].double ?? 0)
    case "advance": self = .advance(try seconds("seconds", default: nil))
    case "run-until":
      let text = json["condition"].string ?? ""
      if text == "idle" {
        self = .runUntilIdle(limit: limit)
      } else if let time = Timestamp(rfc3339: text) {
        self = .runUntil(text, limit: limit) { $0.now >= time }
      } else {
        let condition = try ClockCondition(text)
        self = .runUntil(text, limit: limit) { condition.holds(in: $0) }
      }
    default: throw ClockError(message: "no clock command \(json["command"])")
    }
  }
}
