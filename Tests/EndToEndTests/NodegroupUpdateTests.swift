import Foundation
import Testing
import Wire

/// A managed node group follows its cluster to the next version: its nodes are replaced, and pods decide how fast.
@Suite(.serialized, .enabled(if: Clients.both))
struct NodegroupUpdateTests {
  private static let web = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec: {containers: [{name: web, image: nginx}]}
    ---
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: web}
    spec:
      minAvailable: 1
      selector: {matchLabels: {app: web}}
    """

  /// The update once it is no longer under way.
  private func ended(_ update: JSON, _ eks: LocalEKSProcess, nodegroup: String?) throws -> JSON {
    let id = update["update"]["id"].string ?? ""
    let of = nodegroup.map { "--nodegroup-name \($0)" } ?? ""
    for _ in 0..<60 {
      let now = try eks.aws("eks describe-update --name demo \(of) --update-id \(id)")["update"]
      if now["status"] != "InProgress" { return now }
    }
    return .null
  }

  @Test func nodesAreReplacedUnlessPodsMayNotLeave() async throws {
    let cluster = try await QuickCluster(nodes: 1)
    let eks = cluster.eks
    let group = "--cluster-name demo --nodegroup-name ng1"
    #expect(try eks.kubectl("get nodes -o jsonpath={..kubeletVersion}") == "v1.34.2-eks-113cf36")
    let upgrade = try eks.aws("eks update-cluster-version --name demo --kubernetes-version 1.35")
    #expect(try ended(upgrade, eks, nodegroup: nil)["status"] == "Successful")
    try eks.kubectl("apply -f -", input: Self.web)
    try eks.kubectl("rollout status deploy/web --timeout=60s")

    // A budget that allows nobody to leave holds the update for a quarter of an hour; then nothing has changed.
    let held = try eks.aws("eks update-nodegroup-version \(group) --kubernetes-version 1.35")
    try eks.ekswhy("clock", "advance", "25m", "--state", eks.state)
    let failed = try ended(held, eks, nodegroup: "ng1")
    #expect(failed["status"] == "Failed")
    #expect(failed["errors"][0]["errorCode"] == "PodEvictionFailure")
    #expect(
      failed["errors"][0]["errorMessage"]
        == "Reached max retries while trying to evict pods from nodes in node group ng1")
    let after = try eks.aws("eks describe-nodegroup \(group)")["nodegroup"]
    #expect(after["status"] == "ACTIVE")
    #expect(after["version"] == "1.34")

    let environment = eks.environment.merging(["KUBECONFIG": "\(eks.state)/kubeconfig"]) { $1 }
    let answer = try JSON.parse(
      try Shell.run(LocalEKSProcess.binary, ["nodegroup/ng1", "-o", "json"], environment: environment).output)
    #expect(answer["roots"][0]["code"] == "nodes/eviction-blocked", "\(answer.text())")
    #expect(answer["roots"][0]["fix"][0]["command"].string?.contains("patch pdb web") == true)
    let command = try #require(answer["roots"][0]["fix"][1]["command"].string)
    let printed = try Shell.run("/bin/bash", ["-c", command], environment: environment)
    try #require(printed.status == 0, "\(printed.all)")
    let forced = try JSON.parse(printed.output)
    #expect(forced["update"]["params"][1]["value"] == "1.35.1-20261101")
    try eks.ekswhy("clock", "advance", "25m", "--state", eks.state)
    #expect(try ended(forced, eks, nodegroup: "ng1")["status"] == "Successful")
    let versions = try eks.kubectl("get nodes -o jsonpath={..kubeletVersion}")
    let nodes = try eks.kubectl("get nodes -o wide")
    // The budget also keeps a node of the surge from going, for as long as its hook has patience.
    #expect(Set(versions.split(separator: " ")) == ["v1.35.1-eks-113cf36"], "\(nodes)")
    #expect(try eks.aws("eks describe-nodegroup \(group)")["nodegroup"]["releaseVersion"] == "1.35.1-20261101")
    try eks.kubectl("rollout status deploy/web --timeout=60s")
  }
}
