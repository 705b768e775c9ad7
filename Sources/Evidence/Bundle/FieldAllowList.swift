package import Wire

/// The fields that links read, and so all that a capture keeps of an answer. Everything else is dropped.
package struct FieldAllowList: Sendable {
  /// A tree of field names; `*` stands for each element of a list or each field of a map, a leaf keeps what is there.
  private final class Tree: Sendable {
    let children: [String: Tree]
    init(_ paths: [[Substring]]) {
      var groups: [String: [[Substring]]] = [:]
      for path in paths where !path.isEmpty { groups[String(path[0]), default: []].append(Array(path.dropFirst())) }
      children = groups.mapValues { below in
        // A path that ends here keeps all that is below.
        below.contains { $0.isEmpty } ? Tree([]) : Tree(below)
      }
    }
    var keepsAll: Bool { children.isEmpty }
  }

  private let tree: Tree

  /// Paths with dots between names; a name that holds dots itself stands in brackets: `metadata.annotations[a.b/c]`.
  package init(_ paths: [String]) {
    tree = Tree(
      paths.map { path in
        guard let open = path.firstIndex(of: "[") else { return path.split(separator: ".") }
        return path[..<open].split(separator: ".") + [path[path.index(after: open)...].dropLast()]
      })
  }

  /// The value with the allowed fields only; the names of what was dropped, by path, are added to `dropped`.
  package func filter(_ value: JSON, dropped: inout Set<String>) -> JSON {
    FieldAllowList.filter(value, tree, path: "", &dropped)
  }

  private static func filter(_ value: JSON, _ tree: Tree, path: String, _ dropped: inout Set<String>) -> JSON {
    if tree.keepsAll { return value }
    switch value {
    case .array(let array):
      let below = tree.children["*"] ?? tree
      return .array(array.map { filter($0, below, path: path, &dropped) })
    case .object(let object):
      var kept = JSONObject()
      for field in object.fields {
        if let below = tree.children[field.key] ?? tree.children["*"] {
          kept.append(field.key, filter(field.value, below, path: "\(path).\(field.key)", &dropped))
        } else {
          dropped.insert(String("\(path).\(field.key)".dropFirst()))
        }
      }
      return .object(kept)
    default: return value
    }
  }
}

extension KubernetesResource {
  private static let metadata = [
    "apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels",
    "metadata.creationTimestamp", "metadata.deletionTimestamp", "metadata.ownerReferences", "metadata.managedFields",
    "metadata.generation", "metadata.finalizers", "metadata.deletionGracePeriodSeconds",
  ]

  private static let container = [
    "name", "image", "resources", "ports", "env", "envFrom", "imagePullPolicy", "restartPolicy",
    "securityContext.privileged",
  ]

  /// Of probes all but headers and commands, in which there may be secrets.
  private static let probes = ["livenessProbe", "readinessProbe", "startupProbe"].flatMap { probe in
    [
      "httpGet.path", "httpGet.port", "httpGet.scheme", "tcpSocket.port", "grpc.port", "exec.timeout",
      "initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold",
    ].map { "\(probe).\($0)" }
  }

  private static func podSpec(_ prefix: String) -> [String] {
    let plain = [
      "nodeName", "hostNetwork", "hostPID", "hostIPC", "volumes.*.hostPath", "volumes.*.nfs", "volumes.*.downwardAPI",
      "volumes.*.awsElasticBlockStore", "volumes.*.csi.driver", "serviceAccountName", "nodeSelector", "affinity",
      "tolerations",
      "topologySpreadConstraints", "priorityClassName", "schedulerName", "restartPolicy", "volumes.*.name",
      "volumes.*.configMap", "volumes.*.secret", "volumes.*.projected", "volumes.*.persistentVolumeClaim",
      "volumes.*.emptyDir", "volumes.*.ephemeral", "imagePullSecrets", "overhead", "priority", "preemptionPolicy",
      "schedulingGates", "readinessGates", "terminationGracePeriodSeconds", "activeDeadlineSeconds", "dnsPolicy",
      "dnsConfig", "hostname", "subdomain",
    ]
    return plain.map { "\(prefix).\($0)" }
      + ["containers", "initContainers"].flatMap { list in
        (container + probes).map { "\(prefix).\(list).*.\($0)" }
      }
  }

