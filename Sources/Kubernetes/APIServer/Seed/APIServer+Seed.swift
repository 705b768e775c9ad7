import Wire
import World

extension APIServer {
  /// Puts into the store what a new EKS cluster has before anybody has asked it for anything.
  ///
  /// Written without the request path: it is the API server's own doing, as upstream's post-start hooks.
  func seed() {
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
      plant([
        "kind": "Namespace", "apiVersion": "v1", "metadata": ["name": .string(name)],
        "spec": ["finalizers": ["kubernetes"]],
      ])
    }
    for role in BootstrapPolicy.objects() { plant(role) }
    for object in FlowControlSeed.objects(at: now.rfc3339) { plant(object) }
    seedPriorities()
    seedServices()
    for namespace in ["default", "kube-node-lease", "kube-public", "kube-system"] {
      plant([
        "kind": "ServiceAccount", "apiVersion": "v1",
        "metadata": ["name": "default", "namespace": .string(namespace)],
      ])
      plant([
        "kind": "ConfigMap", "apiVersion": "v1",
        "metadata": [
          "name": "kube-root-ca.crt", "namespace": .string(namespace),
          "annotations": [
            "kubernetes.io/description":
              "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
          ],
        ],
        "data": ["ca.crt": .string(options.certificateAuthority)],
      ])
    }
    plant([
      "kind": "ConfigMap", "apiVersion": "v1",
      "metadata": ["name": "extension-apiserver-authentication", "namespace": "kube-system"],
      "data": [
        "client-ca-file": .string(options.certificateAuthority),
        "requestheader-allowed-names": "[\"front-proxy-client\"]",
        "requestheader-client-ca-file": .string(options.certificateAuthority),
        "requestheader-extra-headers-prefix": "[\"X-Remote-Extra-\"]",
        "requestheader-group-headers": "[\"X-Remote-Group\"]",
        "requestheader-username-headers": "[\"X-Remote-User\"]",
      ],
    ])
    seedServiceBlock()
    seedService()
    seedStorage()
  }

  private func seedPriorities() {
    for (name, value, what) in [
      (
        "system-cluster-critical", 2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
      ),
      (
        "system-node-critical", 2_000_001_000,
        "Used for system critical pods that must not be moved from their current node."
      ),
    ] {
      plant([
        "kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "metadata": ["name": .string(name)],
        "value": .int(Int64(value)), "description": .string(what), "preemptionPolicy": "PreemptLowerPriority",
      ])
    }
  }

  private func seedStorage() {
    var metadata: JSON = ["name": "gp2"]
    // Since 1.30 no class is the default.
    if version < KubernetesVersion(minor: 30) {
      metadata["annotations"] = ["storageclass.kubernetes.io/is-default-class": "true"]
    }
    plant([
      "kind": "StorageClass", "apiVersion": "storage.k8s.io/v1", "metadata": metadata,
      "provisioner": "kubernetes.io/aws-ebs", "parameters": ["fsType": "ext4", "type": "gp2"],
      "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
    ])
  }

  // MARK: - The kubernetes Service

  private func seedService() {
    let first =
      CIDR(options.serviceCIDR).map { "\($0.base + 1)" } ?? IPv6CIDR(options.serviceCIDR).map { "\($0.base + 1)" }
    guard let first else { return }
    let labels: JSON = ["component": "apiserver", "provider": "kubernetes"]
    plant([
      "kind": "Service", "apiVersion": "v1",
      "metadata": ["name": "kubernetes", "namespace": "default", "labels": labels],
      "spec": [
        "ports": [["name": "https", "protocol": "TCP", "port": 443, "targetPort": 443]],
        "clusterIP": .string(first), "clusterIPs": [.string(first)],
        "type": "ClusterIP", "sessionAffinity": "None", "ipFamilies": [.string(options.ipFamily)],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
      ], "status": ["loadBalancer": .emptyObject],
    ])
    reconcileEndpoints()
  }

  /// Lets the endpoints of the `kubernetes` Service be the addresses of the control plane.
  func reconcileEndpoints() {
    let addresses = options.endpoints.sorted()
    let ready: JSON = ["ready": true]
    let slice: JSON = [
      "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
      "metadata": [
        "name": "kubernetes", "namespace": "default", "labels": ["kubernetes.io/service-name": "kubernetes"],
      ],
      "addressType": .string(options.ipFamily),
      "endpoints": .array(addresses.map { ["addresses": [.string($0)], "conditions": ready] }),
      "ports": [["name": "https", "protocol": "TCP", "port": 443]],
    ]
    let endpoints: JSON = [
      "kind": "Endpoints", "apiVersion": "v1",
      "metadata": [
        "name": "kubernetes", "namespace": "default",
        "labels": ["endpointslice.kubernetes.io/skip-mirror": "true"],
      ],
      "subsets": addresses.isEmpty
        ? .null
        : [
          [
            "addresses": .array(addresses.map { ["ip": .string($0)] }),
            "ports": [["name": "https", "port": 443, "protocol": "TCP"]],
          ]
        ],
    ]
    for object in [slice, endpoints] { plant(object) }
  }

  /// The block of the cluster's Services, ready from the first moment.
  func seedServiceBlock() {
    guard table.resources.contains(where: { $0.qualifiedName == APIServer.serviceBlocks }),
      read(APIServer.serviceBlocks, "", "kubernetes") == nil
    else { return }
    plant([
      "kind": "ServiceCIDR", "apiVersion": "networking.k8s.io/v1",
      "metadata": ["name": "kubernetes", "finalizers": [.string(ServiceCIDRController.finalizer)]],
      "spec": ["cidrs": [.string(options.serviceCIDR)]],
      "status": [
        "conditions": [
          [
            "type": "Ready", "status": "True", "reason": "",
            "message": "Kubernetes default Service CIDR is ready", "lastTransitionTime": .string(now.rfc3339),
          ]
        ]
      ],
    ])
  }

  /// Puts an object there, or over what is there, as the API server itself does.
  func plant(_ given: JSON) {
    guard let gvk = GroupVersionKind(of: given), let row = table[gvk] else { return }
    let rules = self.rules(row)
    var object = given
    let key = ObjectKey(
      namespace: row.namespaced ? object["metadata"]["namespace"].string ?? "" : "",
      name: object["metadata"]["name"].string ?? "")
    if let old = store(row.qualifiedName)[key]?.json {
      for field in ["uid", "creationTimestamp", "generation"] { object["metadata"][field] = old["metadata"][field] }
    } else {
      object["metadata"]["uid"] = .string(world.newID { $0.uuid() })
      object["metadata"]["creationTimestamp"] = .string(now.rfc3339)
      if rules.countsGenerations { object["metadata"]["generation"] = 1 }
      if row.plural == "namespaces" { rules.prepareCreate(&object, KindRules.Write(now: now)) }
    }
    settle(&object)
    chooseFamily(&object, row)
    rules.defaults(&object)
    put(row.qualifiedName, key, object)
  }
}
