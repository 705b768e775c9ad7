import Evidence
import Mechanisms
import Testing
import Trials
import Why
import Wire

/// A small cluster as a bundle, healthy until a test breaks it.
struct Fixture {
  static let now = "2026-11-22T12:04:15Z"
  static let account = "111122223333"
  static let roleARN = "arn:aws:iam::111122223333:role/demo-node"

  var files: [String: JSON] = [:]
  var manifest: JSON = ["capturedAt": .string(Fixture.now)]

  /// Paths without `.json`, as the bundle keeps them.
  mutating func remove(_ path: String) { files[path] = nil }
  mutating func remove(prefix: String) { files = files.filter { !$0.key.hasPrefix(prefix) } }

  mutating func edit(_ path: String, _ change: (inout JSON) -> Void) {
    var value = files[path] ?? .null
    change(&value)
    files[path] = value
  }

  /// Changes one object of a Kubernetes list.
  mutating func edit(_ path: String, named name: String, _ change: (inout JSON) -> Void) {
    edit(path) { list in
      var items = list["items"].items
      for index in items.indices where items[index]["metadata"]["name"].string == name { change(&items[index]) }
      list["items"] = .array(items)
    }
  }

  mutating func add(_ path: String, _ object: JSON) {
    edit(path) { list in
      if list.isNull { list = ["kind": "List", "apiVersion": "v1", "items": []] }
      list["items"].append(object)
    }
  }

  /// The answer, which is put on trial: with less evidence it may not turn, amid noise it may not change.
  func ask(
    _ kind: String, _ name: String, namespace: String = "default", sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await ask(sourceLocation: sourceLocation) { why in
      try await why.ask(Subject(kind: kind, name: name, namespace: namespace))
    }
  }

  func ask<Q: Question>(
    _ question: Q, about subject: Subject, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await ask(sourceLocation: sourceLocation) { why in try await why.ask(question, about: subject) }
  }

  func ask(
    nodeLogs: NodeLogs? = nil, sourceLocation: SourceLocation = #_sourceLocation, _ asking: Trial.Asking
  ) async throws -> Answer {
    let source = BundleSource(files: files, manifest: manifest)
    let (identity, _) = await source.identity(cluster: nil)
    var target = Target(cluster: identity.cluster, account: identity.account, region: identity.region)
    target.client = identity.client
    let trial = try await Trial(source, target: target, nodeLogs: nodeLogs, asking)
    #expect(trial.faults == [], sourceLocation: sourceLocation)
    return trial.answer
  }

  func text(_ kind: String, _ name: String, namespace: String = "default") async throws -> String {
    TextRenderer().render(try await ask(kind, name, namespace: namespace))
  }
}

// MARK: - The healthy cluster

extension Fixture {
  static func nodeName(_ n: Int) -> String { "ip-10-0-1-\(20 + n).ec2.internal" }
  static func instanceID(_ n: Int) -> String { "i-0123456789abcde0\(n)" }

