/// A kind of Kubernetes object that can be read.
package struct KubernetesResource: Hashable, Sendable {
  /// Empty for the core group.
  package var group: String
  package var version: String
  /// The plural: `pods`.
  package var name: String
  package var kind: String
  package var isNamespaced: Bool
  /// Only `metadata` is ever asked for.
  package var metadataOnly: Bool

  package init(
    _ name: String, kind: String, group: String = "", version: String = "v1", isNamespaced: Bool = true,
    metadataOnly: Bool = false
  ) {
    self.name = name
    self.kind = kind
    self.group = group
    self.version = version
    self.isNamespaced = isNamespaced
    self.metadataOnly = metadataOnly
  }

  /// Text of a container instead of objects: `pods/log`.
  package var isLog: Bool { name == "pods/log" }
  /// One answer for one name, and no object with metadata.
  package var isFigures: Bool { name == "nodes/proxy" }

  /// The name of its file in a bundle, without `.json`: `pods`, `daemonsets.apps`.
  package var fileName: String { group.isEmpty ? name : "\(name).\(group)" }

  package func path(namespace: String?, name object: String?) -> String {
    var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
    if let namespace, isNamespaced { path += "/namespaces/\(namespace)" }
    path += "/\(name)"
    if let object { path += "/\(object)" }
    return path
  }
}

extension KubernetesResource {
  package static let pods = KubernetesResource("pods", kind: "Pod")
  /// The end of a container's log; a read of it names the pod, and as fields `container` and `previous`.
  package static let podLogs = KubernetesResource("pods/log", kind: "PodLog")
  /// What a node's kubelet counts, by the API server's proxy; a read of it names the node.
  package static let nodeStats = KubernetesResource("nodes/proxy", kind: "NodeStats", isNamespaced: false)
  package static let nodes = KubernetesResource("nodes", kind: "Node", isNamespaced: false)
  package static let events = KubernetesResource("events", kind: "Event")
  package static let namespaces = KubernetesResource("namespaces", kind: "Namespace", isNamespaced: false)
  package static let services = KubernetesResource("services", kind: "Service")
  package static let serviceAccounts = KubernetesResource("serviceaccounts", kind: "ServiceAccount")
  package static let configMaps = KubernetesResource("configmaps", kind: "ConfigMap")
  package static let secrets = KubernetesResource("secrets", kind: "Secret", metadataOnly: true)
  package static let persistentVolumeClaims = KubernetesResource(
    "persistentvolumeclaims", kind: "PersistentVolumeClaim")
  package static let persistentVolumes = KubernetesResource(
    "persistentvolumes", kind: "PersistentVolume", isNamespaced: false)
  package static let storageClasses = storage("storageclasses", "StorageClass")
  package static let csiNodes = storage("csinodes", "CSINode")
  package static let csiDrivers = storage("csidrivers", "CSIDriver")
  package static let volumeAttachments = storage("volumeattachments", "VolumeAttachment")

  private static func storage(_ name: String, _ kind: String) -> KubernetesResource {
    KubernetesResource(name, kind: kind, group: "storage.k8s.io", isNamespaced: false)
  }

