import Evidence
import Mechanisms
import Wire

/// All names that are tried are answered, and none is there.
struct NameMissing: NameLink {
  let code = "names/missing"
  let explains: [Effect.Kind] = [.nameLookup]

  func test(_ reading: NameReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    switch reading.trace.result {
    case .unknownName, .noData: break
    default: return .silent
    }
    guard reading.gaps.isEmpty else { return .open(reading.unique) }
    let evidence = reading.resolverEvidence(world) + reading.tries(world)
    let headless = reading.headless
    if let headless {
      return .holds(
        Explanation(
          "\(headless.title) is headless, so its name has the addresses of its ready endpoints, and none is ready",
          entity: effect.entity,
          evidence: evidence + reading.exhibits(reading.reason("headless-empty").map { [$0] } ?? []),
          causes: headless.pods.map { .init(Effect(.podFails, Entity("Pod", $0, namespace: headless.namespace))) },
          root: headless.pods.isEmpty ? root(headless, world) : nil))
    }
    return .holds(
      Explanation(
        "none of the names that are tried is there; \(reading.counted)", entity: effect.entity, evidence: evidence,
        root: missing(effect, reading, world)))
  }

  private func root(_ headless: NameReading.Headless, _ world: Investigation) -> RootCause {
    let entity = Entity("Service", headless.service, namespace: headless.namespace)
    let selector = headless.selector.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    let exhibit = Exhibit(
      Citation(
        source: "kubernetes", locator: "services/\(headless.namespace)/\(headless.service)", field: "spec.selector",
        value: selector.isEmpty ? "none" : selector, at: world.now))
    return RootCause(
      "names/no-pods-selected", layer: .application, entity: entity,
      statement:
        "\(headless.title) has no endpoints: \(selector.isEmpty ? "it has no selector" : "no pod of namespace \(headless.namespace) has the labels \(selector)")",
      evidence: [exhibit],
      fixes: [
        Fix(
          "let the selector of the service and the labels of the pods agree, or start the pods", owner: "unknown",
          touches: [entity.title],
          verify:
            "\(world.target.kubectl) -n \(headless.namespace) get endpointslices -l kubernetes.io/service-name=\(headless.service)"
        )
      ])
  }

  private func missing(_ effect: Effect, _ reading: NameReading, _ world: Investigation) -> RootCause {
    let zoneReason = reading.reasons.first { $0.code == "names/vpc-resolver/zone-without" }
    if let zoneReason {
      return RootCause(
        "names/private-zone-hides", layer: .aws, entity: effect.entity,
        statement: zoneReason.text, evidence: reading.exhibits([zoneReason]),
        fixes: [
          Fix(
            "add the record to that zone, or take the zone from the VPC", owner: "unknown", touches: ["the zone"],
            verify: reading.verify)
        ])
    }
    let target = reading.wanted
    let near = reading.services.filter { $0["metadata"]["name"].string == target?.service }
      .compactMap { $0["metadata"]["namespace"].string }.sorted()
    let entity = target.map { Entity("Service", $0.service, namespace: $0.namespace) } ?? effect.entity
    let why = reading.reason("no-service") ?? reading.reason("no-namespace") ?? reading.reason("no-endpoint")
    var statement = why?.text ?? "nobody has a record of \(reading.name)"
    var fix = "correct the name, or make what it is to lead to"
    if let other = near.first(where: { $0 != target?.namespace }), let service = target?.service {
      statement += "; there is one in namespace \(Count.list(near))"
      fix = "ask for \(service).\(other)"
    }
    return RootCause(
      "names/nothing-of-that-name", layer: .application, entity: entity, statement: statement,
      evidence: why.map { reading.exhibits([$0]) } ?? [],
      fixes: [Fix(fix, owner: "unknown", touches: [entity.title], verify: reading.verify)])
  }
}

extension NameReading {
  struct Headless: Sendable {
    var service: String
    var namespace: String
    var selector: [String: String]
    /// Those of its endpoints, none of which is ready.
    var pods: [String]
    var title: String { "service/\(service) in namespace \(namespace)" }
  }

  var verify: String {
    let from = pod.isNull ? "" : " --seen-from pod/\(pod["metadata"]["name"].string ?? "")"
    return "ekswhy name/\(name) -n \(namespace)\(from)"
  }

  /// What was seen in all answers, in the order of the queries.
  var reasons: [Because] { trace.queries.flatMap { answers[$0]?.reasons ?? [] } }

  func reason(_ code: String) -> Because? { reasons.first { $0.code == "names/cluster-names/\(code)" } }

  /// The service that the name most likely means: by its first label, or by its first two.
  var wanted: (service: String, namespace: String)? {
    for name in trace.tried {
      guard case .service(let service, let namespace, nil, nil, _) = ClusterQuery(name, zone: "cluster.local"),
        DNSName.isWithin(name, "cluster.local")
      else { continue }
      return (service, namespace)
    }
    return nil
  }

  /// The headless service without a ready endpoint that the name means.
  var headless: Headless? {
    for query in trace.queries {
      guard let answer = answers[query],
        answer.reasons.contains(where: { $0.code == "names/cluster-names/headless-empty" }),
        case .service(let name, let namespace, _, _, _) = ClusterQuery(query.question.name, zone: "cluster.local")
      else { continue }
      let object = services.first {
        $0["metadata"]["name"].string == name && $0["metadata"]["namespace"].string == namespace
      }
      let own = slices.filter {
        $0["metadata"]["namespace"].string == namespace
          && $0["metadata"]["labels"]["kubernetes.io/service-name"].string == name
      }
      let pods = Set(ClusterNames.Endpoint.read(slices: own).map(\.pod)).filter { !$0.isEmpty }
      return Headless(
        service: name, namespace: namespace, selector: object?["spec"]["selector"].stringMap ?? [:],
        pods: Array(pods.sorted().prefix(3)))
    }
    return nil
  }
}
