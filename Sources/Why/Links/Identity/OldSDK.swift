import Mechanisms
import Wire

/// An SDK from before EKS Pod Identity: it takes credentials from loopback addresses only, and says so.
struct OldSDK: Link {
  let code = "identity/old-sdk"
  let explains: [Effect.Kind] = [.oldSDK]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (found, gap) = await world.podIdentity(effect.entity)
    guard let reading = found else { return gap.map { .open([$0]) } ?? .silent }
    guard let uri = reading.environment.value?["AWS_CONTAINER_CREDENTIALS_FULL_URI"] else { return .silent }
    let image = reading.container["image"].string ?? ""
    let evidence = [
      reading.exhibit(
        "spec.containers[\(reading.containerName)].env", "AWS_CONTAINER_CREDENTIALS_FULL_URI \(uri)", world)
    ]
    return .holds(
      Explanation(
        "container \(reading.containerName) is told to take its credentials at \(uri), and its SDK refuses that address",
        entity: effect.entity, evidence: evidence,
        root: RootCause(
          "identity/sdk-too-old", layer: .application, entity: effect.entity,
          statement: "the AWS SDK in image \(image) is older than EKS Pod Identity", evidence: evidence,
          fixes: [
            Fix(
              "use an image with a newer SDK, or give \(reading.accountEntity.title) its role by the annotation \(PodIdentityReading.roleKey) instead of the association",
              owner: "unknown", touches: ["pod/\(effect.entity.name)"], restarts: true,
              verify: "ekswhy credentials/\(effect.entity.name) -n \(reading.namespace)")
          ])))
  }
}
