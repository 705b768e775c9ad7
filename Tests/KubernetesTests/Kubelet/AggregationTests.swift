import Kubernetes
import Testing
import Wire
import World

/// API servers in the cluster: what their pods answer stands behind an APIService.
@Suite("An aggregated API server")
struct AggregationTests {
  private static let services = "/apis/apiregistration.k8s.io/v1/apiservices"
  private static let routes = """
    serves:
    - port: 8443
      http:
      - path: /apis/wardle.example.com/v1alpha1
        body: '{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"wardle.example.com/v1alpha1","resources":[{"name":"flunders","singularName":"flunder","namespaced":true,"kind":"Flunder","verbs":["get","list","create"],"shortNames":["fl"]}]}'
      - path: /apis/wardle.example.com/v1alpha1/namespaces/default/flunders
        body: '{"kind":"FlunderList","apiVersion":"wardle.example.com/v1alpha1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"one","namespace":"default"}}]}'
      - path: /apis/wardle.example.com/v1alpha1/namespaces/default/flunders/two
        status: 404
        body: '{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}'
    """

  private func bench(_ routes: String) throws -> (Bench, ContainerLogs) {
    let bench = try NodeBench.make()
    let logs = ContainerLogs(world: bench.world)
    bench.storey.containers = logs
    NodeBench.ready(bench)
    bench.send(
      "POST", "/api/v1/namespaces/default/services",
      [
        "apiVersion": "v1", "kind": "Service", "metadata": ["name": "sample-api"],
        "spec": ["selector": ["app": "sample"], "ports": [["port": 7443, "targetPort": 8443]]],
      ])
    bench.create([
      "apiVersion": "v1", "kind": "Pod",
      "metadata": [
        "name": "sample", "labels": ["app": "sample"], "annotations": ["containers.ekswhy.dev/c": .string(routes)],
      ],
      "spec": ["containers": [["name": "c", "image": "registry.example.com/sample-apiserver:1"]]],
    ])
    bench.send(
      "POST", Self.services,
      [
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": ["name": "v1alpha1.wardle.example.com"],
        "spec": [
          "group": "wardle.example.com", "version": "v1alpha1", "groupPriorityMinimum": 2000, "versionPriority": 200,
          "insecureSkipTLSVerify": true, "service": ["namespace": "default", "name": "sample-api", "port": 7443],
        ],
      ])
    bench.run(.seconds(60))
    return (bench, logs)
  }

  private func condition(_ bench: Bench) -> JSON {
    bench.send("GET", "\(Self.services)/v1alpha1.wardle.example.com").body["status"]["conditions"][0]
  }

  @Test("is told of, asked, and gone with its pod")
  func served() throws {
    let (bench, logs) = try bench(Self.routes)
    _ = logs
    #expect(condition(bench)["status"].string == "True", "\(condition(bench))")
    #expect(condition(bench)["message"].string == "all checks passed")
    let aggregated = bench.send(
      "GET", "/apis", accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    ).body["items"].items.first { $0["metadata"]["name"].string == "wardle.example.com" }
    let told = aggregated?["versions"][0]["resources"][0]
    #expect(told?["resource"].string == "flunders" && told?["scope"].string == "Namespaced", "\(told ?? .null)")
    #expect(
      bench.send("GET", "/apis").body["groups"].items.contains { $0["name"].string == "wardle.example.com" })
    let group = "/apis/wardle.example.com"
    #expect(bench.send("GET", group).body["preferredVersion"]["version"].string == "v1alpha1")
    #expect(bench.send("GET", "\(group)/v1alpha1").body["resources"][0]["kind"].string == "Flunder")
    let flunders = "\(group)/v1alpha1/namespaces/default/flunders"
    #expect(bench.send("GET", "\(flunders)?limit=500").body["items"][0]["metadata"]["name"].string == "one")
    #expect(bench.send("GET", "\(flunders)/two").status == 404)
    // Who may not is not handed on.
    let stranger = KubeRequest.Credential.certificate(CertificateSubject(commonName: "eve", organizations: []))
    let refused = bench.send("GET", flunders, as: stranger)
    #expect(refused.status == 403)
    #expect(
      refused.message
        == "flunders.wardle.example.com is forbidden: User \"eve\" cannot list resource \"flunders\" in API group "
        + "\"wardle.example.com\" in the namespace \"default\"")
    bench.send("DELETE", "/api/v1/namespaces/default/pods/sample?gracePeriodSeconds=0")
    bench.run(.seconds(60))
    #expect(condition(bench)["reason"].string == "MissingEndpoints", "\(condition(bench))")
    let gone = bench.send("GET", flunders)
    #expect(gone.status == 503 && gone.text == "service unavailable\n")
  }

  @Test("that says nothing of its group is unavailable")
  func silent() throws {
    let (bench, logs) = try bench("serves: [{port: 8443, http: [{path: /healthz, body: ok}]}]")
    _ = logs
    let condition = condition(bench)
    #expect(condition["reason"].string == "FailedDiscoveryCheck", "\(condition)")
    #expect(condition["message"].string?.hasPrefix("failing or missing response from https://10.") == true)
    #expect(
      condition["message"].string?.hasSuffix(":8443/apis/wardle.example.com/v1alpha1: 404") == true, "\(condition)")
  }
}
