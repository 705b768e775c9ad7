import Mechanisms
import Wire
import World

/// What admission is asked about.
struct AdmissionRequest {
  enum Operation: String {
    case create = "CREATE"
    case update = "UPDATE"
    case delete = "DELETE"
  }

  var operation: Operation
  var row: KubeResource
  var subresource: String
  var namespace: String
  var name: String
  var old: JSON?
  var exchange: Exchange

  func isFor(_ plural: String, _ subresource: String = "", group: String = "") -> Bool {
    row.plural == plural && row.group == group && self.subresource == subresource
  }

  func refused(_ why: String, details: [KubeStatus.Cause] = []) -> KubeStatus {
    var status = KubeStatus.forbidden(row.groupResource, name, why)
    status.details?.causes = details
    return status
  }
}
