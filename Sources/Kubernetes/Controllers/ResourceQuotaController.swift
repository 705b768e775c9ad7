import Wire
import World

/// Writes what a namespace uses into the status of its ResourceQuotas.
///
/// It watches the quotas alone: of changes to what they count the API server tells it where there is a quota.
///
/// Source: kubernetes `pkg/controller/resourcequota`.
package struct ResourceQuotaController: Reconciler {
  package static let name = "resourcequota-controller"
  package static let eventSource = "resourcequota-controller"
  package static let resources = ["resourcequotas"]

  package init() {}

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let quota = desk.get("resourcequotas", key: key), !quota.isTerminating else { return }
    let used = QuotaUsage.total(quota.json) { desk.list($0, quota.namespace).map(\.json) }
    var status: JSON = [:]
    status["hard"] = quota.spec["hard"]
    status["used"] = QuotaUsage.json(used)
    guard status != quota.status else { return }
    desk.updateStatus("resourcequotas", quota, status)
  }
}