  /// Two managed nodes with the VPC CNI and kube-proxy in one subnet, in authentication mode API.
  static func healthy(nodes: Int = 2, mode: String = "API", subnetFree: Int = 200) -> Fixture {
    var f = Fixture()
    f.files["aws/eks/describe-cluster--name=demo"] = [
      "cluster": [
        "name": "demo", "arn": "arn:aws:eks:us-east-1:111122223333:cluster/demo", "status": "ACTIVE",
        "endpoint": "https://ABC.gr7.us-east-1.eks.amazonaws.com", "version": "1.33",
        "accessConfig": ["authenticationMode": .string(mode)],
        "resourcesVpcConfig": ["vpcId": "vpc-1", "subnetIds": ["subnet-0c3"]],
        "certificateAuthority": ["data": "Q0E="],
        "kubernetesNetworkConfig": ["ipFamily": "ipv4", "serviceIpv4Cidr": "10.100.0.0/16"],
      ]
    ]
    f.files["aws/eks/list-access-entries--clustername=demo"] = ["accessEntries": [.string(roleARN)]]
    let encoded = PercentEncoding.encode(roleARN)
    f.files["aws/eks/describe-access-entry--clustername=demo,principalarn=\(encoded)"] = [
      "accessEntry": [
        "clusterName": "demo", "principalArn": .string(roleARN), "type": "EC2_LINUX",
        "username": "system:node:{{EC2PrivateDNSName}}", "kubernetesGroups": ["system:nodes"],
        "createdAt": "2026-11-20T10:05:00Z",
      ]
    ]
    f.files["aws/eks/list-nodegroups--clustername=demo"] = ["nodegroups": ["ng1"]]
    f.files["aws/eks/describe-nodegroup--clustername=demo,nodegroupname=ng1"] = [
      "nodegroup": [
        "nodegroupName": "ng1", "clusterName": "demo", "status": "ACTIVE", "nodeRole": .string(roleARN),
        "scalingConfig": ["minSize": 1, "maxSize": 4, "desiredSize": .int(Int64(nodes))],
        "resources": ["autoScalingGroups": [["name": "eks-ng1-1"]]], "health": ["issues": []],
        "subnets": ["subnet-0c3"], "instanceTypes": ["m5.large"], "createdAt": "2026-11-20T10:05:00Z",
      ]
    ]
    f.files["aws/eks/list-updates--name=demo,nodegroupname=ng1"] = ["updateIds": []]
    f.files["aws/eks/list-addons--clustername=demo"] = ["addons": []]
    f.files["aws/eks/list-pod-identity-associations--clustername=demo"] = ["associations": []]
    f.files["aws/iam/get-instance-profile--instanceprofilename=eks-1"] = [
      "InstanceProfile": [
        "InstanceProfileName": "eks-1",
        "Roles": [
          [
            "RoleName": "demo-node", "RoleId": "AROANODE", "Arn": .string(roleARN),
            "CreateDate": "2026-11-20T09:00:00Z",
          ]
        ],
      ]
    ]
    f.files["aws/iam/get-role--rolename=demo-node"] = [
      "Role": [
        "RoleName": "demo-node", "RoleId": "AROANODE", "Arn": .string(roleARN), "CreateDate": "2026-11-20T09:00:00Z",
      ]
    ]
    let policies = ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"]
    f.files["aws/iam/list-attached-role-policies--rolename=demo-node"] = [
      "AttachedPolicies": .array(
        policies.map { ["PolicyName": .string($0), "PolicyArn": .string("arn:aws:iam::aws:policy/\($0)")] })
    ]
    f.files["aws/iam/list-role-policies--rolename=demo-node"] = ["PolicyNames": []]
    for policy in policies {
      let arn = "arn:aws:iam::aws:policy/\(policy)"
      f.files["aws/iam/get-policy--policyarn=\(PercentEncoding.encode(arn))"] = [
        "Policy": ["Arn": .string(arn), "DefaultVersionId": "v5"]
      ]
      let actions: [JSON] =
        policy == "AmazonEKS_CNI_Policy"
        ? [
          "ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface", "ec2:DescribeInstances", "ec2:DescribeTags", "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeInstanceTypes", "ec2:DescribeSubnets", "ec2:DetachNetworkInterface",
          "ec2:ModifyNetworkInterfaceAttribute", "ec2:UnassignPrivateIpAddresses", "ec2:CreateTags",
          "ec2:DescribeSecurityGroups",
        ]
        : policy.contains("Registry")
          ? ["ecr:GetAuthorizationToken", "ecr:BatchGetImage"] : ["ec2:DescribeInstances", "eks:DescribeCluster"]
      f.files["aws/iam/get-policy-version--policyarn=\(PercentEncoding.encode(arn)),versionid=v5"] = [
        "PolicyVersion": [
          "VersionId": "v5",
          "Document": [
            "Version": "2012-10-17", "Statement": [["Effect": "Allow", "Action": .array(actions), "Resource": "*"]],
          ],
        ]
      ]
    }
    f.files["aws/ec2/describe-instances"] = ["Reservations": []]
    f.files["aws/ec2/describe-network-interfaces"] = ["NetworkInterfaces": []]
    f.files["aws/ec2/describe-subnets"] = [
      "Subnets": [
        [
          "SubnetId": "subnet-0c3", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1a",
          "AvailableIpAddressCount": .int(Int64(subnetFree)), "Tags": [],
        ]
      ]
    ]
    f.files["aws/ec2/describe-instance-types"] = [
      "InstanceTypes": [
        [
          "InstanceType": "m5.large", "Hypervisor": "nitro",
          "NetworkInfo": ["MaximumNetworkInterfaces": 3, "Ipv4AddressesPerInterface": 10],
        ]
      ]
    ]
    f.files["aws/autoscaling/describe-auto-scaling-groups"] = [
      "AutoScalingGroups": [
        [
          "AutoScalingGroupName": "eks-ng1-1", "DesiredCapacity": .int(Int64(nodes)), "MinSize": 1, "MaxSize": 4,
          "Instances": [],
        ]
      ]
    ]
    f.files["aws/autoscaling/describe-scaling-activities--autoscalinggroupname=eks-ng1-1"] = ["Activities": []]
    for (path, name) in [
      ("pods", "nodes"), ("events", "leases.coordination.k8s.io"), ("configmaps", "serviceaccounts"),
      ("services", "deployments.apps"), ("replicasets.apps", "statefulsets.apps"), ("jobs.batch", "namespaces"),
    ] {
      for path in [path, name] { f.files["kubernetes/\(path)"] = ["kind": "List", "apiVersion": "v1", "items": []] }
    }
    f.files["kubernetes/daemonsets.apps"] = ["kind": "List", "apiVersion": "v1", "items": []]
    f.add(
      "kubernetes/serviceaccounts", ["metadata": ["name": "aws-node", "namespace": "kube-system", "annotations": [:]]])
    f.add("kubernetes/daemonsets.apps", daemonSet("aws-node", notComputeTypes: ["fargate", "hybrid", "auto"]))
    f.add("kubernetes/daemonsets.apps", daemonSet("kube-proxy", notComputeTypes: ["fargate", "auto"]))
    for n in 1...max(1, nodes) { f.addNode(n) }
    return f
  }

