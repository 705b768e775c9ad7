package import Wire

/// What EKS makes of a pod that a Fargate profile takes (recorded from EKS's own mutating webhook).
package enum FargateWebhook {
  package static let priorityClass = "system-node-critical"

  /// The JSON patch; nil for a pod that stays as it is.
  package static func patch(_ pod: JSON, _ match: Verdict<String, Because>) -> JSON? {
    guard let profile = match.value else { return nil }
    var labels = pod["metadata"]["labels"]
    if labels.isNull { labels = .emptyObject }
    labels[FargateMatch.label] = .string(profile)
    return [
      ["op": "add", "path": "/spec/schedulerName", "value": .string(FargateMatch.scheduler)],
      ["op": "add", "path": "/spec/priorityClassName", "value": .string(priorityClass)],
      ["op": "add", "path": "/spec/priority", "value": 2_000_001_000],
      ["op": "add", "path": "/metadata/labels", "value": labels],
    ]
  }
}
