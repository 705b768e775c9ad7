import Kubernetes
import Testing
import Wire
import World

/// What upstream's specs of Services, their addresses and endpoints check, at the protocol.
@Suite("Conformance: Services")
struct ServicesConformanceTests {
  private static let services = "/api/v1/namespaces/default/services"
  private static let blocks = "/apis/networking.k8s.io/v1/servicecidrs"
  private static let addresses = "/apis/networking.k8s.io/v1/ipaddresses"
  private static let merge = "application/merge-patch+json"

  private static func service(_ name: String, _ spec: JSON = .emptyObject) -> JSON {
    var service: JSON = ["metadata": ["name": .string(name)], "spec": ["ports": [["name": "http", "port": 80]]]]
    for field in spec.fields { service["spec"][field.key] = field.value }
    return service
  }

  @Test("ServiceCIDR and IPAddress API should support ServiceCIDR API operations")
  func defaultBlock() throws {
    let bench = try Bench()
    let block = bench.send("GET", "\(Self.blocks)/kubernetes").body
    #expect(block["spec"]["cidrs"].strings == ["10.100.0.0/16"])
    #expect(block["status"]["conditions"][0]["status"].string == "True")
    let status = bench.send("GET", "\(Self.blocks)/kubernetes/status").body
    #expect(status["kind"].string == "ServiceCIDR" && status["metadata"]["uid"] == block["metadata"]["uid"])
    #expect(bench.objects(Self.blocks).count == 1)
  }