  static func daemonSet(_ name: String, notComputeTypes: [String], env: [(String, String)] = []) -> JSON {
    [
      "metadata": [
        "name": .string(name), "namespace": "kube-system", "labels": ["k8s-app": .string(name)], "managedFields": [],
      ],
      "spec": [
        "selector": ["matchLabels": ["k8s-app": .string(name)]],
        "template": [
          "spec": [
            "serviceAccountName": .string(name),
            "affinity": [
              "nodeAffinity": [
                "requiredDuringSchedulingIgnoredDuringExecution": [
                  "nodeSelectorTerms": [
                    [
                      "matchExpressions": [
                        [
                          "key": "eks.amazonaws.com/compute-type", "operator": "NotIn",
                          "values": .array(notComputeTypes.map { .string($0) }),
                        ]
                      ]
                    ]
                  ]
                ]
              ]
            ],
            "containers": [
              [
                "name": .string(name),
                "env": .array(env.map { ["name": .string($0.0), "value": .string($0.1)] }),
              ]
            ],
          ]
        ],
      ],
    ]
  }

  mutating func addNode(_ n: Int, type: String = "m5.large", maxPods: Int = 29) {
    let name = Fixture.nodeName(n)
    let id = Fixture.instanceID(n)
    add(
      "kubernetes/nodes",
      [
        "metadata": [
          "name": .string(name), "uid": .string("node-uid-\(n)"), "creationTimestamp": "2026-11-22T09:00:00Z",
          "labels": [
            "eks.amazonaws.com/nodegroup": "ng1", "node.kubernetes.io/instance-type": .string(type),
            "topology.kubernetes.io/zone": "us-east-1a", "kubernetes.io/os": "linux",
          ],
        ],
        "spec": ["providerID": .string("aws:///us-east-1a/\(id)")],
        "status": [
          "capacity": ["pods": .string(String(maxPods))], "allocatable": ["pods": .string(String(maxPods))],
          "nodeInfo": ["osImage": "Amazon Linux 2023"],
          "addresses": [["type": "InternalIP", "address": .string("10.0.1.\(20 + n)")]],
          "conditions": [
            [
              "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status",
              "lastTransitionTime": "2026-11-22T09:01:00Z", "lastHeartbeatTime": "2026-11-22T12:04:00Z",
            ]
          ],
        ],
      ])
    add(
      "kubernetes/leases.coordination.k8s.io",
      [
        "metadata": ["name": .string(name), "namespace": "kube-node-lease"],
        "spec": [
          "holderIdentity": .string(name), "leaseDurationSeconds": 40, "renewTime": "2026-11-22T12:04:11.000000Z",
        ],
      ])
    edit("aws/ec2/describe-instances") { answer in
      answer["Reservations"].append([
        "Instances": [
          [
            "InstanceId": .string(id), "InstanceType": .string(type), "State": ["Name": "running"],
            "PrivateDnsName": .string(name), "PrivateIpAddress": .string("10.0.1.\(20 + n)"), "SubnetId": "subnet-0c3",
            "VpcId": "vpc-1",
            "LaunchTime": "2026-11-22T08:59:00Z",
            "IamInstanceProfile": ["Arn": "arn:aws:iam::111122223333:instance-profile/eks-1"],
            "Tags": [
              ["Key": "kubernetes.io/cluster/demo", "Value": "owned"], ["Key": "eks:nodegroup-name", "Value": "ng1"],
            ],
          ]
        ]
      ])
    }
    edit("aws/autoscaling/describe-auto-scaling-groups") { answer in
      var group = answer["AutoScalingGroups"][0]
      group["Instances"].append(["InstanceId": .string(id), "LifecycleState": "InService", "HealthStatus": "Healthy"])
      answer["AutoScalingGroups"] = [group]
    }
    addENI(n, device: 0, secondaries: 9)
    for app in ["aws-node", "kube-proxy"] {
      add(
        "kubernetes/pods",
        Fixture.pod("\(app)-\(n)", "kube-system", node: n, app: app, hostNetwork: true, address: "10.0.1.\(20 + n)"))
    }
  }

