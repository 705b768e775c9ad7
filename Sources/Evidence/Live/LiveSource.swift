package import Wire

/// Kubernetes evidence from an API server.
package struct LiveKubernetes: EvidenceSource {
  private let client: KubernetesClient
  private let context: String
  /// How far the cluster's time is ahead of this machine's: a local EKS whose clock was moved.
  var ahead = Duration.zero

  package init(_ client: KubernetesClient, context: String) {
    self.client = client
    self.context = context
  }

  /// How far the API server's own time is ahead of this machine's clock.
  func measureAhead() async -> Duration {
    guard let time = try? await client.serverTime() else { return .zero }
    let ahead = time - WallClock.now
    return ahead > .seconds(2) ? ahead : .zero
  }

  package func read(_ read: Read) async -> Reading {
    guard case .kubernetes(let kubernetes) = read else {
      return Reading(state: .missing("no AWS here"), at: WallClock.now)
    }
    do {
      let found = try await client.read(kubernetes)
      return Reading(
        items: found.items, state: found.isCutShort ? .partial("the list is longer than ekswhy reads") : .complete,
        at: WallClock.now)
    } catch let failure as KubernetesClient.Failure {
      switch failure.status {
      case 401: return Reading(state: .denied("401 Unauthorized: \(failure.description)"), at: WallClock.now)
      case 403: return Reading(state: .denied("403 Forbidden: \(failure.description)"), at: WallClock.now)
      default: return Reading(state: .missing("\(failure.status) \(failure.description)"), at: WallClock.now)
      }
    } catch {
      return Reading(state: .missing("the API server can't be reached: \(error)"), at: WallClock.now)
    }
  }

  package func now() async -> (time: Timestamp, basis: String) {
    (WallClock.now + ahead, ahead == .zero ? "" : "the cluster's clock")
  }

  package func remedy(for read: Read, _ state: Reading.State) -> String {
    switch state {
    case .denied(let why) where why.hasPrefix("401"):
      "kubectl --context \(context) auth whoami shows whether this context's credentials are accepted at all"
    case .denied: "ekswhy permissions prints the ClusterRole that allows it"
    case .missing(let why) where why.contains("budget"): "--max-reads"
    default: "\(read.command) --context \(context)"
    }
  }
}

/// AWS evidence from the services' endpoints.
package struct LiveAWS: EvidenceSource {
  private let client: AWSClient

  package init(_ client: AWSClient) { self.client = client }

  package func read(_ read: Read) async -> Reading {
    guard case .aws(let aws) = read else { return Reading(state: .missing("no Kubernetes here"), at: WallClock.now) }
    do {
      let output = try await client.call(
        service: aws.operation.service, operation: aws.operation.name, input: aws.input)
      return Reading(items: aws.operation.items(in: output), at: WallClock.now)
    } catch let failure as AWSClient.Failure {
      if aws.operation.notFound.contains(where: { failure.code.hasPrefix($0) }) { return Reading(at: WallClock.now) }
      let denied = [
        "AccessDenied", "UnauthorizedOperation", "AuthFailure", "ExpiredToken", "InvalidClientTokenId",
        "UnrecognizedClient", "SignatureDoesNotMatch", "InvalidSignature", "MissingAuthenticationToken",
      ]
      if denied.contains(where: { failure.code.hasPrefix($0) }) {
        return Reading(state: .denied(failure.description), at: WallClock.now)
      }
      return Reading(state: .missing(failure.description), at: WallClock.now)
    } catch {
      return Reading(state: .missing("\(error)"), at: WallClock.now)
    }
  }

  package func now() async -> (time: Timestamp, basis: String) { (WallClock.now, "") }

  package func remedy(for read: Read, _ state: Reading.State) -> String {
    switch state {
    case .denied: "ekswhy permissions prints the IAM policy that allows it"
    case .missing(let why) where why.contains("budget"): "--max-reads"
    default: "\(read.command) --region \(client.region)"
    }
  }
}
