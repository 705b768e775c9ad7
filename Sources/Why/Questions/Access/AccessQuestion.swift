import Evidence
import Mechanisms
import Wire

/// Whether somebody may do something, and why: `ekswhy can PRINCIPAL VERB RESOURCE`.
package struct AccessQuestion: Question {
  package let kinds: [String] = []
  let asked: AccessAsked

  package init(_ principal: Principal, _ deed: Deed) { asked = AccessAsked(principal, deed) }

  package var subject: Subject {
    let entity = asked.principal.entity
    return Subject(kind: entity.kind.lowercased(), name: entity.name, namespace: entity.namespace)
  }

  package func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    switch asked.deed {
    case .kubernetes: return try await kubernetes(world)
    case .aws(let action, let resource): return try await aws(action, resource, world)
    }
  }

  private func kubernetes(_ world: Investigation) async throws(QuestionError) -> Inquiry {
    let entity = asked.principal.entity
    guard let reading = await world.access(asked) else { throw .unsupported("\(asked.principal.word) is no principal") }
    if case .pod = asked.principal, let gap = reading.gap {
      if gap.why == "there is no such pod" { throw .noSuchObject("Pod \(entity.name)") }
      throw .unreachable(gap)
    }
    let effect = Effect(.kubernetesAccess, entity, detail: asked.detail)
    let deed = reading.deed.text
    switch reading.truth {
    case .yes:
      return Inquiry(
        entity, effects: [.init(effect)], isTrouble: false, summary: "yes: \(reading.title) may \(deed)", verdict: "yes"
      )
    case .no:
      return Inquiry(
        entity, effects: [.init(effect)], isTrouble: true, summary: "no: \(reading.title) may not \(deed)",
        verdict: "no")
    case .open:
      return Inquiry(
        entity, effects: [.init(effect)], isTrouble: true,
        summary: "it can't be told whether \(reading.title) may \(deed)", verdict: "unproven")
    }
  }

  private func aws(
    _ action: String, _ resource: String, _ world: Investigation
  ) async throws(QuestionError) -> Inquiry {
    let entity = asked.principal.entity
    let deed = asked.deed.text
    var principal = asked.principal
    var effect = Effect(.awsPolicies, entity, detail: asked.detail)
    var gaps: [Gap] = []
    var pod: Entity?
    switch asked.principal {
    case .pod(let namespace, _):
      pod = entity
      let (reading, gap) = await world.podIdentity(entity)
      guard reading != nil else {
        if let gap { throw .unreachable(gap) }
        throw .noSuchObject("Pod \(entity.name) in namespace \(namespace)")
      }
      effect = Effect(.awsAccess, entity, detail: asked.detail)
      let role = await world.awsRole(ofPod: entity)
      gaps = role.gaps
      if let arn = role.arn { principal = .iam(arn: arn) }
    case .serviceAccount, .kubernetes:
      throw .unsupported(
        "\(asked.principal.word) is no principal of AWS; ask about a pod (pod/NAME), a role (role/NAME) or an ARN")
    case .iam, .role, .user, .caller: break
    }
    var truth = Truth.no
    var title = entity.title
    if case .pod = principal {
      truth = gaps.isEmpty ? .no : .open(gaps)
    } else if let who = await world.reading(of: principal) {
      if case .pod = asked.principal {} else { title = who.title }
      if who.isAbsent {
        truth = .no
      } else if let reading = await world.awsAccess(who, action, resource, from: pod) {
        truth = reading.verdict.isYes ? .yes : reading.verdict.isNo ? .no : .open(reading.verdict.gaps)
      } else {
        truth = .open([who.arn.gap].compactMap { $0 })
      }
    }
    switch truth {
    case .yes:
      return Inquiry(
        entity, effects: [.init(effect)], isTrouble: false,
        summary: "nothing readable denies it: \(title) may \(deed)",
        hiddenTrouble: "no: \(title) may not \(deed), for it doesn't get the credentials that would allow it",
        verdict: "nothing-readable-denies-it")
    case .no:
      return Inquiry(
        entity, effects: [.init(effect)], isTrouble: true, summary: "no: \(title) may not \(deed)",
        verdict: "no")
    case .open:
      return Inquiry(
        entity, effects: [.init(effect)], isTrouble: true,
        summary: "it can't be told whether \(title) may \(deed)", verdict: "unproven")
    }
  }
}
