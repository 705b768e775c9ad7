/// The effects that questions start from and links hand on.
extension Effect.Kind {
  // Nodes
  static let nodeNotReady: Self = "nodes/not-ready"
  static let kubeletSilent: Self = "nodes/kubelet-silent"
  static let neverJoined: Self = "nodes/never-joined"
  static let nodeReady: Self = "nodes/ready"
  static let nodeWentDown: Self = "nodes/went-down"
  static let nodeRefusesPods: Self = "nodes/refuses-pods"
  static let nodegroupTrouble: Self = "nodes/nodegroup-trouble"
  static let nodegroupUpdate: Self = "nodes/nodegroup-update"
  static let launchFails: Self = "nodes/launch-fails"
  static let claimNotLaunched: Self = "nodes/claim-not-launched"
  static let nodegroupWell: Self = "nodes/nodegroup-well"

  // Identity
  static let roleUnmapped: Self = "identity/role-unmapped"
  static let roleMapped: Self = "identity/role-mapped"

  static let podCredentials: Self = "identity/pod-credentials"
  static let podNotInjected: Self = "identity/pod-not-injected"
  static let podWebIdentity: Self = "identity/pod-web-identity"
  static let podAgentCredentials: Self = "identity/pod-agent-credentials"
  static let podNodeCredentials: Self = "identity/pod-node-credentials"

  // Addresses
  static let cniNotInitialized: Self = "addresses/cni-not-initialized"
  static let cniAgentFails: Self = "addresses/cni-agent-fails"
  static let cniAgentReady: Self = "addresses/cni-agent-ready"
  static let cniAgentAbsent: Self = "addresses/cni-agent-absent"
  static let cniAgentBroken: Self = "addresses/cni-agent-broken"
  static let cniCallsAllowed: Self = "identity/cni-calls-allowed"
  static let cniRoleDenied: Self = "identity/cni-role-denied"
  static let noAddress: Self = "addresses/no-address"
  static let poolCannotGrow: Self = "addresses/pool-cannot-grow"
  static let warmTargets: Self = "addresses/warm-targets"
  static let subnetShort: Self = "addresses/subnet-short"
  static let subnetUse: Self = "addresses/subnet-use"
  static let subnetStarves: Self = "addresses/subnet-starves"
  static let poolSettings: Self = "addresses/pool-settings"
  static let controlPlaneRoom: Self = "addresses/control-plane-room"
  static let interfaceUse: Self = "addresses/interface-use"
  static let nodeInterfaces: Self = "addresses/node-interfaces"
  static let poolSize: Self = "addresses/pool-size"
  static let branchMissing: Self = "addresses/branch-missing"
  static let noBranchPlaces: Self = "addresses/no-branch-places"
  static let podSecurityGroups: Self = "addresses/pod-security-groups"
  static let podGroupPolicy: Self = "addresses/pod-group-policy"

  // Names
  static let nameLookup: Self = "names/lookup"
  static let nameServers: Self = "names/servers"
  static let dnsDown: Self = "names/dns-down"
  /// Answers to the pod in `detail` are late or missing now and then.
  static let nameDelays: Self = "names/delays"
  /// The VPC's resolver leaves queries of the nodes in `detail` unanswered.
  static let resolverSilent: Self = "names/resolver-silent"

