import Foundation
import Testing
import Wire

/// A claim for an EBS volume, from the permission that is missing to the volume that is gone.
@Suite(.serialized, .enabled(if: Clients.both))
struct VolumeTests {
  private static let driver = """
    apiVersion: v1
    kind: ServiceAccount
    metadata: {name: ebs-csi-controller-sa, namespace: kube-system}
    ---
    apiVersion: v1
    kind: ServiceAccount
    metadata: {name: ebs-csi-node-sa, namespace: kube-system}
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata: {name: ebs-external-provisioner-role}
    rules:
    - {apiGroups: [""], resources: [persistentvolumes], verbs: [get, list, watch, create, patch, delete]}
    - {apiGroups: [""], resources: [persistentvolumeclaims], verbs: [get, list, watch, update]}
    - {apiGroups: [storage.k8s.io], resources: [storageclasses], verbs: [get, list, watch]}
    - {apiGroups: [""], resources: [events], verbs: [list, watch, create, update, patch]}
    - {apiGroups: [storage.k8s.io], resources: [csinodes], verbs: [get, list, watch]}
    - {apiGroups: [""], resources: [nodes], verbs: [get, list, watch]}
    - {apiGroups: [storage.k8s.io], resources: [volumeattachments], verbs: [get, list, watch]}
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata: {name: ebs-external-attacher-role}
    rules:
    - {apiGroups: [""], resources: [persistentvolumes], verbs: [get, list, watch, patch]}
    - {apiGroups: [storage.k8s.io], resources: [csinodes], verbs: [get, list, watch]}
    - {apiGroups: [storage.k8s.io], resources: [volumeattachments], verbs: [get, list, watch, patch]}
    - {apiGroups: [storage.k8s.io], resources: [volumeattachments/status], verbs: [patch]}
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata: {name: ebs-external-resizer-role}
    rules:
    - {apiGroups: [""], resources: [persistentvolumes], verbs: [get, list, watch, patch]}
    - {apiGroups: [""], resources: [persistentvolumeclaims], verbs: [get, list, watch]}
    - {apiGroups: [""], resources: [persistentvolumeclaims/status], verbs: [patch]}
    - {apiGroups: [""], resources: [events], verbs: [list, watch, create, update, patch]}
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRoleBinding
    metadata: {name: ebs-csi-provisioner-binding}
    subjects: [{kind: ServiceAccount, name: ebs-csi-controller-sa, namespace: kube-system}]
    roleRef: {kind: ClusterRole, name: ebs-external-provisioner-role, apiGroup: rbac.authorization.k8s.io}
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRoleBinding
    metadata: {name: ebs-csi-attacher-binding}
    subjects: [{kind: ServiceAccount, name: ebs-csi-controller-sa, namespace: kube-system}]
    roleRef: {kind: ClusterRole, name: ebs-external-attacher-role, apiGroup: rbac.authorization.k8s.io}
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRoleBinding
    metadata: {name: ebs-csi-resizer-binding}
    subjects: [{kind: ServiceAccount, name: ebs-csi-controller-sa, namespace: kube-system}]
    roleRef: {kind: ClusterRole, name: ebs-external-resizer-role, apiGroup: rbac.authorization.k8s.io}
    ---
    apiVersion: storage.k8s.io/v1
    kind: CSIDriver
    metadata: {name: ebs.csi.aws.com}
    spec: {attachRequired: true, podInfoOnMount: false}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ebs-csi-controller, namespace: kube-system}
    spec:
      replicas: 2
      selector: {matchLabels: {app: ebs-csi-controller}}
      template:
        metadata: {labels: {app: ebs-csi-controller}}
        spec:
          serviceAccountName: ebs-csi-controller-sa
          containers:
          - {name: ebs-plugin, image: "public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.44.0", args: [controller, "--endpoint=$(CSI_ENDPOINT)", "--v=2"]}
          - {name: csi-provisioner, image: "public.ecr.aws/eks-distro/kubernetes-csi/external-provisioner/csi-provisioner:v5.3.0"}
    ---
    apiVersion: apps/v1
    kind: DaemonSet
    metadata: {name: ebs-csi-node, namespace: kube-system}
    spec:
      selector: {matchLabels: {app: ebs-csi-node}}
      template:
        metadata: {labels: {app: ebs-csi-node}}
        spec:
          serviceAccountName: ebs-csi-node-sa
          tolerations: [{operator: Exists}]
          containers:
          - {name: ebs-plugin, image: "public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.44.0", args: [node, "--endpoint=$(CSI_ENDPOINT)"]}
    """

  private static let claim = """
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: gp2, resources: {requests: {storage: 4Gi}}}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: db}
    spec:
      containers:
      - {name: c, image: busybox, command: [sh, -c, "echo hi > /data/x; sleep 3600"], volumeMounts: [{name: d, mountPath: /data}]}
      volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]
    """

  @Test func aClaimGetsItsVolumeOnceTheDriverMay() async throws {
    let cluster = try await QuickCluster(nodes: 1)
    let eks = cluster.eks
    func kubectl(_ line: String, input: String? = nil) throws -> Outcome {
      try Shell.run(
        "kubectl", line.split(separator: " ").map(String.init), environment: eks.environment, input: input, limit: 60)
    }
    func aws(_ line: String) throws -> String {
      let outcome = try Shell.run(
        "aws", line.split(separator: " ").map(String.init), environment: eks.environment, limit: 60)
      try #require(outcome.status == 0, "\(outcome.all)")
      return outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    func until(_ what: String, _ isSo: () throws -> Bool) async throws {
      for _ in 0..<200 where try !isSo() { try await Task.sleep(for: .milliseconds(100)) }
      try #require(try isSo(), "\(what) never came")
    }
    for text in [Self.driver, Self.claim] {
      let applied = try kubectl("apply -f -", input: text)
      try #require(applied.status == 0, "\(applied.all)")
    }
    // The node's role may not make volumes.
    let events = "get events --field-selector reason=ProvisioningFailed -o jsonpath={.items[*].message}"
    try await until("the refusal") {
      try kubectl(events).output.contains(
        "could not create volume in EC2: operation error EC2: CreateVolume, https response error StatusCode: 403")
    }
    #expect(try kubectl(events).output.contains("is not authorized to perform: ec2:CreateVolume on resource: "))
    _ = try aws(
      "iam attach-role-policy --role-name node --policy-arn arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
    )
    let ready = try kubectl("wait pod/db --for=condition=Ready --timeout=60s")
    try #require(ready.status == 0, "\(ready.all)")
    #expect(try kubectl("exec db -- cat /data/x").output == "hi\n")
    let volumes = "ec2 describe-volumes --filters Name=tag-key,Values=CSIVolumeName --output text --query"
    #expect(try aws("\(volumes) Volumes[].[State,Size,VolumeType]") == "in-use\t4\tgp2")
    #expect(try kubectl("get volumeattachments -o jsonpath={.items[*].status.attached}").output == "true")

    // Pod and claim go, and with them the volume.
    let deleted = try kubectl("delete pod/db pvc/data --grace-period=1 --timeout=60s")
    try #require(deleted.status == 0, "\(deleted.all)")
    try await until("the end of the volume") {
      try kubectl("get pv -o name").output.isEmpty && aws("\(volumes) Volumes[].State").isEmpty
    }
  }
}
