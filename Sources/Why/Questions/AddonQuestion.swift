import Evidence
import Mechanisms
import Wire

/// Why an EKS add-on failed or is degraded; and of one that is well, what its next update meets.
struct AddonQuestion: Question {
  let kinds = ["addon"]
  static let usual: Duration = .seconds(120)

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let read = await AddonReading.read(subject.name, world)
    if let gap = read.gap { throw .unreachable(gap) }
    guard let addon = read.value.flatMap({ $0 }) else {
      throw .noSuchObject("add-on \(subject.name) in cluster \(world.target.cluster ?? "")")
    }
    let entity = Entity("Addon", subject.name)
    let issue = addon.issues.first?["code"].string
    var waits: (String, Timestamp)?
    // While it is applied, the issues are those of the time before.
    let isUnderWay = ["CREATING", "UPDATING", "DELETING"].contains(addon.status)
    let isTrouble = !isUnderWay && (issue != nil || addon.status != "ACTIVE" || addon.health.isNo)
    // A change of what it runs is under way.
    if !isUnderWay, issue == nil, addon.status == "ACTIVE", addon.missing.isEmpty,
      let since = await addon.youngest(world)
    {
      waits = ("its new pods to be ready, usually within 2m", since + AddonQuestion.usual)
    }
    let words = "\(addon.status)\(issue.map { ", \($0)" } ?? "")"
    if addon.status == "CREATING" || addon.status == "UPDATING", let since = addon.document["modifiedAt"].time {
      waits = ("EKS to apply it and its pods to be ready, usually within 2m", since + AddonQuestion.usual)
    }
    guard isTrouble else {
      return Inquiry(
        entity, effects: [.init(Effect(.addonWell, entity))], isTrouble: false,
        summary: "no fault found in \(entity.title): \(words)",
        hiddenTrouble: "\(entity.title) is \(words), and does not keep the values that it sets", waits: waits)
    }
    return Inquiry(
      entity, effects: [.init(Effect(.addonTrouble, entity))], isTrouble: true,
      summary: "\(entity.title) is \(words)", waits: waits,
      lastResort: Gap(
        read: "audit log of eks:addon-manager", why: "what the add-on manager was answered stands there",
        how: "switch the audit log on, update the add-on once more, and look for its requests"))
  }
}
