import Wire
import World

/// Fields of a pod as its containers see them.
enum DownwardAPI {
  /// The value of a `fieldPath`; nil for one that is not served.
  static func field(_ path: String, _ pod: ObjectView, forVolume: Bool = false) -> String? {
    for map in ["labels", "annotations"] {
      let prefix = "metadata.\(map)["
      if path.hasPrefix(prefix), path.hasSuffix("]") {
        let key = path.dropFirst(prefix.count).dropLast().filter { $0 != "'" && $0 != "\"" }
        return pod.metadata[map][key].string ?? ""
      }
      guard path == "metadata.\(map)", forVolume else { continue }
      return pod.metadata[map].stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\(GoText.quote($0.value))" }
        .joined(separator: "\n")
    }
    switch path {
    case "metadata.name": return pod.name
    case "metadata.namespace": return pod.namespace
    case "metadata.uid": return pod.uid
    case "spec.nodeName": return pod.nodeName
    case "spec.serviceAccountName": return pod.spec["serviceAccountName"].string ?? ""
    case "status.hostIP", "status.hostIPs": return pod.status["hostIP"].string ?? ""
    case "status.podIP", "status.podIPs": return pod.status["podIP"].string ?? ""
    default: return nil
    }
  }

  /// The value of a `resourceFieldRef` of a container, in units of its divisor; where the container has no limit,
  /// what its node can give.
  static func resource(_ reference: JSON, _ pod: ObjectView, container: JSON?, node: JSON?) -> String? {
    let name = reference["containerName"].string
    let spec =
      name.flatMap { name in pod.spec["containers"].items.first { $0["name"].string == name } } ?? container ?? .null
    let parts = (reference["resource"].string ?? "").split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return nil }
    var text = spec["resources"][parts[0]][parts[1]].string
    if parts[0] == "limits" { text = text ?? node?["status"]["allocatable"][parts[1]].string }
    guard let quantity = Quantity(text ?? "0") else { return nil }
    let divisor = reference["divisor"].string.flatMap { Quantity($0) } ?? Quantity("1")
    guard let divisor, divisor.milliValue != 0 else { return nil }
    return String((quantity.milliValue + divisor.milliValue - 1) / divisor.milliValue)
  }
}
