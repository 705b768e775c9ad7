import Kubernetes
import Testing
import Wire
import World

@Suite("The life of a container")
struct PodLifeTests {
  private func bench() throws -> Bench {
    let bench = try NodeBench.make()
    NodeBench.ready(bench)
    return bench
  }

  // MARK: - Hooks

  @Test("postStart runs in the container; it is told as running once the hook is over")
  func postStart() throws {
    let bench = try bench()
    bench.create(
      NodeBench.script(
        "web", "sleep 1; while [ ! -f /tmp/hook ]; do sleep 1; done; echo saw $(cat /tmp/hook); sleep 1000",
        container: [
          "lifecycle": ["postStart": ["exec": ["command": ["sh", "-c", "sleep 3; echo mark > /tmp/hook"]]]]
        ]))
    bench.run(.seconds(2))
    #expect(bench.pod("web").phase == "Pending")
    #expect(bench.container("web")["state"]["waiting"]["reason"].string == "ContainerCreating")
    bench.run(.seconds(5))
    #expect(bench.pod("web").isPodReady)
    #expect(try bench.output("web") == ["saw mark"])
  }

  @Test("A failed postStart kills the container and says so")
  func failedPostStart() throws {
    let bench = try bench()
    bench.create(
      NodeBench.script(
        "bad", "trap 'exit 0' TERM; sleep 1000 & wait",
        container: ["lifecycle": ["postStart": ["exec": ["command": ["sh", "-c", "echo why >&2; exit 7"]]]]]))
    bench.run(.seconds(60))
    let told = bench.told("bad")
    #expect(told.contains("FailedPostStartHook PostStartHook failed"))
    #expect(told.contains("Killing FailedPostStartHook"))
    let waiting = bench.container("bad")["state"]["waiting"]
    #expect(["CrashLoopBackOff", "PostStartHookError"].contains(waiting["reason"].string))
    #expect(bench.container("bad")["lastState"]["terminated"]["exitCode"].int == 0)
    #expect((bench.container("bad")["restartCount"].int ?? 0) >= 1)
  }

  @Test("preStop runs before the signal, takes its time from the grace, and may fail")
  func preStop() throws {
    let bench = try bench()
    bench.create(
      NodeBench.script(
        "web", "trap 'echo term; exit 0' TERM; while true; do sleep 1; done",
        container: [
          "lifecycle": ["preStop": ["exec": ["command": ["sh", "-c", "sleep 4; echo hook > /proc/1/fd/1; exit 3"]]]]
        ]))
    bench.run(.seconds(3))
    bench.send("DELETE", "/api/v1/namespaces/default/pods/web")
    bench.run(.seconds(3))
    #expect(bench.pod("web").isTerminating)
    #expect(!bench.container("web")["state"]["running"].isNull)
    bench.run(.seconds(5))
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/web").status == 404)
    #expect(bench.told("web").contains("FailedPreStopHook PreStopHook failed"))
  }

  @Test("A preStop that outlasts the grace leaves two seconds, then the container is killed")
  func longPreStop() throws {
    let bench = try bench()
    var pod = NodeBench.script(
      "slow", "trap '' TERM; while true; do sleep 1; done",
      container: ["lifecycle": ["preStop": ["exec": ["command": ["sleep", "60"]]]]])
    pod["spec"]["terminationGracePeriodSeconds"] = 5
    pod["metadata"]["finalizers"] = ["example.com/look"]
    bench.create(pod)
    bench.run(.seconds(3))
    let asked = bench.world.now
    bench.send("DELETE", "/api/v1/namespaces/default/pods/slow")
    bench.run(.seconds(20))
    let end = bench.container("slow")["state"]["terminated"]
    #expect(end["exitCode"].int == 137)
    let finished = try #require(end["finishedAt"].time)
    #expect((finished - asked).components.seconds == 7 || (finished - asked).components.seconds == 6)
  }

