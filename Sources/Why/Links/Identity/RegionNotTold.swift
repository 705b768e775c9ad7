import Evidence
import Mechanisms
import Wire

/// A container in another partition than `aws` that isn't told its region: its SDK asks STS where nobody knows its keys.
struct RegionNotTold: Link {
  let code = "identity/region-not-told"
  let explains: [Effect.Kind] = [.tokenOfNobody]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (found, gap) = await world.podIdentity(effect.entity)
    guard let reading = found else { return gap.map { .open([$0]) } ?? .silent }
    guard let environment = reading.environment.value else { return .open([reading.environment.gap!]) }
    let cluster = await world.cluster()
    guard let arn = cluster.first?["arn"].string, let parsed = ARN.parse(arn) else {
      return .open([cluster.gap ?? Gap(read: "eks:DescribeCluster", why: "the cluster's ARN is not in the answer")])
    }
    let names = ["AWS_REGION", "AWS_DEFAULT_REGION"]
    let set = names.first { environment[$0] != nil }
    let evidence = [
      Exhibit(Cite.aws(.describeCluster, world.target.cluster ?? "", field: "arn", value: arn, at: cluster.at)),
      reading.exhibit(
        "spec.containers[\(reading.containerName)].env", set ?? "neither \(names.joined(separator: " nor "))", world),
    ]
    if parsed.partition == "aws" {
      return .refuted("the cluster is in partition aws, where SDKs ask that aren't told a region", evidence)
    }
    if let set { return .refuted("\(set) is set in container \(reading.containerName)", evidence) }
    let region = parsed.region
    let maker = await PodMaker.of(reading.pod, world)
    let path = maker.path(container: reading.containerName, isInit: false)
    let variable: JSON = ["name": "AWS_DEFAULT_REGION", "value": .string(region)]
    let hasEnvironment = !reading.container["env"].items.isEmpty
    let patch = path.map {
      [JSON.step("add", hasEnvironment ? "\($0)/env/-" : "\($0)/env", hasEnvironment ? variable : [variable])]
    }
    return .holds(
      Explanation(
        "container \(reading.containerName) isn't told its region, so its SDK asks sts.amazonaws.com, which is of partition aws, and its credentials are of \(parsed.partition)",
        entity: effect.entity, evidence: evidence,
        root: RootCause(
          "identity/region-not-set", layer: .application, entity: effect.entity,
          statement:
            "container \(reading.containerName) runs in partition \(parsed.partition) without AWS_DEFAULT_REGION or AWS_REGION",
          evidence: evidence,
          fixes: [
            maker.fix(
              "tells container \(reading.containerName) its region: AWS_DEFAULT_REGION=\(region)", patch: patch,
              verify: "ekswhy credentials/\(reading.entity.name) -n \(reading.namespace)", world)
          ])))
  }
}
