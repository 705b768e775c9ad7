import Evidence
import Mechanisms
import Wire

/// Where the time of a stack went: its longest resources, and what of CDK's way of making a cluster adds to them.
struct StackTime: Link {
  let code = "ownership/stack-time"
  let explains: [Effect.Kind] = [.stackTime]
  /// After which a custom resource of CDK gives up, and how often it looks.
  private static let limit = Duration.seconds(3600)

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let read = await StackReading.read(effect.entity.name, world)
    guard let stack = read.value.flatMap({ $0 }) else { return read.gap.map { .open([$0]) } ?? .silent }
    let now = world.now
    let longest = stack.steps.sorted { ($1.took(until: now), $0.id) < ($0.took(until: now), $1.id) }.prefix(5)
    guard !longest.isEmpty else { return .silent }
    let parts = longest.map { "\($0.id) (\($0.type)) \(Ages.text($0.took(until: now)))" }
    var evidence = [stack.exhibit(stack.whole)] + longest.prefix(3).map(stack.exhibit)
    var statement =
      "of \(Ages.text(stack.whole.took(until: now))), the longest of its resources took: \(Count.list(parts))"
    let waits = stack.steps.filter { $0.ended == nil && $0.status.hasSuffix("_IN_PROGRESS") }
    if stack.isCDK {
      let nested = stack.steps.filter { $0.type == "AWS::CloudFormation::Stack" }
      let barrier = stack.steps.first { $0.type == "AWS::SSM::Parameter" && $0.id.contains("Barrier") }
      statement +=
        "; CDK's construct makes the cluster by custom resources: \(Count.of(nested.count, "nested stack")) of Lambda functions and state machines come first, each step is polled once a minute and so ends on a whole minute"
      if let barrier {
        let after = stack.steps.filter { $0.began >= barrier.began && $0.id != barrier.id }
        statement +=
          ", and the \(Count.of(after.count, "resource")) behind \(barrier.id) wait until the cluster and its Fargate profiles are there"
        evidence.append(stack.exhibit(barrier))
      }
    } else {
      statement += "; none of them is a custom resource of CDK: this is the time that EKS and EC2 themselves take"
    }
    // A custom resource that is never answered holds its stack for an hour.
    let stuck = waits.first {
      ($0.type.hasPrefix("Custom::") || $0.type == "AWS::CloudFormation::CustomResource")
        && now - $0.began > Self.limit
    }
    guard let stuck else {
      return .holds(Explanation(statement, entity: effect.entity, evidence: evidence))
    }
    return .holds(
      Explanation(
        statement, entity: effect.entity, evidence: evidence,
        root: RootCause(
          "ownership/stack-stuck", layer: .aws, entity: Entity("Resource", stuck.id),
          statement:
            "\(stuck.id) (\(stuck.type)) has been \(stuck.status) for \(Ages.text(now - stuck.began)), and a custom resource of CDK is answered within an hour: its Lambda function never answered",
          evidence: [stack.exhibit(stuck)],
          fixes: [
            Fix(
              "read the log of the resource's Lambda function; one in private subnets needs a way to CloudFormation's S3 URLs and to the cluster's endpoint (NAT gateway or endpoints); then cancel the operation, or let it time out",
              owner: "cloudformation", touches: [effect.entity.title], verify: "ekswhy \(effect.entity.title)")
          ])))
  }
}

/// The resource that failed first made the stack go back.
struct StackFails: Link {
  let code = "ownership/stack-fails"
  let explains: [Effect.Kind] = [.stackFails]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let read = await StackReading.read(effect.entity.name, world)
    guard let stack = read.value.flatMap({ $0 }) else { return read.gap.map { .open([$0]) } ?? .silent }
    let failed = stack.steps.filter { $0.isFailed && !$0.reason.contains("Resource creation cancelled") }
      .min { ($0.ended ?? stack.at, $0.id) < ($1.ended ?? stack.at, $1.id) }
    guard let failed else { return .silent }
    let ask = Symptom(failed.reason) == nil ? "" : "ekswhy \(Shell.quote(Ages.shortened(failed.reason, 300)))"
    return .holds(
      Explanation(
        "what failed first was \(failed.id); the rest went back or was cancelled for it", entity: effect.entity,
        evidence: [stack.exhibit(stack.whole)],
        root: RootCause(
          "ownership/stack-resource-failed", layer: .aws, entity: Entity("Resource", failed.id),
          statement: "\(failed.id) (\(failed.type)) failed: \(Ages.shortened(failed.reason, 300))",
          evidence: [stack.exhibit(failed)],
          fixes: [
            Fix(
              "remove what the message names, and deploy the stack once more", owner: "cloudformation",
              touches: [effect.entity.title], verify: ask.isEmpty ? nil : ask)
          ])))
  }
}