  mutating func addENI(_ n: Int, device: Int, secondaries: Int) {
    edit("aws/ec2/describe-network-interfaces") { answer in
      let third = 30 + device
      var addresses: [JSON] = [
        ["PrivateIpAddress": .string(device == 0 ? "10.0.1.\(20 + n)" : "10.0.\(third).\(n)"), "Primary": true]
      ]
      for index in 0..<secondaries {
        addresses.append(["PrivateIpAddress": .string("10.0.\(third).\(n * 12 + 20 + index)"), "Primary": false])
      }
      answer["NetworkInterfaces"].append([
        "NetworkInterfaceId": .string("eni-\(n)\(device)"), "SubnetId": "subnet-0c3", "VpcId": "vpc-1",
        "Status": "in-use",
        "Description": .string(device == 0 ? "" : "aws-K8S-\(Fixture.instanceID(n))"),
        "Attachment": [
          "InstanceId": .string(Fixture.instanceID(n)), "DeviceIndex": .int(Int64(device)), "Status": "attached",
        ],
        "PrivateIpAddresses": .array(addresses), "Ipv4Prefixes": [], "TagSet": [],
      ])
    }
  }

  static func pod(
    _ name: String, _ namespace: String = "default", node n: Int?, app: String, hostNetwork: Bool = false,
    address: String? = nil, ready: Bool = true
  ) -> JSON {
    var pod: JSON = [
      "metadata": [
        "name": .string(name), "namespace": .string(namespace), "uid": .string("uid-\(name)"),
        "labels": ["k8s-app": .string(app), "app": .string(app)], "creationTimestamp": "2026-11-22T11:58:03Z",
      ],
      "spec": [
        "hostNetwork": .bool(hostNetwork), "serviceAccountName": .string(app),
        "containers": [["name": .string(app), "image": "nginx"]],
      ],
      "status": [
        "phase": .string(ready ? "Running" : "Pending"), "podIP": address.map { .string($0) } ?? .null,
        "startTime": "2026-11-22T11:58:03Z",
        "conditions": [
          ["type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-22T11:58:03Z"],
          ["type": "Ready", "status": .string(ready ? "True" : "False"), "lastTransitionTime": "2026-11-22T11:58:10Z"],
        ],
        "containerStatuses": [
          [
            "name": .string(app), "ready": .bool(ready), "restartCount": 0,
            "state": ready
              ? ["running": ["startedAt": "2026-11-22T11:58:10Z"]] : ["waiting": ["reason": "ContainerCreating"]],
          ]
        ],
      ],
    ]
    if let n { pod["spec"]["nodeName"] = .string(nodeName(n)) }
    return pod
  }

  mutating func event(
    _ kind: String, _ name: String, namespace: String = "default", uid: String, reason: String, message: String,
    count: Int = 1, last: String = "2026-11-22T12:04:11Z"
  ) {
    add(
      "kubernetes/events",
      [
        "metadata": [
          "name": .string("\(name).\(reason.lowercased())\(count)"), "namespace": .string(namespace),
          "creationTimestamp": .string(last),
        ],
        "involvedObject": [
          "kind": .string(kind), "name": .string(name), "namespace": .string(namespace), "uid": .string(uid),
        ],
        "reason": .string(reason), "message": .string(message), "type": "Warning", "count": .int(Int64(count)),
        "firstTimestamp": "2026-11-22T11:58:05Z", "lastTimestamp": .string(last),
      ])
  }
}

