import Wire

/// Whether a container that ended is started again: by its pod's policy, its own, and its rules for exit codes.
///
/// Source: kubernetes `pkg/kubelet/container/helpers.go`, `ShouldContainerBeRestarted`; own policies and rules of
/// containers are there since 1.34.
struct RestartPolicy {
  var pod: String
  var container: String?
  var rules: [JSON]
  /// An init container that is to end.
  var isInit: Bool

  func restarts(after code: Int) -> Bool {
    if rules.contains(where: { Self.matches($0["exitCodes"], code) && $0["action"].string == "Restart" }) {
      return true
    }
    switch container ?? pod {
    case "Always": return !isInit || code != 0
    case "OnFailure": return code != 0
    default: return false
    }
  }

  private static func matches(_ codes: JSON, _ code: Int) -> Bool {
    let isListed = codes["values"].items.contains { $0.int == code }
    return switch codes["operator"].string {
    case "In": isListed
    case "NotIn": !isListed
    default: false
    }
  }
}
