import Mechanisms
import Testing
import Why
import Wire

@Suite struct StorageTests {
  static let driver = "ebs.csi.aws.com"
  private static let kinds = [
    "secrets", "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "csidrivers.storage.k8s.io", "volumeattachments.storage.k8s.io", "deployments.apps",
  ]

  /// Two nodes in us-east-1a, the class gp2; with the driver, or without.
  static func world(installed: Bool = true) -> Fixture {
    var f = Fixture.healthy()
    for kind in kinds { f.files["kubernetes/\(kind)"] = ["kind": "List", "apiVersion": "v1", "items": []] }
    f.add(
      "kubernetes/storageclasses.storage.k8s.io",
      [
        "metadata": ["name": "gp2"], "provisioner": "kubernetes.io/aws-ebs",
        "volumeBindingMode": "WaitForFirstConsumer",
      ])
    for n in 1...2 {
      let name = Fixture.nodeName(n)
      f.edit("kubernetes/nodes", named: name) {
        $0["status"]["allocatable"] = ["cpu": "1930m", "memory": "7Gi", "pods": "29"]
      }
      var node: JSON = ["metadata": ["name": .string(name)], "spec": ["drivers": []]]
      if installed {
        node["spec"]["drivers"] = [
          ["name": .string(driver), "nodeID": .string(Fixture.instanceID(n)), "allocatable": ["count": 2]]
        ]
      }
      f.add("kubernetes/csinodes.storage.k8s.io", node)
    }
    if installed {
      f.add("kubernetes/csidrivers.storage.k8s.io", ["metadata": ["name": .string(driver)], "spec": [:]])
      f.add("kubernetes/pods", controller(ready: true))
    }
    return f
  }

  /// It has a role, and keys only if there is a Secret of them.
  static func controller(ready: Bool) -> JSON {
    var pod = Fixture.pod(
      "ebs-csi-controller-1", "kube-system", node: 1, app: "ebs-csi-controller", address: "10.0.1.77", ready: ready)
    pod["spec"]["containers"][0]["env"] = [
      [
        "name": "AWS_ACCESS_KEY_ID",
        "valueFrom": ["secretKeyRef": ["name": "aws-secret", "key": "key_id", "optional": true]],
      ],
      ["name": "AWS_ROLE_ARN", "value": .string(Fixture.roleARN)],
      ["name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"],
    ]
    return pod
  }