  package static let daemonSets = KubernetesResource("daemonsets", kind: "DaemonSet", group: "apps")
  package static let deployments = KubernetesResource("deployments", kind: "Deployment", group: "apps")
  package static let replicaSets = KubernetesResource("replicasets", kind: "ReplicaSet", group: "apps")
  package static let statefulSets = KubernetesResource("statefulsets", kind: "StatefulSet", group: "apps")
  package static let jobs = KubernetesResource("jobs", kind: "Job", group: "batch")
  package static let cronJobs = KubernetesResource("cronjobs", kind: "CronJob", group: "batch")
  package static let autoscalers = KubernetesResource(
    "horizontalpodautoscalers", kind: "HorizontalPodAutoscaler", group: "autoscaling", version: "v2")
  package static let disruptionBudgets = KubernetesResource(
    "poddisruptionbudgets", kind: "PodDisruptionBudget", group: "policy")
  package static let resourceQuotas = KubernetesResource("resourcequotas", kind: "ResourceQuota")
  package static let limitRanges = KubernetesResource("limitranges", kind: "LimitRange")
  package static let priorityClasses = KubernetesResource(
    "priorityclasses", kind: "PriorityClass", group: "scheduling.k8s.io", isNamespaced: false)
  package static let apiServices = KubernetesResource(
    "apiservices", kind: "APIService", group: "apiregistration.k8s.io", isNamespaced: false)
  package static let leases = KubernetesResource("leases", kind: "Lease", group: "coordination.k8s.io")
  package static let csrs = KubernetesResource(
    "certificatesigningrequests", kind: "CertificateSigningRequest", group: "certificates.k8s.io", isNamespaced: false)
  package static let mutatingWebhooks = KubernetesResource(
    "mutatingwebhookconfigurations", kind: "MutatingWebhookConfiguration", group: "admissionregistration.k8s.io",
    isNamespaced: false)
  package static let validatingWebhooks = KubernetesResource(
    "validatingwebhookconfigurations", kind: "ValidatingWebhookConfiguration", group: "admissionregistration.k8s.io",
    isNamespaced: false)
  package static let validatingPolicies = KubernetesResource(
    "validatingadmissionpolicies", kind: "ValidatingAdmissionPolicy", group: "admissionregistration.k8s.io",
    isNamespaced: false)
  package static let validatingPolicyBindings = KubernetesResource(
    "validatingadmissionpolicybindings", kind: "ValidatingAdmissionPolicyBinding",
    group: "admissionregistration.k8s.io", isNamespaced: false)
  package static let clusterRoles = rbac("clusterroles", "ClusterRole", isNamespaced: false)
  package static let clusterRoleBindings = rbac("clusterrolebindings", "ClusterRoleBinding", isNamespaced: false)
  package static let roles = rbac("roles", "Role", isNamespaced: true)
  package static let roleBindings = rbac("rolebindings", "RoleBinding", isNamespaced: true)

  private static func rbac(_ name: String, _ kind: String, isNamespaced: Bool) -> KubernetesResource {
    KubernetesResource(name, kind: kind, group: "rbac.authorization.k8s.io", isNamespaced: isNamespaced)
  }

  package static let eniConfigs = KubernetesResource(
    "eniconfigs", kind: "ENIConfig", group: "crd.k8s.amazonaws.com", version: "v1alpha1", isNamespaced: false)

  package static let endpointSlices = KubernetesResource(
    "endpointslices", kind: "EndpointSlice", group: "discovery.k8s.io")
  package static let securityGroupPolicies = KubernetesResource(
    "securitygrouppolicies", kind: "SecurityGroupPolicy", group: "vpcresources.k8s.aws", version: "v1beta1")

  package static let networkPolicies = KubernetesResource(
    "networkpolicies", kind: "NetworkPolicy", group: "networking.k8s.io")
  package static let policyEndpoints = KubernetesResource(
    "policyendpoints", kind: "PolicyEndpoint", group: "networking.k8s.aws", version: "v1alpha1")

  /// Karpenter's; there are none where it isn't installed.
  package static let nodeClaims = KubernetesResource(
    "nodeclaims", kind: "NodeClaim", group: "karpenter.sh", isNamespaced: false)

  /// Everything that some link reads, in the order in which a capture writes it.
  package static let all: [KubernetesResource] = [
    .nodes, .pods, .events, .namespaces, .daemonSets, .deployments, .replicaSets, .statefulSets, .services,
    .serviceAccounts, .configMaps, .secrets, .leases, .csrs, .persistentVolumeClaims,
    .persistentVolumes, .storageClasses, .csiNodes, .csiDrivers, .volumeAttachments, .clusterRoles,
    .clusterRoleBindings, .mutatingWebhooks, .roles, .roleBindings, .eniConfigs, .endpointSlices,
    .securityGroupPolicies, .jobs, .cronJobs, .autoscalers, .disruptionBudgets, .resourceQuotas, .limitRanges,
    .priorityClasses, .apiServices, .validatingWebhooks, .nodeClaims, .networkPolicies, .policyEndpoints,
    .validatingPolicies, .validatingPolicyBindings,
  ]
}
