import Evidence
import Mechanisms
import Wire

/// Why a Fargate profile failed, or gives its pods no machines; and what it does when it is well.
struct FargateProfileQuestion: Question {
  let kinds = ["fargateprofile"]
  static let usual: Duration = .seconds(360)

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let read = await world.fargateProfile(subject.name)
    if let gap = read.gap { throw .unreachable(gap) }
    guard let reading = read.value.flatMap({ $0 }) else {
      throw .noSuchObject("Fargate profile \(subject.name) in cluster \(world.target.cluster ?? "")")
    }
    let status = reading.profile.status
    let entity = Entity("FargateProfile", subject.name)
    let isTrouble = !["ACTIVE", "CREATING", "DELETING"].contains(status)
    guard !isTrouble else {
      return Inquiry(
        entity, effects: [.init(Effect(.fargateProfileTrouble, entity))], isTrouble: true,
        summary: "\(entity.title) is \(status)",
        lastResort: Gap(read: "eks:DescribeFargateProfile \(subject.name)", why: "EKS tells no issue"))
    }
    var waits: (String, Timestamp)?
    if status == "CREATING", let created = reading.profile.createdAt {
      waits = ("EKS to make it, usually within 6m", created + FargateProfileQuestion.usual)
    }
    return Inquiry(
      entity, effects: [.init(Effect(.fargateProfileWell, entity))], isTrouble: false,
      summary: "no fault found in \(entity.title): \(status)",
      hiddenTrouble: "\(entity.title) is \(status), and pods of it get no machine", waits: waits)
  }
}