  @Test("Every address of a Service has its IPAddress, and gives it back")
  func recorded() throws {
    let bench = try Bench()
    #expect(bench.send("GET", "\(Self.addresses)/10.100.0.1").body["spec"]["parentRef"]["name"].string == "kubernetes")
    let made = bench.send("POST", Self.services, Self.service("a"))
    let address = try #require(made.body["spec"]["clusterIP"].string)
    let record = bench.send("GET", "\(Self.addresses)/\(address)").body
    #expect(
      record["spec"]["parentRef"]
        == ["resource": "services", "namespace": "default", "name": "a"] as JSON)
    #expect(record["metadata"]["labels"]["ipaddress.kubernetes.io/managed-by"].string == "ipallocator.k8s.io")
    #expect(bench.send("POST", "\(Self.services)?dryRun=All", Self.service("dry")).status == 201)
    #expect(bench.objects(Self.addresses).count == 2)
    bench.send("DELETE", "\(Self.services)/a")
    #expect(bench.send("GET", "\(Self.addresses)/\(address)").status == 404)
    bench.send("POST", Self.services, Self.service("headless", ["clusterIP": "None"]))
    #expect(bench.objects(Self.addresses).count == 1)
  }

  @Test("An address that somebody else wrote down is taken")
  func foreign() throws {
    let bench = try Bench()
    bench.send(
      "POST", Self.addresses,
      ["metadata": ["name": "10.100.0.77"], "spec": ["parentRef": ["resource": "gateways", "name": "g"]]])
    let refused = bench.send("POST", Self.services, Self.service("a", ["clusterIP": "10.100.0.77"]))
    #expect(
      refused.message == "Service \"a\" is invalid: spec.clusterIPs: Invalid value: [\"10.100.0.77\"]: failed to "
        + "allocate IP 10.100.0.77: provided IP is already allocated")
  }

  @Test("More blocks can be had, and one goes when no Service has an address of it")
  func blocks() throws {
    let bench = try Bench.withControlPlane()
    let wanted = Self.service("a", ["clusterIP": "203.0.113.10"])
    let refused = bench.send("POST", Self.services, wanted)
    #expect(refused.causes.first?.hasSuffix("the provided network does not match the current range") == true)
    bench.send("POST", Self.blocks, ["metadata": ["name": "more"], "spec": ["cidrs": ["203.0.113.0/24"]]])
    bench.settle()
    let block = bench.send("GET", "\(Self.blocks)/more").body
    #expect(block["metadata"]["finalizers"].strings == ["networking.k8s.io/service-cidr-finalizer"])
    #expect(bench.condition("\(Self.blocks)/more", "Ready")["message"].string == "Kubernetes Service CIDR is ready")
    #expect(bench.send("POST", Self.services, wanted).status == 201)
    bench.send("DELETE", "\(Self.blocks)/more")
    bench.settle()
    let ready = bench.condition("\(Self.blocks)/more", "Ready")
    #expect(ready["status"].string == "False" && ready["reason"].string == "Terminating")
    let late = bench.send("POST", Self.services, Self.service("b", ["clusterIP": "203.0.113.11"]))
    #expect(late.status == 422)
    bench.send("DELETE", "\(Self.services)/a")
    bench.settle()
    #expect(bench.send("GET", "\(Self.blocks)/more").status == 404)
    #expect(bench.world.isIdle)
  }

  @Test("Services should be able to change the type, and give back what the new one has no use for")
  func types() throws {
    let bench = try Bench()
    bench.send("POST", Self.services, Self.service("s", ["type": "NodePort"]))
    func change(_ change: (inout JSON) -> Void) -> JSON {
      var service = bench.send("GET", "\(Self.services)/s").body
      change(&service["spec"])
      let answer = bench.send("PUT", "\(Self.services)/s", service)
      #expect(answer.status == 200, "\(answer.text)")
      return answer.body["spec"]
    }
    let before = bench.send("GET", "\(Self.services)/s").body["spec"]
    #expect(before["externalTrafficPolicy"].string == "Cluster" && before["ports"][0]["nodePort"].int != nil)
    let named = change {
      $0["type"] = "ExternalName"
      $0["externalName"] = "x.example.com"
    }
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "externalTrafficPolicy"] {
      #expect(named[field].isNull, "\(field)")
    }
    #expect(named["ports"][0]["nodePort"].isNull)
    #expect(bench.objects(Self.addresses).count == 1)
    let plain = change {
      $0["type"] = "ClusterIP"
      $0["externalName"] = .null
    }
    #expect(plain["clusterIP"].string != nil && plain["ports"][0]["nodePort"].isNull)
    let balanced = change { $0["type"] = "LoadBalancer" }
    #expect(balanced["allocateLoadBalancerNodePorts"].bool == true && balanced["ports"][0]["nodePort"].int != nil)
    let again = change { $0["type"] = "ClusterIP" }
    #expect(again["allocateLoadBalancerNodePorts"].isNull && again["externalTrafficPolicy"].isNull)
    #expect(again["clusterIP"] == plain["clusterIP"])
    #expect(
      change { $0["sessionAffinity"] = "ClientIP" }["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] == 10800)
    #expect(change { $0["sessionAffinity"] = "None" }["sessionAffinityConfig"].isNull)
  }

  @Test("Services should complete a service status lifecycle")
  func status() throws {
    let bench = try Bench()
    let events = bench.stream("\(Self.services)?watch=true&labelSelector=test%3Dx")
    bench.send(
      "POST", Self.services, Self.service("s", ["type": "LoadBalancer"]).with(["test": "x"] as JSON, "metadata.labels"))
    let patched = bench.send(
      "PATCH", "\(Self.services)/s/status",
      [
        "metadata": ["annotations": ["patchedstatus": "true"]],
        "status": ["loadBalancer": ["ingress": [["ip": "203.0.113.1"]]]],
      ], type: Self.merge)
    #expect(patched.body["metadata"]["annotations"]["patchedstatus"].string == "true")
    #expect(patched.body["status"]["loadBalancer"]["ingress"][0] == ["ip": "203.0.113.1", "ipMode": "VIP"] as JSON)
    var service = patched.body
    service["status"]["conditions"] = [
      [
        "type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test",
        "lastTransitionTime": .null,
      ]
    ]
    #expect(bench.send("PUT", "\(Self.services)/s/status", service).status == 200)
    bench.send("PATCH", "\(Self.services)/s", ["metadata": ["labels": ["more": "y"]]], type: Self.merge)
    bench.send("DELETE", "\(Self.services)/s")
    #expect(events.events.map { $0["type"].string ?? "" } == ["ADDED", "MODIFIED", "MODIFIED", "MODIFIED", "DELETED"])
  }

  @Test("EndpointsController should create Endpoints for Pods matching a Service")
  func endpoints() throws {
    let bench = try Bench.withControlPlane()
    bench.addNode("a")
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    for (name, port) in [("pod1", 3000), ("pod2", 3001)] {
      var pod = Bench.pod(name).with(["shared": "on", "only": .string(name)] as JSON, "metadata.labels")
      pod["spec"]["containers"][0]["ports"] = [["name": "example-name", "containerPort": .int(Int64(port))]]
      bench.send("POST", "/api/v1/namespaces/default/pods", pod)
    }
    let wanted: [(name: String, selector: JSON, target: JSON, slices: Int, addresses: Int)] = [
      ("int-port", ["only": "pod1"], 3000, 1, 1), ("named-port", ["shared": "on"], "example-name", 2, 2),
      ("no-match", ["only": "pod3"], 8080, 1, 0),
    ]
    for row in wanted {
      bench.send(
        "POST", Self.services,
        Self.service(
          row.name,
          [
            "selector": row.selector, "publishNotReadyAddresses": true,
            "ports": [["name": "http", "port": 80, "targetPort": row.target]],
          ]))
    }
    bench.settle()
    bench.actAsKubelets()
    func check() {
      for row in wanted {
        let mine = bench.objects("\(slices)?labelSelector=kubernetes.io%2Fservice-name%3D\(row.name)")
        #expect(mine.count == row.slices, "\(row.name)")
        #expect(mine.flatMap { $0["endpoints"].items }.count == row.addresses, "\(row.name)")
        let subsets = bench.send("GET", "/api/v1/namespaces/default/endpoints/\(row.name)").body["subsets"].items
        #expect(subsets.flatMap { $0["addresses"].items }.count == row.addresses, "\(row.name)")
      }
    }
    check()
    bench.send("DELETE", "\(slices)?labelSelector=kubernetes.io%2Fservice-name%3Dnamed-port")
    bench.settle()
    check()
    bench.send("DELETE", "\(Self.services)/no-match")
    bench.settle()
    #expect(bench.send("GET", "/api/v1/namespaces/default/endpoints/no-match").status == 404)
    #expect(bench.objects("\(slices)?labelSelector=kubernetes.io%2Fservice-name%3Dno-match").isEmpty)
  }
}
