import Wire
import World

/// The one port of all AWS services: bytes to calls and back. Parsing happens on the connection's
/// thread, the decision in the world.
struct AWSDoor: HTTPHandler {
  let thread: WorldThread
  let wall: @Sendable () -> Timestamp
  let outsideAddress: String
  let defaultRegion: String
  let requestIDs: RequestIDs

  func handle(_ request: HTTPRequest, _ responder: any HTTPResponder) {
    let requestID = requestIDs.next()
    let route: AWSRoute
    switch AWSProtocol.route(request) {
    case .success(let found): route = found
    case .failure(let error): return responder.send(AWSProtocol.encode(error, requestID: requestID))
    }
    var call = AWSCall(
      service: route.service.id, operation: route.operation.name, region: route.region ?? defaultRegion,
      caller: .signed(request), sourceIP: outsideAddress, userAgent: request.headers["user-agent"] ?? "",
      requestID: requestID)
    call.callerClock = wall()
    switch AWSProtocol.input(of: request, route) {
    case .success(let input): call.input = input
    case .failure(let error): call.inputError = error
    }
    let posted = thread.post { [call] world in
      let reply = world.aws.receive(call)
      world.answerOutside { failure in
        if let failure {
          let error = AWSError(code: "InternalFailure", message: failure.description, status: 500)
          return responder.send(AWSProtocol.encode(error, for: route, requestID: requestID))
        }
        switch reply {
        case .ok(let output): responder.send(AWSProtocol.encode(output, for: route, requestID: requestID))
        case .error(let error): responder.send(AWSProtocol.encode(error, for: route, requestID: requestID))
        }
      }
    }
    if !posted {
      let error = AWSError(code: "ServiceUnavailable", message: "the local EKS is shutting down", status: 503)
      responder.send(AWSProtocol.encode(error, for: route, requestID: requestID))
    }
  }

  func refuse(_ request: HTTPRequest?, _ refusal: HTTPRefusal) -> HTTPResponse {
    AWSProtocol.encode(refusal, of: request, requestID: requestIDs.next())
  }
}
