import Wire
import World

/// What a Job's policies make of its pods.
///
/// Source: kubernetes `pkg/controller/job/{pod_failure_policy,success_policy}.go`.
enum JobPolicies {
  enum Action: Equatable {
    case count
    case ignore
    case failIndex
    case failJob(String)
  }

  /// What the failure policy says of a pod that failed.
  static func action(_ policy: JSON, on pod: ObjectView) -> Action {
    for (index, rule) in policy["rules"].items.enumerated() {
      let action = rule["action"].string ?? ""
      guard let message = match(rule, action, index, pod) else { continue }
      switch action {
      case "Ignore": return .ignore
      case "FailIndex": return .failIndex
      case "FailJob": return .failJob(message)
      default: return .count
      }
    }
    return .count
  }

  private static func match(_ rule: JSON, _ action: String, _ index: Int, _ pod: ObjectView) -> String? {
    let codes = rule["onExitCodes"]
    if codes.object != nil {
      let statuses = pod.status["initContainerStatuses"].items + pod.status["containerStatuses"].items
      for status in statuses {
        guard let code = status["state"]["terminated"]["exitCode"].int, code != 0 else { continue }
        if let name = codes["containerName"].string, status["name"].string != name { continue }
        let isListed = codes["values"].items.contains { $0.int == code }
        guard isListed == (codes["operator"].string == "In") else { continue }
        return
          "Container \(status["name"].string ?? "") for pod \(pod.key) failed with exit code \(code) matching \(action) rule at index \(index)"
      }
      return nil
    }
    for pattern in rule["onPodConditions"].items {
      let type = pattern["type"].string ?? ""
      let wanted = pattern["status"].string ?? "True"
      if pod.condition(type)["status"].string == wanted {
        return "Pod \(pod.key) has condition \(type) matching \(action) rule at index \(index)"
      }
    }
    return nil
  }

  /// The rule by which the indexes that succeeded are enough; nil when none says so.
  static func success(_ policy: JSON, _ done: JobIndexes, of completions: Int) -> String? {
    for (index, rule) in policy["rules"].items.enumerated() {
      var counted = done.count
      if let text = rule["succeededIndexes"].string {
        let wanted = JobIndexes(text: text, below: completions)
        counted = wanted.values.count(where: done.contains)
        if rule["succeededCount"].isNull, counted < wanted.count { continue }
      }
      if let least = rule["succeededCount"].int, counted < least { continue }
      return "Matched rules at index \(index)"
    }
    return nil
  }
}