  @Test("Sidecars run their hooks at once and end last, the latest first")
  func sidecarOrder() throws {
    let bench = try bench()
    var pod = NodeBench.script("work", "trap 'sleep 2; exit 0' TERM; while true; do sleep 1; done")
    pod["spec"]["initContainers"] = [
      ["name": "one", "image": "nginx", "restartPolicy": "Always"],
      ["name": "two", "image": "nginx", "restartPolicy": "Always"],
    ]
    pod["metadata"]["finalizers"] = ["example.com/look"]
    bench.create(pod)
    bench.run(.seconds(3))
    bench.send("DELETE", "/api/v1/namespaces/default/pods/work")
    bench.run(.seconds(40))
    let status = bench.pod("work").status
    let main = try #require(status["containerStatuses"][0]["state"]["terminated"]["finishedAt"].time)
    let one = try #require(status["initContainerStatuses"][0]["state"]["terminated"]["finishedAt"].time)
    let two = try #require(status["initContainerStatuses"][1]["state"]["terminated"]["finishedAt"].time)
    #expect(main <= two && two <= one)
    #expect(bench.told("work").filter { $0.hasPrefix("Killing Stopping container") }.count == 3)
  }

  // MARK: - Messages and ends

  @Test(
    "A container leaves a message",
    arguments: [
      ("echo -n gone > /dev/termination-log; exit 3", "File", "gone"),
      ("echo -n no > /tmp/x; echo from-log; exit 3", "FallbackToLogsOnError", "from-log\n"),
      ("echo from-log; exit 0", "FallbackToLogsOnError", nil),
      ("echo out; exit 1", "File", nil),
    ])
  func messages(script: String, policy: String, message: String?) throws {
    let bench = try bench()
    bench.create(
      NodeBench.script("m", script, policy: "Never", container: ["terminationMessagePolicy": .string(policy)]))
    bench.run(.seconds(5))
    #expect(bench.container("m")["state"]["terminated"]["message"].string == message)
  }

  @Test("What takes more memory than it may is killed for it", arguments: [true, false])
  func memory(isStress: Bool) throws {
    let bench = try bench()
    var pod = Bench.pod("hog")
    pod["spec"]["restartPolicy"] = "Never"
    pod["spec"]["containers"][0]["resources"] = ["limits": ["memory": "100Mi"]]
    if isStress {
      pod["spec"]["containers"][0]["image"] = "polinux/stress"
      pod["spec"]["containers"][0]["command"] = ["stress"]
      pod["spec"]["containers"][0]["args"] = ["--vm", "1", "--vm-bytes", "150M", "--vm-hang", "1"]
    } else {
      pod["metadata"]["annotations"] = ["containers.ekswhy.dev/c": "memory: [{use: 50Mi}, {after: 3s, use: 120Mi}]"]
    }
    bench.create(pod)
    bench.run(.seconds(10))
    let end = bench.container("hog")["state"]["terminated"]
    #expect(end["reason"].string == "OOMKilled")
    #expect(end["exitCode"].int == 137)
    #expect(bench.pod("hog").phase == "Failed")
  }

  @Test("A container's own rules decide whether it is started again")
  func restartRules() throws {
    let bench = try bench()
    var pod = NodeBench.script("once", "exit 42", policy: "Never")
    pod["spec"]["containers"][0]["restartPolicy"] = "Never"
    pod["spec"]["containers"][0]["restartPolicyRules"] = [
      ["action": "Restart", "exitCodes": ["operator": "In", "values": [42]]]
    ]
    let reply = bench.send("POST", "/api/v1/namespaces/default/pods", pod)
    // Fields that the version does not have are dropped there.
    guard reply.status == 201, !reply.body["spec"]["containers"][0]["restartPolicyRules"].isNull else { return }
    bench.run(.seconds(5))
    #expect((bench.container("once")["restartCount"].int ?? 0) >= 1)
  }

