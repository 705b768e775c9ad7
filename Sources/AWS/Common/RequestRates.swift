import Mechanisms
package import Wire
package import World

/// How many calls of an operation an account may make: a bucket of tokens for each, refilled as time passes.
///
/// Buckets are full when a process starts. What services of AWS call by themselves is not counted. Reads of clients
/// outside have buckets of their own, since they leave nothing in a world's record.
package final class RequestRates {
  struct Rate: Equatable {
    /// Calls at once.
    var burst: Double
    /// A second.
    var refill: Double

    init(_ burst: Double, _ refill: Double) {
      self.burst = burst
      self.refill = refill
    }
  }

  private struct Bucket {
    var tokens: Double
    var world: Timestamp
    /// The clock of the callers outside, by which they wait.
    var wall: Timestamp?
  }

  private var buckets: [String: Bucket] = [:]

  package init() {}

  /// Takes a token; the refusal where there is none.
  package func refuse(_ request: AWSRequest) -> AWSError? {
    if case .service = request.call.caller { return nil }
    let service = request.call.service
    guard let rate = Self.rate(service, request.operation) else { return nil }
    let isApart = !request.call.isInside && Self.isRead(request.operation)
    let key = "\(service):\(request.operation)\(isApart ? " outside" : "")"
    var bucket = buckets[key] ?? Bucket(tokens: rate.burst, world: request.now)
    let wall = request.call.callerClock
    var passed = (request.now - bucket.world).inSeconds
    if let wall, let last = bucket.wall { passed = max(passed, (wall - last).inSeconds) }
    bucket.tokens = min(rate.burst, bucket.tokens + max(0, passed) * rate.refill)
    bucket.world = request.now
    if let wall { bucket.wall = wall }
    let isRefused = bucket.tokens < 1
    if !isRefused { bucket.tokens -= 1 }
    buckets[key] = bucket
    return isRefused ? Self.refusal(service) : nil
  }

  static func isRead(_ operation: String) -> Bool {
    ["Describe", "Get", "List", "Search", "Simulate"].contains { operation.hasPrefix($0) }
  }

  /// As each service says it.
  static func refusal(_ service: String) -> AWSError {
    switch service {
    case "ec2": AWSError(code: "RequestLimitExceeded", message: "Request limit exceeded.", status: 503)
    case "iam", "sts", "autoscaling": AWSError(code: "Throttling", message: "Rate exceeded", status: 400)
    case "eks": AWSError(code: "ThrottlingException", message: "Rate exceeded", status: 429)
    default: AWSError(code: "ThrottlingException", message: "Rate exceeded", status: 400)
    }
  }

  // MARK: - Rates

  /// EC2's as its guide for developers lists them; AWS publishes none of IAM and EKS, and these are a guess.
  static func rate(_ service: String, _ operation: String) -> Rate? {
    switch service {
    case "ec2": ofEC2[operation] ?? (isRead(operation) ? Rate(100, 20) : Rate(50, 5))
    case "sts": Rate(600, 600)
    case "iam": isRead(operation) ? Rate(100, 20) : Rate(50, 10)
    case "eks": isRead(operation) ? Rate(100, 20) : Rate(50, 5)
    default: nil
    }
  }

  private static let ofEC2: [String: Rate] = [
    "AssignPrivateIpAddresses": Rate(100, 10), "UnassignPrivateIpAddresses": Rate(100, 10),
    "AttachNetworkInterface": Rate(100, 5), "DetachNetworkInterface": Rate(100, 5),
    "CreateNetworkInterface": Rate(100, 5), "DeleteNetworkInterface": Rate(100, 5),
    "ModifyNetworkInterfaceAttribute": Rate(100, 5), "CreateTags": Rate(100, 10), "DeleteTags": Rate(100, 10),
    "CreateVolume": Rate(100, 5), "DeleteVolume": Rate(100, 5), "AttachVolume": Rate(100, 5),
    "DetachVolume": Rate(100, 5), "RunInstances": Rate(5, 2), "TerminateInstances": Rate(100, 5),
    "CreateLaunchTemplateVersion": Rate(100, 5), "CreateVpcEndpoint": Rate(4, 0.3),
    "ModifyVpcEndpoint": Rate(4, 0.3), "DeleteVpcEndpoints": Rate(4, 0.3), "AcceptVpcPeeringConnection": Rate(10, 1),
    "CreateDefaultVpc": Rate(1, 1), "CreateNatGateway": Rate(10, 1), "DescribeInstanceTypes": Rate(100, 100),
  ]
}

extension Duration {
  fileprivate var inSeconds: Double { Double(microseconds) / 1_000_000 }
}