  // Pods
  static let podNotStarted: Self = "pods/not-started"
  static let podUnschedulable: Self = "scheduling/unschedulable"
  static let podFails: Self = "pods/fails"
  static let podRunning: Self = "pods/running"
  static let podHasAddress: Self = "addresses/pod-has-address"
  static let podNodeReady: Self = "nodes/pod-node-ready"
  static let imagePullRefused: Self = "application/image-pull-refused"
  static let containerEnds: Self = "application/container-ends"
  static let probeFails: Self = "application/probe-fails"
  /// The probe `container/kind` of a pod with an interface of its own is not answered in time.
  static let probeUnanswered: Self = "packets/probe-unanswered"
  /// The program gets no connection to `host:port` of `detail`.
  static let hostUnreached: Self = "packets/host-unreached"
  static let byteCounts: Self = "packets/byte-counts"
  static let bytesCompared: Self = "packets/bytes-compared"
  /// Connections to the API server were cut, at the time of `detail` or just now.
  static let controlPlaneReplaced: Self = "packets/control-plane-replaced"
  /// A stack of CloudFormation failed, is stuck, or took its time.
  static let stackTime: Self = "ownership/stack-time"
  static let stackFails: Self = "ownership/stack-fails"
  /// EKS refused to make a cluster, with the message of `detail`.
  static let clusterNotMade: Self = "identity/cluster-not-made"
  /// The API servers get no connection to the node's kubelet.
  static let kubeletUnreached: Self = "packets/kubelet-unreached"
  /// What the program wrote before it ended.
  static let lastWords: Self = "application/last-words"
  static let noNodes: Self = "nodes/none"
  static let fargateNoMachine: Self = "scheduling/fargate-no-machine"
  static let podOnFargate: Self = "scheduling/pod-on-fargate"
  static let fargateProfileTrouble: Self = "scheduling/fargate-profile-trouble"
  static let fargateProfileWell: Self = "scheduling/fargate-profile-well"
  static let addonTrouble: Self = "ownership/addon-trouble"
  static let addonWell: Self = "ownership/addon-well"
  static let addonDrift: Self = "ownership/addon-drifted"
  static let noNodeFits: Self = "scheduling/no-node-fits"

  // Workloads and Services
  static let podsMissing: Self = "workloads/pods-missing"
  static let rolloutHeld: Self = "workloads/rollout-held"
  static let daemonsNowhere: Self = "workloads/daemons-nowhere"
  static let serviceUnbacked: Self = "services/unbacked"
  static let serviceBacked: Self = "services/backed"
  static let balancerPending: Self = "services/balancer-pending"
  static let localEndpoints: Self = "services/local-endpoints"
  static let jobFails: Self = "workloads/job-fails"
  static let scheduleHeld: Self = "workloads/schedule-held"
  static let autoscalerStuck: Self = "workloads/autoscaler-stuck"
  static let metricsMissing: Self = "workloads/metrics-missing"
  static let namespaceStuck: Self = "workloads/namespace-stuck"
  static let noDisruption: Self = "workloads/no-disruption"
  static let podStaysOn: Self = "pods/stays-on"
  /// Admission webhooks that would be asked about the pod now and were not when it was made; with a detail of `asked`
  /// that is what is asked about.
  static let podAdmission: Self = "workloads/pod-admission"
  static let podEvicted: Self = "pods/evicted"
}

/// Volumes.
extension Effect.Kind {
  static let claimUnbound: Self = "storage/claim-unbound"
  static let claimBound: Self = "storage/claim-bound"
  static let claimTerminating: Self = "storage/claim-terminating"
  static let claimTooSmall: Self = "storage/claim-too-small"
  static let volumeUnusable: Self = "storage/volume-unusable"
  /// Of the pod's volume in `detail`.
  static let volumeNotAttached: Self = "storage/volume-not-attached"
  /// The driver does nothing for the claim in `detail`.
  static let driverSilent: Self = "storage/driver-silent"
  /// Of the driver in `detail`, on a node.
  static let driverNotOnNode: Self = "storage/driver-not-on-node"
  static let storageClassUnusable: Self = "storage/class-unusable"
}

/// Who may do what.
extension Effect.Kind {
  static let kubernetesAccess: Self = "identity/kubernetes-access"
  static let signIn: Self = "identity/sign-in"
  static let deedAllowed: Self = "identity/deed-allowed"
  static let awsAccess: Self = "identity/aws-access"
  /// A session may do less than its role: `lack ARN ACTION` or `deny ARN ACTION` in `detail`.
  static let sessionNarrowed: Self = "identity/session-narrowed"
  static let awsPolicies: Self = "identity/aws-policies"
  static let auditTrail: Self = "identity/audit-trail"
  static let authenticatorLog: Self = "identity/authenticator-log"
  static let cloudTrail: Self = "identity/cloudtrail"
  static let endpointUnreached: Self = "identity/endpoint-unreached"
  static let tokenRefused: Self = "identity/token-refused"
  static let staleTokens: Self = "identity/stale-tokens"
  static let oldSDK: Self = "identity/old-sdk"
  static let providerThumbprint: Self = "identity/provider-thumbprint"
  /// AWS knows the token in a call as nobody's.
  static let tokenOfNobody: Self = "identity/token-of-nobody"
  static let servingCertificates: Self = "identity/serving-certificates"
}
