import Kubernetes
import Testing
import Wire
import World

@Suite("Storage")
struct StorageTests {
  static func claim(
    _ name: String, _ size: String = "1Gi", storageClass: JSON = .null, volume: JSON = .null,
    modes: JSON = ["ReadWriteOnce"], selector: JSON = .null
  ) -> JSON {
    [
      "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": .string(name)],
      "spec": [
        "accessModes": modes, "storageClassName": storageClass, "volumeName": volume, "selector": selector,
        "resources": ["requests": ["storage": .string(size)]],
      ],
    ]
  }

  static func volume(
    _ name: String, _ size: String, storageClass: JSON = .null, policy: String = "Retain", node: String = "",
    labels: JSON = .null, modes: JSON = ["ReadWriteOnce"]
  ) -> JSON {
    var volume: JSON = [
      "apiVersion": "v1", "kind": "PersistentVolume", "metadata": ["name": .string(name), "labels": labels],
      "spec": [
        "capacity": ["storage": .string(size)], "accessModes": modes, "storageClassName": storageClass,
        "persistentVolumeReclaimPolicy": .string(policy), "hostPath": ["path": "/tmp/data"],
      ],
    ]
    if !node.isEmpty {
      volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"] = [
        ["matchExpressions": [["key": "kubernetes.io/hostname", "operator": "In", "values": [.string(node)]]]]
      ]
    }
    return volume
  }

  static func pod(_ name: String, claim: String) -> JSON {
    var pod = Bench.pod(name)
    pod["spec"]["volumes"] = [["name": "data", "persistentVolumeClaim": ["claimName": .string(claim)]]]
    pod["spec"]["containers"][0]["volumeMounts"] = [["name": "data", "mountPath": "/data"]]
    return pod
  }

  private static let claims = "/api/v1/namespaces/default/persistentvolumeclaims"

  @Test("A claim takes the smallest volume that is large enough, and gives it back")
  func staticBinding() throws {
    let bench = try Bench.withControlPlane()
    for (name, size) in [("large", "10Gi"), ("fit", "2Gi"), ("small", "500Mi")] {
      #expect(
        bench.send("POST", "/api/v1/persistentvolumes", Self.volume(name, size, storageClass: "manual")).status == 201)
    }
    bench.settle()
    #expect(bench.send("GET", "/api/v1/persistentvolumes/fit").body["status"]["phase"].string == "Available")
    bench.send("POST", Self.claims, Self.claim("data", storageClass: "manual"))
    bench.settle()
    let claim = bench.send("GET", "\(Self.claims)/data").body
    #expect(claim["status"]["phase"].string == "Bound")
    #expect(claim["spec"]["volumeName"].string == "fit")
    #expect(claim["status"]["capacity"]["storage"].string == "2Gi")
    #expect(claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"].string == "yes")
    #expect(claim["metadata"]["finalizers"].strings == ["kubernetes.io/pvc-protection"])
    let volume = bench.send("GET", "/api/v1/persistentvolumes/fit").body
    #expect(volume["status"]["phase"].string == "Bound")
    #expect(volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"])
    #expect(bench.world.isIdle)
    bench.send("DELETE", "\(Self.claims)/data")
    bench.settle()
    #expect(bench.send("GET", "\(Self.claims)/data").status == 404)
    #expect(bench.send("GET", "/api/v1/persistentvolumes/fit").body["status"]["phase"].string == "Released")
  }

  @Test("What keeps a claim waiting is told in upstream's words")
  func waiting() throws {
    let bench = try Bench.withControlPlane()
    bench.send("POST", Self.claims, Self.claim("bare"))
    bench.send("POST", Self.claims, Self.claim("unknown", storageClass: "none-such"))
    bench.send("POST", Self.claims, Self.claim("ebs", storageClass: "gp2"))
    bench.send("POST", "/api/v1/persistentvolumes", Self.volume("tiny", "1Mi", storageClass: "manual"))
    bench.send("POST", Self.claims, Self.claim("named", storageClass: "manual", volume: "tiny"))
    bench.settle()
    #expect(
      bench.events("FailedBinding").contains(
        "no persistent volumes available for this claim and no storage class is set"))
    #expect(bench.events("ProvisioningFailed") == ["storageclass.storage.k8s.io \"none-such\" not found"])
    #expect(bench.events("WaitForFirstConsumer") == ["waiting for first consumer to be created before binding"])
    #expect(bench.events("VolumeMismatch") == ["Cannot bind to requested volume \"tiny\": requested PV is too small"])
    #expect(bench.world.isIdle)
    bench.addNode("a")
    bench.send("POST", "/api/v1/namespaces/default/pods", Self.pod("web", claim: "ebs"))
    bench.settle()
    bench.run(.seconds(16))
    let claim = bench.send("GET", "\(Self.claims)/ebs").body
    #expect(claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"].string == "a")
    #expect(claim["metadata"]["annotations"]["volume.kubernetes.io/storage-provisioner"].string == "ebs.csi.aws.com")
    #expect(
      bench.events("ExternalProvisioning") == [
        "Waiting for a volume to be created either by the external provisioner 'ebs.csi.aws.com' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
      ])
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/web").body["spec"]["nodeName"].isNull)
    #expect(bench.world.isIdle)
  }

  @Test("A claim that waits for its consumer is bound where the pod fits, and kept while it is used")
  func firstConsumer() throws {
    let bench = try Bench.withControlPlane()
    bench.send(
      "POST", "/apis/storage.k8s.io/v1/storageclasses",
      [
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": ["name": "local"],
        "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer",
      ])
    bench.addNode("a")
    bench.addNode("b")
    bench.send("POST", "/api/v1/persistentvolumes", Self.volume("on-b", "1Gi", storageClass: "local", node: "b"))
    bench.send("POST", Self.claims, Self.claim("data", storageClass: "local"))
    bench.send("POST", Self.claims, Self.claim("more", storageClass: "local"))
    bench.settle()
    bench.send("POST", "/api/v1/namespaces/default/pods", Self.pod("web", claim: "data"))
    bench.settle()
    #expect(bench.send("GET", "/api/v1/namespaces/default/pods/web").body["spec"]["nodeName"].string == "b")
    #expect(bench.send("GET", "\(Self.claims)/data").body["status"]["phase"].string == "Bound")
    bench.send("POST", "/api/v1/namespaces/default/pods", Self.pod("other", claim: "more"))
    bench.settle()
    #expect(
      bench.events("FailedScheduling").contains(
        "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
      ))
    bench.send("DELETE", "\(Self.claims)/data")
    bench.settle()
    #expect(!bench.send("GET", "\(Self.claims)/data").body["metadata"]["deletionTimestamp"].isNull)
    bench.send("DELETE", "/api/v1/namespaces/default/pods/web")
    bench.actAsKubelets()
    #expect(bench.send("GET", "\(Self.claims)/data").status == 404)
  }
}
