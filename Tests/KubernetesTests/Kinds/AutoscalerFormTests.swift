import Kubernetes
import Testing
import Wire
import World

/// autoscaling/v1 over what is kept in v2 (`pkg/apis/autoscaling/v1/conversion.go`).
@Suite("A HorizontalPodAutoscaler in v1")
struct AutoscalerFormTests {
  private static let path = "namespaces/default/horizontalpodautoscalers"

  @Test("tells in annotations what it has no fields for, and takes it from there")
  func annotations() throws {
    let bench = try Bench()
    let metrics: JSON = [
      ["type": "Resource", "resource": ["name": "cpu", "target": ["type": "Utilization", "averageUtilization": 60]]],
      [
        "type": "Resource", "resource": ["name": "memory", "target": ["type": "AverageValue", "averageValue": "1Gi"]],
      ],
      [
        "type": "Pods",
        "pods": ["metric": ["name": "rps"], "target": ["type": "AverageValue", "averageValue": "100"]],
      ],
      [
        "type": "External",
        "external": [
          "metric": ["name": "queue", "selector": ["matchLabels": ["q": "a"]]],
          "target": ["type": "Value", "value": "30"],
        ],
      ],
    ]
    let made = bench.send(
      "POST", "/apis/autoscaling/v2/\(Self.path)",
      [
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": ["name": "h"],
        "spec": [
          "scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web"], "minReplicas": 1,
          "maxReplicas": 4, "metrics": metrics, "behavior": ["scaleDown": ["stabilizationWindowSeconds": 30]],
        ],
      ])
    #expect(made.status == 201, "\(made.text)")
    let shown = bench.send("GET", "/apis/autoscaling/v1/\(Self.path)/h").body
    #expect(shown["apiVersion"].string == "autoscaling/v1")
    #expect(shown["spec"]["targetCPUUtilizationPercentage"].int == 60)
    #expect(shown["spec"]["metrics"].isNull)
    #expect(shown["spec"]["behavior"].isNull)
    #expect(shown["status"]["currentReplicas"].int == 0)
    #expect(shown["status"]["desiredReplicas"].int == 0)
    #expect(!shown["status"].has("currentMetrics"))
    let told = shown["metadata"]["annotations"]
    #expect(
      told["autoscaling.alpha.kubernetes.io/metrics"].string
        == #"[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}},{"type":"Pods","pods":{"metricName":"rps","targetAverageValue":"100"}},{"type":"External","external":{"metricName":"queue","metricSelector":{"matchLabels":{"q":"a"}},"targetValue":"30"}}]"#
    )
    let behavior = try #require(told["autoscaling.alpha.kubernetes.io/behavior"].string)
    #expect(behavior.contains(#""ScaleDown":{"#), "\(behavior)")
    #expect(behavior.contains(#""StabilizationWindowSeconds":30"#), "\(behavior)")
    // What came so goes back so: nothing is lost, and v2 has no annotations of it.
    let written = bench.send("PUT", "/apis/autoscaling/v1/\(Self.path)/h", shown)
    #expect(written.status == 200, "\(written.text)")
    let kept = bench.send("GET", "/apis/autoscaling/v2/\(Self.path)/h").body
    #expect(kept["metadata"]["annotations"].isNull)
    #expect(kept["spec"]["metrics"].items == Array(metrics.items.dropFirst()) + [metrics[0]])
    #expect(kept["spec"]["behavior"] == made.body["spec"]["behavior"])
  }
}
