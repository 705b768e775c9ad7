import Foundation
import Testing
import Wire

/// Figures of pods and nodes are there with the metrics-server add-on only, and autoscalers follow them.
@Suite(.serialized, .enabled(if: Clients.both))
struct AutoscalingTests {
  private static let web = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata:
          labels: {app: web}
          annotations:
            containers.ekswhy.dev/web: "cpu: 190m"
        spec: {containers: [{name: web, image: nginx, resources: {requests: {cpu: 100m}}}]}
    """

  @Test func figuresComeWithTheAddon() async throws {
    let eks = try await QuickCluster(nodes: 1).eks
    #expect(try eks.kubectlOutcome("top nodes").all.contains("Metrics API not available"))
    try eks.aws("eks create-addon --cluster-name demo --addon-name metrics-server")
    try eks.aws("eks wait addon-active --cluster-name demo --addon-name metrics-server")
    try eks.kubectl("apply -f -", input: Self.web)
    try eks.kubectl("rollout status deploy/web --timeout=60s")
    try eks.kubectl("autoscale deploy web --cpu-percent=100 --min=1 --max=3")
    try eks.ekswhy("clock", "advance", "3m", "--state", eks.state)
    let pods = try eks.kubectl("top pods --no-headers")
    #expect(pods.split(separator: "\n").allSatisfy { $0.split(separator: " ")[1] == "190m" }, "\(pods)")
    #expect(try eks.kubectl("top nodes --no-headers").split(separator: "\n").count == 1)
    // 190 of 100 are two, and two take as much each: on to the limit.
    let told = try eks.kubectl("describe hpa web")
    #expect(told.contains("ScalingLimited  True    TooManyReplicas"), "\(told)")
    #expect(told.contains("New size: 2; reason: cpu resource utilization (percentage of request) above target"))
    #expect(try eks.kubectl("get deploy web -o jsonpath={.spec.replicas}") == "3")
    try eks.aws("eks delete-addon --cluster-name demo --addon-name metrics-server")
    try eks.aws("eks wait addon-deleted --cluster-name demo --addon-name metrics-server")
    #expect(try eks.kubectlOutcome("top nodes").all.contains("Metrics API not available"))
  }
}