  /// The fields that a capture keeps of an object of this kind.
  package var allowList: FieldAllowList {
    let own: [String]
    switch name {
    case "nodes":
      own = [
        "spec.providerID", "spec.taints", "spec.unschedulable",
        "status.conditions", "status.capacity", "status.allocatable", "status.addresses", "status.nodeInfo",
      ]
    case "pods":
      own =
        KubernetesResource.podSpec("spec") + [
          "metadata.annotations[vpc.amazonaws.com/pod-eni]", "metadata.annotations[fargate.amazonaws.com/pod-sg]",
          "metadata.annotations[eks.amazonaws.com/compute-type]", "metadata.annotations[CapacityProvisioned]",
          "metadata.annotations[Logging]",
          "status.phase", "status.reason", "status.message", "status.conditions", "status.podIP", "status.podIPs",
          "status.hostIP", "status.startTime", "status.containerStatuses", "status.initContainerStatuses",
          "status.qosClass",
        ]
    case "events":
      own = [
        "involvedObject", "regarding", "reason", "message", "note", "type", "count", "firstTimestamp",
        "lastTimestamp", "eventTime", "series", "source", "reportingComponent", "action",
      ]
    case "daemonsets", "deployments", "replicasets", "statefulsets":
      own =
        [
          "metadata.annotations[meta.helm.sh/release-name]", "metadata.annotations[argocd.argoproj.io/tracking-id]",
          "metadata.annotations[deployment.kubernetes.io/revision]", "spec.replicas", "spec.selector", "spec.paused",
          "spec.strategy", "spec.updateStrategy", "spec.podManagementPolicy", "spec.progressDeadlineSeconds",
          "spec.minReadySeconds", "spec.serviceName", "spec.template.metadata.labels",
          "spec.template.metadata.annotations[eks.amazonaws.com/compute-type]", "status",
        ] + KubernetesResource.podSpec("spec.template.spec")
    case "jobs":
      own =
        [
          "spec.backoffLimit", "spec.activeDeadlineSeconds", "spec.suspend", "spec.parallelism", "spec.completions",
          "spec.completionMode", "spec.backoffLimitPerIndex", "spec.selector", "status",
        ] + KubernetesResource.podSpec("spec.template.spec")
    case "cronjobs":
      own = [
        "spec.schedule", "spec.timeZone", "spec.suspend", "spec.concurrencyPolicy", "spec.startingDeadlineSeconds",
        "status",
      ]
    case "horizontalpodautoscalers": own = ["spec", "status"]
    case "poddisruptionbudgets", "resourcequotas", "limitranges", "apiservices": own = ["spec", "status"]
    case "priorityclasses": own = ["value", "globalDefault"]
    case "namespaces": own = ["spec.finalizers", "status"]
    case "nodeclaims": own = ["spec", "status"]
    case "leases": own = ["spec"]
    case "configmaps": own = ["data"]
    case "serviceaccounts": own = ["metadata.annotations[eks.amazonaws.com/role-arn]"]
    case "services":
      own = [
        "spec.clusterIP", "spec.clusterIPs", "spec.externalName", "spec.ports", "spec.selector", "spec.type",
        "spec.internalTrafficPolicy",
        "spec.externalTrafficPolicy", "spec.sessionAffinity", "spec.sessionAffinityConfig", "spec.externalIPs",
        "spec.loadBalancerSourceRanges", "spec.loadBalancerClass", "spec.publishNotReadyAddresses",
        "metadata.annotations[service.beta.kubernetes.io/aws-load-balancer-type]", "spec.healthCheckNodePort",
        "status.loadBalancer",
      ]
    case "endpointslices": own = ["addressType", "endpoints", "ports"]
    case "certificatesigningrequests": own = ["spec.signerName", "spec.username", "status.conditions"]
    case "persistentvolumeclaims":
      own = [
        "metadata.annotations[pv.kubernetes.io/bind-completed]",
        "metadata.annotations[volume.kubernetes.io/selected-node]",
        "metadata.annotations[volume.beta.kubernetes.io/storage-class]", "metadata.finalizers", "spec", "status",
      ]
    case "persistentvolumes":
      own = [
        "metadata.annotations[pv.kubernetes.io/provisioned-by]",
        "metadata.annotations[volume.beta.kubernetes.io/storage-class]", "metadata.finalizers", "spec.accessModes",
        "spec.capacity", "spec.claimRef", "spec.csi.driver", "spec.csi.volumeHandle", "spec.nodeAffinity",
        "spec.persistentVolumeReclaimPolicy", "spec.storageClassName", "spec.volumeMode", "status",
      ]
    case "storageclasses":
      own = [
        "metadata.annotations[storageclass.kubernetes.io/is-default-class]", "provisioner", "volumeBindingMode",
        "allowVolumeExpansion", "allowedTopologies", "reclaimPolicy", "parameters.type", "parameters.encrypted",
        "parameters.kmsKeyId", "parameters.iops", "parameters.throughput",
      ]
    case "csinodes", "csidrivers": own = ["spec"]
    case "volumeattachments": own = ["metadata.finalizers", "spec", "status"]
    case "mutatingwebhookconfigurations", "validatingwebhookconfigurations":
      own = [
        "name", "clientConfig.url", "clientConfig.service", "failurePolicy", "timeoutSeconds", "namespaceSelector",
        "objectSelector", "rules",
      ]
      .map { "webhooks.*.\($0)" }
    case "validatingadmissionpolicies", "validatingadmissionpolicybindings": own = ["spec"]
    case "clusterroles", "roles": own = ["rules", "aggregationRule"]
    case "clusterrolebindings", "rolebindings": own = ["roleRef", "subjects"]
    case "eniconfigs", "securitygrouppolicies": own = ["spec"]
    default: own = []
    }
    return FieldAllowList(KubernetesResource.metadata + own)
  }
}

