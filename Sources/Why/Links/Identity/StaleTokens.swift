import Evidence
import Mechanisms
import Wire

/// Programs in the cluster that go on using a token of their service account which should have been read anew: the
/// API server takes it for a while beyond its hour, writes that down, and then refuses it.
struct StaleTokens: Link {
  let code = "identity/stale-service-account-token"
  let explains: [Effect.Kind] = [.staleTokens]
  static let annotation = "authentication.k8s.io/stale-token"

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let log = await world.controlPlaneLog("audit", stream: "kube-apiserver-audit", pattern: "\"\(Self.annotation)\"")
    if let gap = log.gap { return .open([gap]) }
    var latest: [String: (at: Timestamp, seconds: Int, uri: String)] = [:]
    for line in log.lines {
      guard let event = try? JSON.parse(Array(line.text.utf8)),
        let text = event["annotations"][Self.annotation].string, let found = StaleTokens.parse(text)
      else { continue }
      latest[found.subject] = (line.at, found.seconds, event["userAgent"].string ?? "")
    }
    let subjects = latest.keys.sorted()
    guard let first = subjects.first, let last = latest[first] else {
      let citation = Citation(
        source: "audit", locator: "annotations", field: Self.annotation, value: "none", at: world.now)
      return .refuted("no program in the cluster used a token beyond its hour", [Exhibit(citation)])
    }
    let evidence = subjects.prefix(5).compactMap { subject in
      latest[subject].map {
        Exhibit(
          Citation(
            source: "audit", locator: subject, field: "annotations[\(Self.annotation)]",
            value: "\($0.seconds) s after the warning threshold", at: $0.at),
          text:
            "audit \(Ages.clock($0.at, now: world.now)): \(subject) used a token \(Ages.text(.seconds($0.seconds))) after it should have been read anew (\($0.uri))"
        )
      }
    }
    let names = subjects.map { $0.replacing("system:serviceaccount:", with: "").replacing(":", with: "/") }
    return .holds(
      Explanation(
        "\(Count.list(names, limit: 3)) \(names.count == 1 ? "goes" : "go") on with an old token",
        entity: effect.entity,
        evidence: evidence,
        root: RootCause(
          code, layer: .application, entity: Entity("ServiceAccount", names[0]),
          statement:
            "the program with service account \(names[0]) reads its token once and keeps it: the kubelet has written newer ones since, and EKS takes none that is older than 90 days",
          evidence: evidence,
          fixes: [
            Fix(
              "give the program a Kubernetes client that reads its token file again (client-go from 0.21 on, and its like); until then making its pods anew helps",
              owner: "unknown", touches: ["serviceaccount/\(names[0])"], restarts: true,
              verify: "the audit log has no \(Self.annotation) of it any more")
          ]), lastSymptomAt: last.at))
  }

  /// `subject: system:serviceaccount:NS:NAME, seconds after warning threshold: N`
  private static func parse(_ text: String) -> (subject: String, seconds: Int)? {
    let parts = text.split(separator: ", ")
    guard parts.count == 2, let subject = parts[0].split(separator: " ").last,
      let seconds = parts[1].split(separator: " ").last.flatMap({ Int($0) })
    else { return nil }
    return (String(subject), seconds)
  }
}