  static func claim(_ name: String = "data", className: JSON = "gp2", volume: String? = nil, node: Int? = nil) -> JSON {
    var claim: JSON = [
      "metadata": [
        "name": .string(name), "namespace": "shop", "uid": .string("uid-\(name)"),
        "creationTimestamp": "2026-11-22T11:50:00Z", "finalizers": ["kubernetes.io/pvc-protection"],
      ],
      "spec": [
        "accessModes": ["ReadWriteOnce"], "storageClassName": className,
        "resources": ["requests": ["storage": "10Gi"]],
      ],
      "status": ["phase": "Pending"],
    ]
    if let node {
      claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] = .string(Fixture.nodeName(node))
    }
    if let volume {
      claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = "yes"
      claim["spec"]["volumeName"] = .string(volume)
      claim["status"] = ["phase": "Bound", "capacity": ["storage": "10Gi"]]
    }
    return claim
  }

  static func volume(
    _ name: String = "pv-1", claim: String? = "data", zone: String = "us-east-1a", phase: String = "Bound",
    modes: JSON = ["ReadWriteOnce"]
  ) -> JSON {
    var volume: JSON = [
      "metadata": ["name": .string(name), "uid": .string("uid-\(name)")],
      "spec": [
        "capacity": ["storage": "10Gi"], "accessModes": modes, "storageClassName": "gp2",
        "persistentVolumeReclaimPolicy": "Retain",
        "csi": ["driver": .string(driver), "volumeHandle": .string("vol-\(name)")],
        "nodeAffinity": [
          "required": [
            "nodeSelectorTerms": [
              [
                "matchExpressions": [
                  ["key": "topology.kubernetes.io/zone", "operator": "In", "values": [.string(zone)]]
                ]
              ]
            ]
          ]
        ],
      ],
      "status": ["phase": .string(phase)],
    ]
    if let claim {
      volume["spec"]["claimRef"] = ["namespace": "shop", "name": .string(claim), "uid": .string("uid-\(claim)")]
    }
    return volume
  }

  /// A pod that uses the claim; on a node it waits there for its volume.
  static func pod(_ name: String = "web-1", claim: String = "data", node: Int? = nil, ready: Bool = false) -> JSON {
    var pod = Fixture.pod(name, "shop", node: node, app: "web", address: ready ? "10.0.1.88" : nil, ready: ready)
    pod["spec"]["volumes"] = [["name": "d", "persistentVolumeClaim": ["claimName": .string(claim)]]]
    guard !ready else { return pod }
    if node == nil {
      pod["status"]["conditions"] = [
        [
          "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
          "message": "0/2 nodes are available", "lastTransitionTime": "2026-11-22T11:58:03Z",
        ]
      ]
      pod["status"]["containerStatuses"] = .null
    } else {
      pod["status"]["containerStatuses"] = [
        [
          "name": "web", "ready": false, "restartCount": 0,
          "state": ["waiting": ["reason": "ContainerCreating"]],
        ]
      ]
    }
    return pod
  }

  static func attachment(_ node: Int, _ volume: String = "pv-1", error: String? = nil) -> JSON {
    var attachment: JSON = [
      "metadata": ["name": .string("csi-\(volume)-\(node)")],
      "spec": [
        "attacher": .string(driver), "nodeName": .string(Fixture.nodeName(node)),
        "source": ["persistentVolumeName": .string(volume)],
      ],
      "status": ["attached": .bool(error == nil)],
    ]
    if let error {
      attachment["status"]["attachError"] = ["message": .string(error), "time": "2026-11-22T12:04:00Z"]
    }
    return attachment
  }

  private func codes(_ answer: Answer) -> [String] { answer.roots.map(\.cause.code) }

  // MARK: - Claims

  @Test func withoutTheDriverNobodyMakesTheVolume() async throws {
    var f = Self.world(installed: false)
    f.add("kubernetes/persistentvolumeclaims", Self.claim(node: 1))
    var pod = Self.pod()
    pod["status"]["conditions"] = []
    f.add("kubernetes/pods", pod)
    for (kind, name) in [("pod", "web-1"), ("persistentvolumeclaim", "data"), ("storageclass", "gp2")] {
      let answer = try await f.ask(kind, name, namespace: "shop")
      #expect(answer.status == .failing, "\(kind)")
      #expect(codes(answer) == ["storage/driver-not-installed"], "\(kind)")
      let command = answer.roots.first?.cause.fixes.first?.command ?? ""
      #expect(command.hasPrefix("aws eks create-addon --cluster-name demo --addon-name aws-ebs-csi-driver"))
    }
    #expect(try await Self.world().ask("storageclass", "gp2").status == .healthy)
  }

  @Test func aClaimThatWaitsForItsFirstPodIsNoFault() async throws {
    var f = Self.world()
    f.add("kubernetes/persistentvolumeclaims", Self.claim())
    let answer = try await f.ask("persistentvolumeclaim", "data", namespace: "shop")
    #expect(answer.status == .healthy)
    #expect(answer.summary.contains("it waits for the first pod that uses it"))
    #expect(answer.chain.first?.statement.contains("WaitForFirstConsumer") == true)
    f.add("kubernetes/persistentvolumeclaims", Self.claim("kept", volume: "pv-1"))
    f.add("kubernetes/persistentvolumes", Self.volume(claim: "kept"))
    let bound = try await f.ask("persistentvolumeclaim", "kept", namespace: "shop")
    #expect(bound.status == .healthy)
    #expect(bound.chain.first?.statement == "it is bound to volume pv-1 of 10Gi, vol-pv-1 of ebs.csi.aws.com")
    #expect(try await f.ask("persistentvolume", "pv-1").status == .healthy)
  }

  @Test func classesThatAreNotThereOrNotChosen() async throws {
    var f = Self.world()
    f.add("kubernetes/persistentvolumeclaims", Self.claim(className: "gp3"))
    f.add("kubernetes/pods", Self.pod())
    let missing = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(codes(missing) == ["storage/class-missing"])
    #expect(missing.roots.first?.cause.statement == "there is no StorageClass gp3; the nearest is gp2")
    #expect(missing.chain.contains { $0.statement.contains("pod has unbound immediate PersistentVolumeClaims") })

    f = Self.world()
    f.add("kubernetes/persistentvolumeclaims", Self.claim(className: .null))
    let open = try await f.ask("persistentvolumeclaim", "data", namespace: "shop")
    #expect(codes(open) == ["storage/no-default-class"])
    #expect(
      open.roots.first?.cause.fixes.first?.command?.contains(
        "annotate storageclass gp2 storageclass.kubernetes.io/is-default-class=true") == true)

    f.remove("kubernetes/persistentvolumeclaims")
    f.add("kubernetes/persistentvolumeclaims", Self.claim(className: ""))
    f.add("kubernetes/persistentvolumes", Self.volume(claim: nil, phase: "Available"))
    let none = try await f.ask("persistentvolumeclaim", "data", namespace: "shop")
    #expect(codes(none) == ["storage/no-volume-suits"])
    #expect(none.roots.first?.cause.statement.contains("pv-1: storageClassName does not match") == true)
  }

  @Test func aVolumeThatIsKeptForAClaimThatIsGone() async throws {
    var f = Self.world()
    f.add("kubernetes/persistentvolumes", Self.volume(claim: "old", phase: "Released"))
    var claim = Self.claim()
    claim["spec"]["volumeName"] = "pv-1"
    f.add("kubernetes/persistentvolumeclaims", claim)
    for (kind, name) in [("persistentvolumeclaim", "data"), ("persistentvolume", "pv-1")] {
      let answer = try await f.ask(kind, name, namespace: "shop")
      #expect(codes(answer) == ["storage/volume-released"], "\(kind)")
      #expect(answer.roots.first?.cause.fixes.first?.command?.contains("/spec/claimRef") == true)
    }
  }

  @Test func aClaimIsNotDeletedFromUnderAPod() async throws {
    var f = Self.world()
    var claim = Self.claim(volume: "pv-1")
    claim["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    f.add("kubernetes/persistentvolumeclaims", claim)
    f.add("kubernetes/persistentvolumes", Self.volume())
    f.add("kubernetes/pods", Self.pod(node: 1, ready: true))
    let answer = try await f.ask("persistentvolumeclaim", "data", namespace: "shop")
    #expect(codes(answer) == ["storage/claim-in-use"])
    #expect(answer.summary == "persistentvolumeclaim/data has been Terminating for 4m15s")
    #expect(answer.roots.first?.cause.fixes.first?.command?.contains("delete pod web-1") == true)
  }

  // MARK: - Drivers

  @Test func theDriverMayNotMakeVolumes() async throws {
    var f = Self.world()
    f.add("kubernetes/persistentvolumeclaims", Self.claim(node: 1))
    f.event(
      "PersistentVolumeClaim", "data", namespace: "shop", uid: "uid-data", reason: "ProvisioningFailed",
      message:
        "failed to provision volume with StorageClass \"gp2\": rpc error: code = Internal desc = Could not create volume \"pvc-1\": could not create volume in EC2: operation error EC2: CreateVolume, https response error StatusCode: 403, RequestID: 1, api error UnauthorizedOperation: You are not authorized to perform this operation."
    )
    let answer = try await f.ask("persistentvolumeclaim", "data", namespace: "shop")
    #expect(answer.chain.contains { $0.code == "storage/provisioning-refused" })
    #expect(answer.chain.contains { $0.code == "identity/pod-aws-access" }, "\(answer.chain.map(\.code))")
    #expect(codes(answer).contains("identity/no-policy-allows-it"), "\(answer.gaps)")
    let fixes = answer.roots.flatMap(\.cause.fixes).compactMap(\.command)
    #expect(fixes.contains { $0.contains("ec2:CreateVolume") })
  }

  @Test func aControllerThatDoesNotRun() async throws {
    var f = Self.world()
    f.remove("kubernetes/deployments.apps")
    f.edit("kubernetes/pods") { list in
      list["items"] = .array(
        list["items"].items.filter { $0["metadata"]["name"].string != "ebs-csi-controller-1" })
    }
    f.add(
      "kubernetes/deployments.apps",
      ["metadata": ["name": "ebs-csi-controller", "namespace": "kube-system"], "spec": ["replicas": 0]])
    f.add("kubernetes/persistentvolumeclaims", Self.claim(node: 1))
    let answer = try await f.ask("persistentvolumeclaim", "data", namespace: "shop")
    #expect(codes(answer) == ["storage/driver-controller-down"])
    #expect(answer.roots.first?.cause.fixes.first?.command?.contains("scale deploy ebs-csi-controller") == true)
  }

  // MARK: - Pods on nodes

  @Test func aVolumeForOneNodeIsOnAnother() async throws {
    var f = Self.world()
    f.add("kubernetes/persistentvolumeclaims", Self.claim(volume: "pv-1"))
    f.add("kubernetes/persistentvolumes", Self.volume())
    f.add("kubernetes/pods", Self.pod("old-1", node: 1, ready: true))
    f.add("kubernetes/pods", Self.pod(node: 2))
    f.add("kubernetes/volumeattachments.storage.k8s.io", Self.attachment(1))
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(codes(answer) == ["storage/used-on-another-node"])
    #expect(answer.roots.first?.cause.statement.contains("old-1 on \(Fixture.nodeName(1)) uses it") == true)
    #expect(answer.roots.first?.cause.fixes.first?.command?.contains("delete pod old-1") == true)
  }

  @Test func ec2RefusesToAttach() async throws {
    var f = Self.world()
    f.add("kubernetes/persistentvolumeclaims", Self.claim(volume: "pv-1"))
    f.add("kubernetes/persistentvolumes", Self.volume())
    f.add("kubernetes/pods", Self.pod(node: 2))
    f.add(
      "kubernetes/volumeattachments.storage.k8s.io",
      Self.attachment(
        2,
        error:
          "rpc error: code = Internal desc = Could not attach volume \"vol-pv-1\" to node \"i-2\": could not attach volume: operation error EC2: AttachVolume, https response error StatusCode: 400, RequestID: 1, api error InvalidVolume.NotFound: The volume 'vol-pv-1' does not exist."
      ))
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(codes(answer) == ["storage/ec2-refuses"])
    #expect(answer.ruledOut.contains { $0.code == "storage/used-on-another-node" })
  }

  @Test func theDriverIsNotOnTheNode() async throws {
    var f = Self.world()
    f.edit("kubernetes/csinodes.storage.k8s.io", named: Fixture.nodeName(2)) { $0["spec"]["drivers"] = [] }
    f.edit("kubernetes/nodes", named: Fixture.nodeName(2)) {
      $0["spec"]["taints"] = [["key": "dedicated", "value": "db", "effect": "NoExecute"]]
    }
    var set = Fixture.daemonSet("ebs-csi-node", notComputeTypes: ["fargate"])
    set["spec"]["template"]["spec"]["tolerations"] = [["key": "CriticalAddonsOnly", "operator": "Exists"]]
    f.add("kubernetes/daemonsets.apps", set)
    f.add("kubernetes/persistentvolumeclaims", Self.claim(volume: "pv-1"))
    f.add("kubernetes/persistentvolumes", Self.volume())
    f.add("kubernetes/pods", Self.pod(node: 2))
    f.add("kubernetes/volumeattachments.storage.k8s.io", Self.attachment(2))
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(codes(answer) == ["storage/driver-not-tolerant"])
    #expect(answer.roots.first?.cause.statement.contains("{dedicated: db}") == true)
  }

  // MARK: - Pods without a node

  @Test func aVolumeInAnotherZone() async throws {
    var f = Self.world()
    f.add("kubernetes/persistentvolumeclaims", Self.claim(volume: "pv-1"))
    f.add("kubernetes/persistentvolumes", Self.volume(zone: "us-east-1b"))
    f.add("kubernetes/pods", Self.pod())
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(codes(answer) == ["storage/volume-elsewhere"])
    #expect(
      answer.roots.first?.cause.statement.contains("volume pv-1 is in us-east-1b, nodes are in us-east-1a") == true)
  }

  @Test func everyNodeHasItsFillOfVolumes() async throws {
    var f = Self.world()
    for n in 1...2 {
      for index in 1...2 {
        let name = "busy-\(n)\(index)"
        f.add("kubernetes/persistentvolumeclaims", Self.claim(name, volume: "pv-\(name)"))
        f.add("kubernetes/persistentvolumes", Self.volume("pv-\(name)", claim: name))
        f.add("kubernetes/pods", Self.pod(name, claim: name, node: n, ready: true))
      }
    }
    f.add("kubernetes/persistentvolumeclaims", Self.claim(volume: "pv-1"))
    f.add("kubernetes/persistentvolumes", Self.volume())
    f.add("kubernetes/pods", Self.pod())
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(codes(answer) == ["storage/attachments-full"])
    #expect(answer.roots.first?.cause.statement.contains("2 of 2 (ebs.csi.aws.com)") == true)
  }

  @Test func aClaimThatIsNotThere() async throws {
    var f = Self.world()
    f.add("kubernetes/persistentvolumeclaims", Self.claim("date"))
    f.add("kubernetes/pods", Self.pod())
    let answer = try await f.ask("pod", "web-1", namespace: "shop")
    #expect(codes(answer) == ["storage/claim-missing"])
    #expect(answer.roots.first?.cause.evidence.contains { $0.text.contains("there are date") } == true)
  }
}
