import Evidence
import Mechanisms
import Wire

/// EKS names a reason that nothing in the cluster shows, or none at all.
struct AddonIssueTold: AddonLink {
  let code = "ownership/addon-issue"
  let explains: [Effect.Kind] = [.addonTrouble]
  private static let explained: Set<String> = [
    "ConfigurationConflict", "InsufficientNumberOfReplicas", "AccessDenied", "AdmissionRequestDenied",
    "UnsupportedAddonModification", "K8sResourceNotFound", "ClusterUnreachable",
  ]

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let issue = addon.issues.first(where: { !Self.explained.contains($0["code"].string ?? "") }) else {
      return .silent
    }
    let code = issue["code"].string ?? ""
    let message = issue["message"].string ?? ""
    let exhibit = addon.exhibit("health.issues[\(code)]", message)
    var statement = "EKS reports \(code): \(Ages.shortened(message, 300))"
    var evidence = [exhibit]
    var fix = Fix(
      Self.advice(code, addon), owner: "unknown", touches: [effect.entity.title],
      verify: "ekswhy \(effect.entity.title)")
    if code == "InternalFailure" || code == "Unknown" {
      statement += "; EKS gives no cause for \(code), and no public API tells one"
      if let told = addon.document["tags"][InjectedIssue.tag].string {
        statement =
          "the local EKS was told to fail with \(told) by the tag \(InjectedIssue.tag): no mechanism stands behind it"
        evidence.append(addon.exhibit("tags[\(InjectedIssue.tag)]", told))
        let arn = addon.document["addonArn"].string ?? ""
        fix = Fix(
          "takes the tag off, and updates the add-on once more",
          command:
            "aws eks untag-resource --resource-arn \(arn) --tag-keys \(InjectedIssue.tag)\(world.target.awsOptions) && \(addon.update(world))",
          owner: "hand", touches: [effect.entity.title], verify: "ekswhy \(effect.entity.title)", expectWithin: "3m")
      } else {
        fix.command = addon.update(world)
      }
    }
    let root = RootCause(
      "ownership/addon-\(AWSCall.kebab(code))", layer: code == "AddonPermissionFailure" ? .aws : .eks,
      entity: effect.entity, statement: statement, evidence: evidence, fixes: [fix])
    return .holds(
      Explanation("EKS could not do its part: issue \(code)", entity: effect.entity, evidence: [exhibit], root: root))
  }

  private static func advice(_ code: String, _ addon: AddonReading) -> String {
    switch code {
    case "AddonPermissionFailure":
      "make the role that is named, or give the add-on another, and update it once more"
    case "AddonSubscriptionNeeded":
      "let the account subscribe to it in the AWS Marketplace (\(addon.document["marketplaceInformation"]["productUrl"].string ?? "product \(addon.name)")), then delete the add-on and install it anew"
    default: "updates the add-on once more; when it fails the same way again, ask AWS Support"
    }
  }
}