// MARK: - Faults

extension Fixture {
  /// The kubelet of a node went silent three minutes ago.
  mutating func silence(_ n: Int) {
    let name = Fixture.nodeName(n)
    edit("kubernetes/nodes", named: name) { node in
      node["status"]["conditions"] = [
        [
          "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
          "message": "Kubelet stopped posting node status.", "lastTransitionTime": "2026-11-22T12:01:00Z",
          "lastHeartbeatTime": "2026-11-22T11:58:00Z",
        ]
      ]
    }
    edit("kubernetes/leases.coordination.k8s.io", named: name) {
      $0["spec"]["renewTime"] = "2026-11-22T12:00:15.000000Z"
    }
  }

  mutating func removeAccessEntry() {
    files["aws/eks/list-access-entries--clustername=demo"] = [
      "accessEntries": ["arn:aws:iam::111122223333:role/admin"]
    ]
    remove(prefix: "aws/eks/describe-access-entry")
  }
}

extension Fixture {
  /// AmazonEKS_CNI_Policy was detached before the node came up.
  mutating func detachCNIPolicy(_ n: Int = 1) {
    edit("aws/iam/list-attached-role-policies--rolename=demo-node") { answer in
      answer["AttachedPolicies"] = .array(
        answer["AttachedPolicies"].items.filter { $0["PolicyName"].string != "AmazonEKS_CNI_Policy" })
    }
    let name = Fixture.nodeName(n)
    edit("kubernetes/nodes", named: name) { node in
      node["status"]["conditions"] = [
        [
          "type": "Ready", "status": "False", "reason": "KubeletNotReady",
          "message":
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
          "lastTransitionTime": "2026-11-22T12:00:15Z", "lastHeartbeatTime": "2026-11-22T12:04:05Z",
        ]
      ]
    }
    edit("kubernetes/pods", named: "aws-node-\(n)") { pod in
      pod["status"]["conditions"] = [
        ["type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-22T12:00:15Z"],
        ["type": "Ready", "status": "False", "lastTransitionTime": "2026-11-22T12:00:15Z"],
      ]
      pod["status"]["containerStatuses"] = [
        [
          "name": "aws-node", "ready": false, "restartCount": 3,
          "state": ["waiting": ["reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"]],
        ]
      ]
    }
  }

  mutating func missingPermissionsEvent(_ n: Int = 1) {
    event(
      "Pod", "aws-node-\(n)", namespace: "kube-system", uid: "uid-aws-node-\(n)", reason: "MissingIAMPermissions",
      message:
        "Unauthorized operation: failed to call ec2:DescribeNetworkInterfaces due to missing permissions. Please refer https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/iam-policy.md to attach relevant policy to IAM role",
      count: 4)
  }

  /// Loud events about other things.
  mutating func noise() {
    for index in 0..<60 {
      event(
        "Pod", "noise-\(index)", uid: "noise-\(index)", reason: ["BackOff", "FailedMount", "Unhealthy"][index % 3],
        message: "failed to assign an IP address to container; Unauthorized; OOMKilled \(index)", count: 100 + index)
    }
  }

  /// A node of Auto Mode: named by instance id, no aws-node, no kube-proxy.
  static func autoMode() -> Fixture {
    var f = Fixture.healthy(nodes: 1)
    let id = Fixture.instanceID(1)
    f.edit("kubernetes/nodes", named: Fixture.nodeName(1)) { node in
      node["metadata"]["name"] = .string(id)
      node["metadata"]["labels"] = [
        "eks.amazonaws.com/compute-type": "auto", "node.kubernetes.io/instance-type": "c6g.large",
        "topology.kubernetes.io/zone": "us-east-1a",
      ]
      node["status"]["nodeInfo"]["osImage"] = "Bottlerocket (EKS Auto, Standard)"
    }
    f.edit("kubernetes/leases.coordination.k8s.io") { list in
      var lease = list["items"][0]
      lease["metadata"]["name"] = .string(id)
      list["items"] = [lease]
    }
    f.files["kubernetes/daemonsets.apps"] = ["kind": "List", "apiVersion": "v1", "items": []]
    f.files["kubernetes/pods"] = ["kind": "List", "apiVersion": "v1", "items": []]
    f.edit("aws/eks/describe-access-entry--clustername=demo,principalarn=\(PercentEncoding.encode(roleARN))") { entry in
      entry["accessEntry"]["type"] = "EC2"
      entry["accessEntry"]["username"] = "system:node:{{SessionName}}"
    }
    f.files["kubernetes/pods"] = ["kind": "List", "apiVersion": "v1", "items": []]
    var pod = Fixture.pod("web-1", node: 1, app: "web", address: "10.0.30.40")
    pod["spec"]["nodeName"] = .string(id)
    f.add("kubernetes/pods", pod)
    return f
  }

