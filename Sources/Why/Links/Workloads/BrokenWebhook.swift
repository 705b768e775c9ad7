import Mechanisms
import Wire

/// A webhook that has to be asked and can't be.
struct BrokenWebhook {
  let name: String
  let why: String
  /// What it has to be asked about: `its pods`.
  let about: String
  let verify: String
  let world: Investigation

  func explained() async -> (RootCause?, [Explanation.Cause], [Gap]) {
    let statement =
      "the admission webhook \(name) has to be asked about \(about) and can't be called: \(Ages.shortened(why, 240))"
    let entity = Entity("Webhook", name)
    guard let service = CreationRefusal.service(in: why) else {
      return (root(statement, entity, "mend what answers at its address"), [], [])
    }
    let title = "service/\(service.name) in namespace \(service.namespace)"
    let found = await world.object(.services, namespace: service.namespace, name: service.name)
    if found.gap == nil, found.first == nil {
      return (
        root(
          "the admission webhook \(name) has to be asked about \(about), and its \(title) doesn't exist", entity,
          "put back what answers there, or delete its webhook configuration, which was left behind"), [], []
      )
    }
    let cause = Effect(.serviceUnbacked, Entity("Service", service.name, namespace: service.namespace))
    if why.contains("no endpoints available") { return (nil, [.init(cause)], []) }
    return (root(statement, entity, "mend what answers behind \(title)"), [.init(cause, deciding: false)], [])
  }

  private func root(_ statement: String, _ entity: Entity, _ fix: String) -> RootCause {
    RootCause(
      "workloads/webhook-unreachable", layer: .kubernetes, entity: entity, statement: statement,
      fixes: [Fix(fix, owner: "unknown", touches: ["webhook/\(name)"], verify: verify)])
  }
}
