package import Wire

extension NodeReadiness.Facts {
  /// From a Node: what its `Ready` condition says of each part. A node that is silent says nothing.
  package init(node: JSON, source: (_ field: String, _ value: String) -> Source = { _, _ in .world }) {
    let ready = node["status"]["conditions"].items.first { $0["type"].string == "Ready" } ?? .null
    let message = ready["message"].string ?? ""
    let from = source("status.conditions[Ready].message", message)
    let gap = Gap(
      read: "kubernetes:get nodes/\(node["metadata"]["name"].string ?? "")", why: "the kubelet does not report")
    func fact(_ fault: String) -> Fact<Bool> {
      switch ready["status"].string {
      case "True": .known(true, from)
      case "False": .known(!message.contains(fault), from)
      default: .unknown(gap)
      }
    }
    let lifecycle: Fact<Int?> =
      switch ready["status"].string {
      case "True": .known(0, from)
      case "False": .known(message.contains("PLEG is not healthy") ? NodeReadiness.Facts.age(message) : 0, from)
      default: .unknown(gap)
      }
    self.init(
      runtimeIsUp: fact("container runtime is down"), hasNetworkConfig: fact("NetworkReady=false"),
      hasCSINode: fact("CSINode is not yet initialized"), lifecycleAge: lifecycle,
      isShuttingDown: fact(NodeShutdown.readiness).map { !$0 })
  }

  /// Seconds of `last seen active 3m12.5s ago`; nil where it was never seen.
  private static func age(_ message: String) -> Int? {
    guard let start = message.firstRange(of: "last seen active "), let end = message.firstRange(of: " ago;") else {
      return nil
    }
    var seconds = 0.0
    var number = ""
    for character in message[start.upperBound..<end.lowerBound] {
      if character.isNumber || character == "." {
        number.append(character)
        continue
      }
      let scale: Double =
        switch character {
        case "h": 3600
        case "m": 60
        case "s": 1
        default: 0
        }
      seconds += (Double(number) ?? 0) * scale
      number = ""
    }
    return Int(seconds)
  }
}