/// Names of environment variables whose values rules know, and so a capture may keep.
package enum KnownEnvironment {
  package static let names: Set<String> = [
    "WARM_ENI_TARGET", "WARM_IP_TARGET", "MINIMUM_IP_TARGET", "WARM_PREFIX_TARGET", "MAX_ENI",
    "ENABLE_PREFIX_DELEGATION", "ENABLE_POD_ENI", "POD_SECURITY_GROUP_ENFORCING_MODE",
    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "ENI_CONFIG_LABEL_DEF", "ENI_CONFIG_ANNOTATION_DEF",
    "ENABLE_SUBNET_DISCOVERY", "AWS_VPC_K8S_CNI_EXTERNALSNAT", "IP_COOLDOWN_PERIOD", "AWS_MANAGE_ENIS_NON_SCHEDULABLE",
    "DISABLE_NETWORK_RESOURCE_PROVISIONING", "ENABLE_IPv4", "ENABLE_IPv6", "CLUSTER_NAME", "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS", "AWS_EXTERNAL_SERVICE_CIDRS", "AWS_VPC_CNI_NODE_PORT_SUPPORT",
    "AWS_VPC_K8S_CNI_CONNMARK", "AWS_VPC_K8S_CNI_RANDOMIZESNAT", "AWS_VPC_K8S_CNI_VETHPREFIX",
    "DISABLE_TCP_EARLY_DEMUX", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS", "MINIMUM_IP_TARGET",
    "AWS_EC2_METADATA_DISABLED",
  ]

  /// The object with the values of unknown variables taken out, at every `env` list; how many is returned.
  package static func strip(_ value: JSON, removed: inout Int) -> JSON {
    switch value {
    case .array(let array): return .array(array.map { strip($0, removed: &removed) })
    case .object(let object):
      var out = JSONObject()
      for field in object.fields {
        if field.key == "env", let list = field.value.array {
          out.append(
            "env",
            .array(
              list.map { variable in
                guard let name = variable["name"].string, !names.contains(name), variable.has("value") else {
                  return variable
                }
                var variable = variable
                variable.remove("value")
                removed += 1
                return variable
              }))
        } else {
          out.append(field.key, strip(field.value, removed: &removed))
        }
      }
      return .object(out)
    default: return value
    }
  }
}