  /// Cilium in place of the VPC CNI and kube-proxy.
  static func cilium() -> Fixture {
    var f = Fixture.healthy(nodes: 1)
    f.files["kubernetes/daemonsets.apps"] = ["kind": "List", "apiVersion": "v1", "items": []]
    f.add("kubernetes/daemonsets.apps", Fixture.daemonSet("cilium", notComputeTypes: ["fargate"]))
    f.files["kubernetes/pods"] = ["kind": "List", "apiVersion": "v1", "items": []]
    f.add(
      "kubernetes/pods",
      Fixture.pod("cilium-1", "kube-system", node: 1, app: "cilium", hostNetwork: true, address: "10.0.1.21"))
    f.add("kubernetes/pods", Fixture.pod("web-1", node: 1, app: "web", address: "192.168.3.4"))
    return f
  }
}

// MARK: - Addresses

extension Fixture {
  /// Pods of a node with addresses of its interface `device`.
  mutating func addPods(_ count: Int, node n: Int, device: Int) {
    for index in 0..<count {
      add(
        "kubernetes/pods",
        Fixture.pod(
          "app-\(n)-\(device)-\(index)", node: n, app: "app", address: "10.0.\(30 + device).\(n * 12 + 20 + index)"))
    }
  }

  /// A pod that waits for an address on a node.
  mutating func addWaitingPod(node n: Int = 1) {
    add("kubernetes/pods", Fixture.pod("checkout-x2k4p", "shop", node: n, app: "checkout", ready: false))
    event(
      "Pod", "checkout-x2k4p", namespace: "shop", uid: "uid-checkout-x2k4p", reason: "FailedCreatePodSandBox",
      message:
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"0f\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container",
      count: 31)
  }

  mutating func setSubnet(cidr: String, free: Int) {
    edit("aws/ec2/describe-subnets") { answer in
      var subnet = answer["Subnets"][0]
      subnet["CidrBlock"] = .string(cidr)
      subnet["AvailableIpAddressCount"] = .int(Int64(free))
      answer["Subnets"] = [subnet]
    }
    files["aws/ec2/describe-vpcs"] = ["Vpcs": [["VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"]]]
  }

  /// Six nodes with a spare ENI each in a /25; the first is out of addresses.
  static func hoarding() -> Fixture {
    var f = Fixture.healthy(nodes: 6)
    for n in 1...6 { f.addENI(n, device: 1, secondaries: 9) }
    f.addPods(9, node: 1, device: 0)
    f.addPods(9, node: 1, device: 1)
    for n in 2...6 { f.addPods(2, node: n, device: 0) }
    f.setSubnet(cidr: "10.0.1.0/25", free: 3)
    f.addWaitingPod()
    return f
  }

  /// A /28 whose addresses pods and nodes really use.
  static func fullSubnet() -> Fixture {
    var f = Fixture.healthy(nodes: 2)
    f.files["aws/ec2/describe-network-interfaces"] = ["NetworkInterfaces": []]
    f.addENI(1, device: 0, secondaries: 5)
    f.addENI(2, device: 0, secondaries: 4)
    f.addPods(5, node: 1, device: 0)
    f.addPods(4, node: 2, device: 0)
    f.setSubnet(cidr: "10.0.1.0/28", free: 0)
    f.addWaitingPod()
    return f
  }

  /// One node with all its interfaces full, in a subnet with room.
  static func eniLimit() -> Fixture {
    var f = Fixture.healthy(nodes: 2)
    f.addENI(1, device: 1, secondaries: 9)
    f.addENI(1, device: 2, secondaries: 9)
    for device in 0...2 { f.addPods(9, node: 1, device: device) }
    f.edit("kubernetes/nodes", named: nodeName(1)) { $0["status"]["capacity"]["pods"] = "110" }
    f.setSubnet(cidr: "10.0.1.0/24", free: 120)
    f.addWaitingPod()
    return f
  }
}