  @Test("Resources of a running container change in place, wait for room, or want a restart")
  func resize() throws {
    let bench = try bench()
    var pod = Bench.pod("web")
    pod["spec"]["containers"][0]["resources"] = ["requests": ["cpu": "100m", "memory": "64Mi"]]
    pod["spec"]["containers"][0]["resizePolicy"] = [["resourceName": "memory", "restartPolicy": "RestartContainer"]]
    bench.create(pod)
    bench.run(.seconds(3))
    #expect(bench.container("web")["resources"]["requests"]["cpu"].string == "100m")
    func resize(_ requests: JSON) {
      let reply = bench.send(
        "PATCH", "/api/v1/namespaces/default/pods/web/resize",
        ["spec": ["containers": [["name": "c", "resources": ["requests": requests]]]]],
        type: "application/strategic-merge-patch+json")
      #expect(reply.status == 200, "\(reply.text)")
      bench.run(.seconds(3))
    }
    resize(["cpu": "200m"])
    #expect(bench.container("web")["resources"]["requests"]["cpu"].string == "200m")
    #expect(bench.container("web")["allocatedResources"]["cpu"].string == "200m")
    #expect(bench.container("web")["restartCount"].int == 0)
    resize(["cpu": "64"])
    #expect(bench.container("web")["resources"]["requests"]["cpu"].string == "200m")
    let pending = bench.pod("web").condition("PodResizePending")
    #expect(pending["reason"].string == "Infeasible")
    #expect(
      pending["message"].string?.hasPrefix("Node didn't have enough capacity: cpu, requested: 64000, capacity: ")
        == true)
    resize(["cpu": "200m", "memory": "128Mi"])
    bench.run(.seconds(5))
    #expect(bench.pod("web").condition("PodResizePending").isNull)
    #expect(bench.container("web")["restartCount"].int == 1)
    #expect(bench.told("web").contains("Killing Container c resize requires restart"))
  }

  @Test("A resize that wants a restart is in progress until the container runs anew")
  func resizeInProgress() throws {
    let bench = try bench()
    let more: JSON = [
      "resources": ["requests": ["memory": "64Mi"]],
      "resizePolicy": [["resourceName": "memory", "restartPolicy": "RestartContainer"]],
    ]
    bench.create(
      NodeBench.script("slow", "trap 'sleep 4; exit 0' TERM; while true; do sleep 1; done", container: more))
    bench.run(.seconds(3))
    #expect(bench.pod("slow").condition("PodResizeInProgress").isNull)
    bench.send(
      "PATCH", "/api/v1/namespaces/default/pods/slow/resize",
      ["spec": ["containers": [["name": "c", "resources": ["requests": ["memory": "96Mi"]]]]]],
      type: "application/strategic-merge-patch+json")
    bench.run(.seconds(2))
    #expect(bench.pod("slow").isConditionTrue("PodResizeInProgress"))
    #expect(bench.pod("slow").condition("PodResizePending").isNull)
    #expect(bench.container("slow")["resources"]["requests"]["memory"].string == "64Mi")
    bench.run(.seconds(10))
    #expect(bench.pod("slow").condition("PodResizeInProgress").isNull)
    #expect(bench.container("slow")["resources"]["requests"]["memory"].string == "96Mi")
    #expect(bench.container("slow")["restartCount"].int == 1)
  }

  @Test(
    "What takes more of the disk than it may is evicted",
    arguments: [
      ("sizeLimit", "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Mi\". "),
      ("limit", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "),
    ])
  func storage(kind: String, message: String) throws {
    let bench = try bench()
    var pod = NodeBench.script("fat", "sleep 3; dd if=/dev/zero of=/cache/x bs=1500000 count=1; sleep 1000")
    pod["spec"]["volumes"] = [["name": "cache", "emptyDir": kind == "limit" ? [:] : ["sizeLimit": "1Mi"]]]
    pod["spec"]["containers"][0]["volumeMounts"] = [["name": "cache", "mountPath": "/cache"]]
    if kind == "limit" {
      pod["spec"]["containers"][0]["resources"] = ["limits": ["ephemeral-storage": "1Gi"]]
      pod["metadata"]["annotations"] = ["containers.ekswhy.dev/c": "disk: [{use: 10Mi}, {after: 5s, use: 2Gi}]"]
    }
    bench.create(pod)
    bench.run(.seconds(2))
    #expect(bench.pod("fat").isPodReady)
    bench.run(.seconds(30))
    let status = bench.pod("fat").status
    #expect(status["phase"].string == "Failed")
    #expect(status["reason"].string == "Evicted")
    #expect(status["message"].string == message)
    #expect(bench.pod("fat").condition("DisruptionTarget")["reason"].string == "TerminationByKubelet")
  }

  @Test("A probe whose command is not there errs and does not count")
  func erringProbe() throws {
    let bench = try bench()
    bench.create(
      NodeBench.script(
        "p", "sleep 1000",
        container: [
          "livenessProbe": ["exec": ["command": ["absent"]], "periodSeconds": 1, "failureThreshold": 1]
        ]))
    bench.run(.seconds(10))
    #expect(bench.container("p")["restartCount"].int == 0)
    #expect(
      bench.told("p").contains {
        $0.hasPrefix(
          "Unhealthy Liveness probe errored and resulted in unknown state: rpc error: code = Unknown desc = ")
          && $0.hasSuffix("exec: \"absent\": executable file not found in $PATH: unknown")
      })
  }

  @Test(
    "A path of the node must be what it is said to be",
    arguments: [
      ("/data", "Directory", "hostPath type check failed: /data is not a directory"),
      ("/data", "DirectoryOrCreate", nil),
      ("/var/log", "Directory", nil), ("/var/run/docker.sock", "Socket", nil),
      ("/var/log", "Socket", "hostPath type check failed: /var/log is not a socket file"), ("/data/x", "", nil),
    ])
  func hostPaths(path: String, type: String, why: String?) throws {
    let bench = try bench()
    var pod = Bench.pod("h")
    pod["spec"]["volumes"] = [["name": "v", "hostPath": ["path": .string(path), "type": .string(type)]]]
    pod["spec"]["containers"][0]["volumeMounts"] = [["name": "v", "mountPath": "/v"]]
    bench.create(pod)
    bench.run(.seconds(3))
    #expect(bench.pod("h").isPodReady == (why == nil))
    if let why { #expect(bench.told("h").contains("FailedMount MountVolume.SetUp failed for volume \"v\" : \(why)")) }
  }

  @Test("A container without limits sees what its node can give")
  func nodeResources() throws {
    let bench = try bench()
    bench.create(
      NodeBench.script(
        "r", "echo $CPU $MEM; sleep 1000",
        container: [
          "resources": ["limits": ["memory": "64Mi"]],
          "env": [
            ["name": "CPU", "valueFrom": ["resourceFieldRef": ["resource": "limits.cpu", "divisor": "1m"]]],
            ["name": "MEM", "valueFrom": ["resourceFieldRef": ["resource": "limits.memory", "divisor": "1Mi"]]],
          ],
        ]))
    bench.run(.seconds(3))
    #expect(try bench.output("r") == ["1930 64"])
  }

  // MARK: - Images

  @Test("A pull that fails is told as such first, then as held back")
  func pulls() throws {
    let bench = try bench()
    var pod = Bench.pod("img")
    pod["spec"]["containers"][0]["image"] = "nginx:does-not-exist"
    pod["spec"]["imagePullSecrets"] = [["name": "absent"]]
    bench.create(pod)
    bench.run(.seconds(1))
    #expect(bench.container("img")["state"]["waiting"]["reason"].string == "ErrImagePull")
    bench.run(.seconds(4))
    let waiting = bench.container("img")["state"]["waiting"]
    #expect(waiting["reason"].string == "ImagePullBackOff")
    let failure =
      "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/nginx:does-not-exist\": failed to resolve reference \"docker.io/library/nginx:does-not-exist\": docker.io/library/nginx:does-not-exist: not found"
    #expect(
      waiting["message"].string == "Back-off pulling image \"nginx:does-not-exist\": ErrImagePull: \(failure)")
    #expect(
      Array(bench.told("img").dropFirst()) == [
        "FailedToRetrieveImagePullSecret Unable to retrieve some image pull secrets (absent); attempting to pull the image may not succeed.",
        "Pulling Pulling image \"nginx:does-not-exist\"",
        "Failed Failed to pull image \"nginx:does-not-exist\": \(failure)", "Failed Error: ErrImagePull",
        "BackOff Back-off pulling image \"nginx:does-not-exist\"", "Failed Error: ImagePullBackOff",
      ])
  }

  @Test("A private image needs a pull secret that is there", arguments: [true, false])
  func privateImage(hasSecret: Bool) throws {
    let bench = try bench()
    if hasSecret {
      bench.send(
        "POST", "/api/v1/namespaces/default/secrets",
        ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "reg"], "type": "Opaque"])
    }
    var pod = Bench.pod("img")
    pod["spec"]["imagePullSecrets"] = [["name": "reg"]]
    pod["metadata"]["annotations"] = ["containers.ekswhy.dev/c": "pull: private"]
    bench.create(pod)
    bench.run(.seconds(10))
    #expect(bench.pod("img").isPodReady == hasSecret)
  }

  @Test("One container that never ran keeps its pod pending")
  func pending() throws {
    let bench = try bench()
    var pod = Bench.pod("two")
    pod["spec"]["containers"] = [["name": "c", "image": "nginx"], ["name": "d", "image": "nonexistent"]]
    bench.create(pod)
    bench.run(.seconds(10))
    #expect(!bench.container("two")["state"]["running"].isNull)
    #expect(bench.pod("two").phase == "Pending")
  }
}
