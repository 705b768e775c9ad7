import Kubernetes
import Testing
import Wire
import World

@Suite("Admission")
struct AdmissionTests {
  private let pods = "/api/v1/namespaces/default/pods"

  private func pod(_ name: String, _ more: (inout JSON) -> Void = { _ in }) -> JSON {
    var pod = Bench.pod(name)
    more(&pod)
    return pod
  }

  @Test("LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied")
  func limitRangeDefaults() throws {
    let bench = try Bench()
    bench.send(
      "POST", "/api/v1/namespaces/default/limitranges",
      [
        "metadata": ["name": "limits"],
        "spec": [
          "limits": [
            [
              "type": "Container", "min": ["cpu": "50m", "memory": "100Mi"], "max": ["cpu": "500m", "memory": "500Mi"],
              "default": ["cpu": "300m", "memory": "300Mi"], "defaultRequest": ["cpu": "100m", "memory": "200Mi"],
              "maxLimitRequestRatio": ["cpu": "4"],
            ]
          ]
        ],
      ])
    let made = bench.send("POST", pods, pod("plain"))
    #expect(made.status == 201)
    let resources = made.body["spec"]["containers"][0]["resources"]
    #expect(resources["requests"]["cpu"].string == "100m")
    #expect(resources["limits"]["memory"].string == "300Mi")
    #expect(
      made.body["metadata"]["annotations"]["kubernetes.io/limit-ranger"].string
        == "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c")
    let small = bench.send(
      "POST", pods, pod("small") { $0["spec"]["containers"][0]["resources"]["requests"] = ["cpu": "10m"] })
    #expect(small.status == 403)
    #expect(
      small.message
        == "pods \"small\" is forbidden: [minimum cpu usage per Container is 50m, but request is 10m, "
        + "cpu max limit to request ratio per Container is 4, but provided ratio is 30.000000]")
    let big = bench.send(
      "POST", pods,
      pod("big") { $0["spec"]["containers"][0]["resources"]["limits"] = ["memory": "600Mi"] })
    #expect(
      big.message == "pods \"big\" is forbidden: maximum memory usage per Container is 500Mi, but limit is 600Mi")
  }

  @Test("Pods are held to their namespace's Pod Security Standard, in upstream's words")
  func podSecurity() throws {
    let bench = try Bench()
    func label(_ labels: JSON) -> Bench.Reply {
      bench.send(
        "PATCH", "/api/v1/namespaces/default", ["metadata": ["labels": labels]], type: "application/merge-patch+json")
    }
    let wrong = label(["pod-security.kubernetes.io/enforce": "strict"])
    #expect(wrong.status == 422)
    #expect(
      wrong.message
        == "Namespace \"default\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "
        + "\"strict\": must be one of privileged, baseline, restricted")
    bench.send("POST", pods, pod("old"))
    let warned = label(["pod-security.kubernetes.io/enforce": "restricted"])
    #expect(
      warned.headers.all("Warning") == [
        "299 - \"existing pods in namespace \\\"default\\\" violate the new PodSecurity enforce level \\\"restricted:latest\\\"\"",
        "299 - \"old: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile\"",
      ])
    let refused = bench.send("POST", pods, pod("web"))
    #expect(refused.status == 403)
    #expect(
      refused.message
        == "pods \"web\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false "
        + "(container \"c\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities "
        + "(container \"c\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or "
        + "container \"c\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"c\" must set "
        + "securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")")
    let good = pod("good") {
      $0["spec"]["securityContext"] = ["runAsNonRoot": true, "seccompProfile": ["type": "RuntimeDefault"]]
      $0["spec"]["containers"][0]["securityContext"] = [
        "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]],
      ]
    }
    #expect(bench.send("POST", pods, good).status == 201)
    #expect(
      bench.audit.last?["annotations"]["pod-security.kubernetes.io/enforce-policy"].string == "restricted:latest")

    _ = label([
      "pod-security.kubernetes.io/enforce": "privileged", "pod-security.kubernetes.io/warn": "baseline",
      "pod-security.kubernetes.io/audit": "baseline",
    ])
    let host = pod("host") {
      $0["spec"]["hostNetwork"] = true
      $0["spec"]["containers"][0]["securityContext"] = ["privileged": true]
      $0["spec"]["volumes"] = [["name": "v", "hostPath": ["path": "/"]]]
    }
    let told = bench.send("POST", pods, host)
    #expect(told.status == 201)
    let why =
      "would violate PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true), hostPath volumes (volume "
      + "\"v\"), privileged (container \"c\" must not set securityContext.privileged=true)"
    #expect(told.headers.all("Warning") == ["299 - \(GoText.quote(why))"])
    #expect(bench.audit.last?["annotations"]["pod-security.kubernetes.io/audit-violations"].string == why)
  }

  @Test("ResourceQuota should create a ResourceQuota and capture the life of a pod")
  func quota() throws {
    let bench = try Bench()
    bench.send(
      "POST", "/api/v1/namespaces/default/resourcequotas",
      [
        "metadata": ["name": "compute"],
        "spec": ["hard": ["pods": "2", "requests.cpu": "1", "count/configmaps": "2"]],
      ])
    let unsaid = bench.send("POST", pods, pod("unsaid"))
    #expect(unsaid.status == 403)
    #expect(
      unsaid.message == "pods \"unsaid\" is forbidden: failed quota: compute: must specify requests.cpu for: c")
    func asking(_ name: String, _ cpu: JSON) -> JSON {
      pod(name) { $0["spec"]["containers"][0]["resources"] = ["requests": ["cpu": cpu]] }
    }
    #expect(bench.send("POST", pods, asking("a", "600m")).status == 201)
    let more = bench.send("POST", pods, asking("b", "600m"))
    #expect(
      more.message
        == "pods \"b\" is forbidden: exceeded quota: compute, requested: requests.cpu=600m, used: requests.cpu=600m, "
        + "limited: requests.cpu=1")
    #expect(bench.send("POST", pods, asking("b", "100m")).status == 201)
    #expect(bench.send("POST", pods, asking("c", "100m")).message.hasSuffix("used: pods=2, limited: pods=2"))
    bench.send("DELETE", "\(pods)/a?gracePeriodSeconds=0")
    #expect(bench.send("POST", pods, asking("c", "100m")).status == 201)
    // One is there: the authority's.
    #expect(bench.send("POST", "/api/v1/namespaces/default/configmaps", ["metadata": ["name": "x"]]).status == 201)
    #expect(bench.send("POST", "/api/v1/namespaces/default/configmaps", ["metadata": ["name": "y"]]).status == 403)
  }

  @Test("Classes are filled in and looked up")
  func classes() throws {
    let bench = try Bench()
    bench.send(
      "POST", "/apis/networking.k8s.io/v1/ingressclasses",
      [
        "metadata": [
          "name": "alb", "annotations": ["ingressclass.kubernetes.io/is-default-class": "true"],
        ], "spec": ["controller": "example.com/alb"],
      ])
    let ingress = bench.send(
      "POST", "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
      [
        "metadata": ["name": "i"],
        "spec": ["defaultBackend": ["service": ["name": "s", "port": ["number": 80]]]],
      ])
    #expect(ingress.body["spec"]["ingressClassName"].string == "alb")
    let lost = bench.send("POST", pods, pod("p") { $0["spec"]["runtimeClassName"] = "gvisor" })
    #expect(lost.message == "pods \"p\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found")
    bench.send(
      "POST", "/apis/node.k8s.io/v1/runtimeclasses",
      [
        "metadata": ["name": "gvisor"], "handler": "runsc", "overhead": ["podFixed": ["memory": "100Mi"]],
        "scheduling": ["nodeSelector": ["sandbox": "yes"]],
      ])
    let made = bench.send("POST", pods, pod("p") { $0["spec"]["runtimeClassName"] = "gvisor" })
    #expect(made.body["spec"]["overhead"]["memory"].string == "100Mi")
    #expect(made.body["spec"]["nodeSelector"]["sandbox"].string == "yes")
    let gpu = bench.send(
      "POST", pods,
      pod("gpu") {
        $0["spec"]["containers"][0]["resources"] = [
          "limits": ["nvidia.com/gpu": "1"], "requests": ["nvidia.com/gpu": "1"],
        ]
      })
    #expect(gpu.body["spec"]["tolerations"].items.contains { $0["key"].string == "nvidia.com/gpu" })
  }
}
