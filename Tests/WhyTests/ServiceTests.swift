import Mechanisms
import Testing
import Why
import Wire

/// Services: who stands behind them, and why nobody does.
@Suite struct ServiceTests {
  static func cluster(_ spec: JSON, ready: Bool = true, status: JSON = [:]) -> Fixture {
    var f = Fixture.healthy()
    for path in ["services", "deployments.apps", "statefulsets.apps", "endpointslices.discovery.k8s.io"] {
      f.files["kubernetes/\(path)"] = ["kind": "List", "items": []]
    }
    f.add(
      "kubernetes/services",
      [
        "metadata": [
          "name": "web", "namespace": "shop", "uid": "uid-svc", "creationTimestamp": "2026-11-22T11:00:00Z",
          "managedFields": [],
        ], "spec": spec, "status": status,
      ])
    var pod = Fixture.pod("web-1", "shop", node: 1, app: "web", address: "10.0.30.40", ready: ready)
    pod["metadata"]["labels"] = ["app": "ready", "tier": "front"]
    pod["spec"]["containers"] = [["name": "web", "ports": [["name": "http", "containerPort": 8080]]]]
    f.add("kubernetes/pods", pod)
    return f
  }

  @Test func aServiceThatIsWell() async throws {
    let answer = try await Self.cluster(["selector": ["app": "ready"], "ports": [["port": 80, "targetPort": "http"]]])
      .ask("service", "web", namespace: "shop")
    #expect(answer.status == .healthy)
    #expect(answer.summary == "no fault found in service/web: 1 of 1 pod behind it Ready")
    #expect(
      answer.chain.map(\.statement) == [
        "its selector app=ready picks 1 pod, all Ready; its port goes: 80 to their port 8080"
      ])
  }

  @Test func aSlipInTheSelector() async throws {
    let answer = try await Self.cluster(["selector": ["app": "raedy"], "ports": [["port": 80]]])
      .ask("service", "web", namespace: "shop")
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "services/selector-picks-nothing")
    #expect(
      root.statement
        == "the selector app=raedy of service/web picks no pod; the nearest is pod/web-1, of which app is ready, not raedy"
    )
    #expect(
      root.fixes.first?.command
        == #"kubectl -n shop patch service/web --type=json -p '[{"op":"replace","path":"/spec/selector/app","value":"ready"}]'"#
    )
  }

  @Test func aSelectorThatIsNearNothing() async throws {
    let answer = try await Self.cluster(["selector": ["app": "queue"], "ports": [["port": 80]]])
      .ask("service", "web", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["services/selector-picks-nothing"])
    #expect(answer.roots.first?.cause.statement.hasSuffix("none in namespace shop comes near it") == true)
  }

  @Test func whatMakesItsPodsIsScaledToNothing() async throws {
    var f = Self.cluster(["selector": ["app": "queue"], "ports": [["port": 80]]])
    f.add(
      "kubernetes/deployments.apps",
      [
        "metadata": ["name": "queue", "namespace": "shop"],
        "spec": ["replicas": 0, "template": ["metadata": ["labels": ["app": "queue"]]]],
      ])
    let answer = try await f.ask("service", "web", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["services/scaled-to-zero"])
    #expect(answer.roots.first?.cause.fixes.first?.command == "kubectl -n shop scale deployment/queue --replicas=1")
  }

  @Test func podsThatAreNotReadyAreAskedNext() async throws {
    var f = Self.cluster(["selector": ["tier": "front"], "ports": [["port": 80]]], ready: false)
    f.edit("kubernetes/pods", named: "web-1") { pod in
      pod["status"]["containerStatuses"] = [ContainerTests.crashed(1)]
      pod["spec"]["containers"] = [["name": "c"]]
    }
    f.files["kubernetes/logs/shop/web-1/c.previous"] = "stopped\n"
    let answer = try await f.ask("service", "web", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["application/command-fails"])
    #expect(answer.chain.first?.code == "services/unbacked")
  }

  @Test func aPortThatNoContainerHas() async throws {
    let answer = try await Self.cluster(["selector": ["app": "ready"], "ports": [["port": 80, "targetPort": "web"]]])
      .ask("service", "web", namespace: "shop")
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == "services/target-port-missing")
    #expect(root.fixes.first?.command?.contains(#"/spec/ports/0/targetPort","value":"http""#) == true)
  }

  @Test func withoutASelectorEndpointsAreWritten() async throws {
    var f = Self.cluster(["ports": [["port": 80]]])
    #expect(try await f.ask("service", "web", namespace: "shop").roots.map(\.cause.code) == ["services/no-selector"])
    f.add(
      "kubernetes/endpointslices.discovery.k8s.io",
      [
        "metadata": ["name": "web-1", "namespace": "shop", "labels": ["kubernetes.io/service-name": "web"]],
        "endpoints": [["addresses": ["10.9.9.9"]]],
      ])
    #expect(try await f.ask("service", "web", namespace: "shop").status == .healthy)
  }

  @Test func aLoadBalancerThatNobodyMakes() async throws {
    var spec: JSON = ["type": "LoadBalancer", "selector": ["app": "ready"], "ports": [["port": 80]]]
    #expect(try await Self.cluster(spec).ask("service", "web", namespace: "shop").status == .unproven)
    spec["loadBalancerClass"] = "service.k8s.aws/nlb"
    let answer = try await Self.cluster(spec).ask("service", "web", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["services/no-load-balancer-controller"])
    var told = Self.cluster(spec)
    told.event(
      "Service", "web", namespace: "shop", uid: "uid-svc", reason: "FailedDeployModel", message: "AccessDenied: no")
    #expect(
      try await told.ask("service", "web", namespace: "shop").roots.map(\.cause.code) == [
        "services/load-balancer-fails"
      ])
  }

  @Test func onlyTheNodeOfAPodIsServed() async throws {
    var f = Self.cluster([
      "selector": ["app": "ready"], "ports": [["port": 80]], "internalTrafficPolicy": "Local",
      "clusterIP": "10.100.0.9",
    ])
    f.add(
      "kubernetes/endpointslices.discovery.k8s.io",
      [
        "metadata": ["name": "web-1", "namespace": "shop", "labels": ["kubernetes.io/service-name": "web"]],
        "ports": [["port": 80]],
        "endpoints": [
          ["addresses": ["10.0.30.40"], "nodeName": .string(Fixture.nodeName(1)), "conditions": ["ready": true]]
        ],
      ])
    let answer = try await f.ask("service", "web", namespace: "shop")
    #expect(answer.roots.map(\.cause.code) == ["services/local-policy"])
    #expect(answer.roots.first?.cause.statement.contains("\(Fixture.nodeName(2)) has none that is Ready") == true)
  }

  @Test func anExternalNameHasNobodyBehindIt() async throws {
    let answer = try await Self.cluster(["type": "ExternalName", "externalName": "db.example.com"])
      .ask("service", "web", namespace: "shop")
    #expect(answer.status == .healthy)
    #expect(answer.summary.contains("another name of db.example.com"))
  }
}
