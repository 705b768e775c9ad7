import Evidence
import Mechanisms
import Wire

/// A session was made with a policy of its own, which takes away what its role has.
struct SessionNarrowed: Link {
  let code = "identity/session-narrowed"
  let explains: [Effect.Kind] = [.sessionNarrowed]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let words = effect.detail.split(separator: " ").map(String.init)
    guard words.count == 3, let session = ARN.parse(words[1])?.name else { return .silent }
    let action = words[2]
    let told = Exhibit(
      Citation(source: "symptom", locator: words[1], field: "session policy", value: action, at: world.now),
      text:
        "the refusal itself: a session policy of \(session) \(words[0] == "deny" ? "denies" : "does not allow") \(action)"
    )
    var evidence = [told]
    var notNeeded: [Gap] = []
    var maker = ""
    let found = await world.aws(.lookupEvents, filters: ["EventName": ["AssumeRole"]])
    if let gap = found.gap { notNeeded.append(gap) }
    let event = found.items.lazy.compactMap { item in
      item["CloudTrailEvent"].string.flatMap { try? JSON.parse(Array($0.utf8)) }
    }.first { event in
      let asked = event["requestParameters"]
      return event["errorCode"].isNull && asked["roleSessionName"].string == session
        && ARN.parse(asked["roleArn"].string ?? "")?.name == effect.entity.name
        && (!asked["policy"].isNull || !asked["policyArns"].isNull)
    }
    if let event {
      let asked = event["requestParameters"]
      let policy = asked["policy"].string ?? asked["policyArns"].text()
      maker = event["userIdentity"]["arn"].string ?? ""
      evidence.append(
        Exhibit(
          Citation(
            source: "cloudtrail", locator: "AssumeRole \(event["eventID"].string ?? "")",
            field: "requestParameters.policy", value: policy, at: event["eventTime"].time)))
    }
    return .holds(
      Explanation(
        "a session may do only what both its role and the policies that it was made with allow",
        entity: effect.entity, evidence: [told],
        root: RootCause(
          "identity/session-policy", layer: .aws, entity: effect.entity,
          statement:
            "session \(session) of role \(effect.entity.name) was made with a session policy that \(words[0] == "deny" ? "denies" : "does not allow") \(action)\(maker.isEmpty ? "" : "; \(maker) made it")",
          evidence: evidence,
          fixes: [
            Fix(
              "make the session without a policy, or with \(action) in it: --policy and --policy-arns of aws sts assume-role, what an association of EKS Pod Identity has as its policy, or what the tool that makes the session passes on",
              owner: "unknown", touches: [effect.entity.title], verify: "aws sts get-caller-identity")
          ]), notNeeded: notNeeded))
  }
}
