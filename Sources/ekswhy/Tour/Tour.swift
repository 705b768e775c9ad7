import Evidence
import Foundation
import Mechanisms
import Why
import Wire

/// The tour's steps, each printed with the command that does the same.
struct Tour {
  let world: TourWorld
  let started = ContinuousClock.now
  private static let account = "000000000000"
  private static let nodeRole = "eks-node"

  // MARK: - Telling

  func chapter(_ title: String) { Stream.out("\n== \(title)\n") }
  func say(_ text: String) { Stream.out("\(text)\n") }
  func show(_ command: String) { Stream.out("$ \(command)\n") }
  func tell(_ lines: [String]) { for line in lines { Stream.out("  \(line)\n") } }

  /// Prints a line of the aws CLI and does the same.
  @discardableResult
  func aws(_ line: String) async throws -> JSON {
    show(line)
    return try await world.run(line)
  }

  @discardableResult
  func ask(_ kind: String, _ name: String, namespace: String = "default", without: String? = nil) async throws
    -> Answer
  {
    show(
      "ekswhy \(kind)/\(name)" + (namespace == "default" ? "" : " -n \(namespace)")
        + (without.map { "      (with \($0) refused, as for a reader without that permission)" } ?? ""))
    let answer = try await world.ask(kind, name, namespace: namespace, without: without)
    Stream.out(TextRenderer().render(answer))
    say(
      "exit status \(answer.exitStatus), after \(Tour.milliseconds(answer.reads.seconds)) and \(answer.reads.kubernetes + answer.reads.aws) reads\n"
    )
    return answer
  }

  private static func milliseconds(_ seconds: Double) -> String { "\(Int((seconds * 1000).rounded())) ms" }

  // MARK: - The thread

  func run() async throws {
    try await account()
    let subnets = try await cluster()
    try await nodes(subnets)
    try await workload()
    try await healthy()
    try await unmapped()
    try await unpermitted(subnets)
    try await crowded()
    try await limited()
  }

  private func account() async throws {
    chapter("an AWS account on this machine: \(world.endpoint)")
    let caller = try await aws("aws sts get-caller-identity")
    tell(["\(caller["Arn"].string ?? "") in account \(caller["Account"].string ?? "")"])
    for (role, service, policies) in [
      ("eks-cluster", "eks", ["AmazonEKSClusterPolicy"]),
      (
        Tour.nodeRole, "ec2",
        ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"]
      ),
    ] {
      let trust: JSON = [
        "Version": "2012-10-17",
        "Statement": [
          [
            "Effect": "Allow", "Principal": ["Service": .string("\(service).amazonaws.com")],
            "Action": "sts:AssumeRole",
          ]
        ],
      ]
      try await aws("aws iam create-role --role-name \(role) --assume-role-policy-document '\(trust.text())'")
      for policy in policies {
        try await aws(
          "aws iam attach-role-policy --role-name \(role) --policy-arn arn:aws:iam::aws:policy/\(policy)")
      }
    }
  }

  /// Creates the cluster in the default VPC; gives its subnets.
  private func cluster() async throws -> [JSON] {
    chapter("a cluster")
    let subnets = try await aws("aws ec2 describe-subnets")["Subnets"].items
    tell(
      subnets.map {
        "\($0["SubnetId"].string ?? "")  \($0["CidrBlock"].string ?? "")  \($0["AvailabilityZone"].string ?? "")"
      })
    let ids = subnets.compactMap { $0["SubnetId"].string }.joined(separator: ",")
    let account = try await world.run("aws sts get-caller-identity")["Account"].string ?? Tour.account
    try await aws(
      "aws eks create-cluster --name demo --role-arn arn:aws:iam::\(account):role/eks-cluster --resources-vpc-config subnetIds=\(ids) --access-config authenticationMode=API_AND_CONFIG_MAP"
    )
    show("aws eks wait cluster-active --name demo")
    let seconds = try await timed {
      _ = try await world.poll("the cluster to be ACTIVE") { () -> Bool? in
        try await world.run("aws eks describe-cluster --name demo")["cluster"]["status"].string == "ACTIVE" ? true : nil
      }
    }
    tell(["ACTIVE after \(Tour.milliseconds(seconds))"])
    show("aws eks update-kubeconfig --name demo")
    let path = try await world.writeKubeconfig()
    tell(["written to \(path); your own ~/.kube stays as it is"])
    return subnets
  }

  private func nodes(_ subnets: [JSON]) async throws {
    chapter("two nodes, which join as nodes do: token, mapping, registration, CNI")
    try await nodegroup("ng1", subnets: subnets.compactMap { $0["SubnetId"].string }, size: 2)
    let nodes = try await world.poll("two Ready nodes") { () -> [JSON]? in
      let nodes = try await world.kubernetes("GET", "/api/v1/nodes")["items"].items
      return nodes.count { Tour.isReady($0) } >= 2 ? nodes : nil
    }
    show("kubectl get nodes -o wide")
    tell(
      nodes.map { node in
        let address = node["status"]["addresses"].items.first { $0["type"].string == "InternalIP" }?["address"].string
        return
          "\(node["metadata"]["name"].string ?? "")  Ready  \(node["status"]["nodeInfo"]["kubeletVersion"].string ?? "")  \(address ?? "")"
      })
  }

  private func nodegroup(_ name: String, subnets: [String], size: Int, waits: Bool = true) async throws {
    let account = try await world.run("aws sts get-caller-identity")["Account"].string ?? Tour.account
    try await aws(
      "aws eks create-nodegroup --cluster-name demo --nodegroup-name \(name) --node-role arn:aws:iam::\(account):role/\(Tour.nodeRole) --subnets \(subnets.joined(separator: " ")) --scaling-config minSize=1,maxSize=4,desiredSize=\(size) --instance-types m5.large"
    )
    guard waits else { return }
    show("aws eks wait nodegroup-active --cluster-name demo --nodegroup-name \(name)")
    let seconds = try await timed {
      _ = try await world.poll("node group \(name) to be ACTIVE", seconds: 40) { () -> Bool? in
        try await world.run("aws eks describe-nodegroup --cluster-name demo --nodegroup-name \(name)")["nodegroup"][
          "status"
        ].string == "ACTIVE" ? true : nil
      }
    }
    tell(["ACTIVE after \(Tour.milliseconds(seconds))"])
  }

  private func workload() async throws {
    chapter("pods, with addresses out of the subnets, held by the nodes' network interfaces")
    show("kubectl create deployment web --image=nginx --replicas=3 && kubectl rollout status deploy/web")
    try await deploy("web", replicas: 3)
    let pods = try await world.poll("three Ready pods") { () -> [JSON]? in
      let pods = try await self.pods("web")
      return pods.count { Tour.isReady($0) } == 3 ? pods : nil
    }
    show("kubectl get pods -o wide")
    tell(
      pods.map {
        "\($0["metadata"]["name"].string ?? "")  Running  \($0["status"]["podIP"].string ?? "")  \($0["spec"]["nodeName"].string ?? "")"
      })
    let interfaces = try await aws("aws ec2 describe-network-interfaces")["NetworkInterfaces"].items
    tell(
      interfaces.filter { $0["Attachment"]["InstanceId"].string != nil }.map { eni in
        let addresses = eni["PrivateIpAddresses"].items.count
        return
          "\(eni["NetworkInterfaceId"].string ?? "")  \(eni["Attachment"]["InstanceId"].string ?? "")  \(addresses) addresses  \(eni["Description"].string ?? "")"
      })
  }

  private func deploy(_ name: String, replicas: Int, nodeGroup: String? = nil) async throws {
    var spec: JSON = ["containers": [["name": .string(name), "image": "nginx"]]]
    if let nodeGroup { spec["nodeSelector"] = ["eks.amazonaws.com/nodegroup": .string(nodeGroup)] }
    try await world.kubernetes(
      "POST", "/apis/apps/v1/namespaces/default/deployments",
      [
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": .string(name)],
        "spec": [
          "replicas": .int(Int64(replicas)), "selector": ["matchLabels": ["app": .string(name)]],
          "template": ["metadata": ["labels": ["app": .string(name)]], "spec": spec],
        ],
      ])
  }

  private func pods(_ app: String) async throws -> [JSON] {
    try await world.kubernetes("GET", "/api/v1/namespaces/default/pods?labelSelector=app%3D\(app)")["items"].items
  }

  // MARK: - Asking

  private func healthy() async throws {
    chapter("why does it work?")
    let node = try await firstNode(of: "ng1")
    try await ask("node", node)
    if let pod = try await pods("web").first?["metadata"]["name"].string { try await ask("pod", pod) }
  }

  private func firstNode(of group: String) async throws -> String {
    let nodes = try await world.kubernetes(
      "GET", "/api/v1/nodes?labelSelector=eks.amazonaws.com%2Fnodegroup%3D\(group)")["items"].items
    guard let name = nodes.first?["metadata"]["name"].string else {
      throw TourWorld.Fault(description: "node group \(group) has no node")
    }
    return name
  }

  /// The node role's mapping is removed: the access entry, and the line of aws-auth if there is one.
  private func unmapped() async throws {
    chapter("first fault: the node role's access entry is deleted")
    let node = try await firstNode(of: "ng1")
    let account = try await world.run("aws sts get-caller-identity")["Account"].string ?? Tour.account
    let role = "arn:aws:iam::\(account):role/\(Tour.nodeRole)"
    try await aws("aws eks delete-access-entry --cluster-name demo --principal-arn \(role)")
    if (try? await world.kubernetes("GET", "/api/v1/namespaces/kube-system/configmaps/aws-auth")) != nil {
      show("kubectl -n kube-system delete configmap aws-auth")
      try await world.kubernetes("DELETE", "/api/v1/namespaces/kube-system/configmaps/aws-auth")
    }
    say("The API server remembers a sign-in for up to 7 minutes, and a lease for 40 seconds more; let the time pass.")
    show("ekswhy clock advance 10m")
    _ = try world.clock("advance", "10m")
    _ = try await world.poll("the node to go NotReady") { () -> Bool? in
      Tour.isReady(try await world.kubernetes("GET", "/api/v1/nodes/\(node)")) ? nil : true
    }
    let answer = try await ask("node", node)
    try await ask("nodegroup", "ng1")
    chapter("can it doubt? the same question, the deciding evidence withheld")
    try await ask("node", node, without: "ListAccessEntries")
    chapter("the printed fix, run")
    guard let fix = answer.roots.first?.cause.fixes.compactMap(\.command).first(where: { $0.hasPrefix("aws ") }) else {
      throw TourWorld.Fault(description: "no root was proved for \(node)")
    }
    try await aws(fix)
    show("ekswhy clock advance 2m")
    _ = try world.clock("advance", "2m")
    _ = try await world.poll("the node to be Ready again") { () -> Bool? in
      Tour.isReady(try await world.kubernetes("GET", "/api/v1/nodes/\(node)")) ? true : nil
    }
    try await ask("node", node)
  }

  /// AmazonEKS_CNI_Policy is detached before new nodes come up.
  private func unpermitted(_ subnets: [JSON]) async throws {
    chapter("second fault: AmazonEKS_CNI_Policy is detached before a node comes up")
    let policy = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
    try await aws("aws iam detach-role-policy --role-name \(Tour.nodeRole) --policy-arn \(policy)")
    let ids = subnets.compactMap { $0["SubnetId"].string }
    try await nodegroup("ng2", subnets: ids, size: 1, waits: false)
    let node = try await world.poll("the new node to register") { () -> String? in try? await firstNode(of: "ng2") }
    show("ekswhy clock advance 4m")
    _ = try world.clock("advance", "4m")
    let answer = try await ask("node", node)
    guard let fix = answer.roots.first?.cause.fixes.compactMap(\.command).first(where: { $0.hasPrefix("aws ") }) else {
      throw TourWorld.Fault(description: "no root was proved for \(node)")
    }
    chapter("the printed fix, run")
    try await aws(fix)
    show("ekswhy clock advance 6m")
    _ = try world.clock("advance", "6m")
    _ = try await world.poll("the node to be Ready") { () -> Bool? in
      Tour.isReady(try await world.kubernetes("GET", "/api/v1/nodes/\(node)")) ? true : nil
    }
    say("\(node) is Ready.")
  }

  /// A /28 subnet with more pods than it has addresses.
  private func crowded() async throws {
    chapter("third fault: a node group in a /28 subnet")
    let first = try await world.run("aws ec2 describe-subnets")["Subnets"].items.first ?? .null
    let vpc = first["VpcId"].string ?? ""
    let zone = first["AvailabilityZone"].string ?? ""
    let created = try await aws(
      "aws ec2 create-subnet --vpc-id \(vpc) --availability-zone \(zone) --cidr-block 172.31.255.0/28")
    let subnet = created["Subnet"]["SubnetId"].string ?? ""
    try await aws("aws ec2 modify-subnet-attribute --subnet-id \(subnet) --map-public-ip-on-launch Value=true")
    try await nodegroup("ng3", subnets: [subnet], size: 1)
    show("kubectl create deployment crowd --image=nginx --replicas=14   (on ng3 alone, by a node selector)")
    try await deploy("crowd", replicas: 14, nodeGroup: "ng3")
    show("ekswhy clock advance 3m")
    _ = try world.clock("advance", "3m")
    let pod = try await world.poll("a pod without an address") { () -> String? in
      try await pods("crowd").first { $0["status"]["podIP"].isNull && $0["spec"]["nodeName"].string != nil }?[
        "metadata"][
          "name"
        ].string
    }
    let answer = try await ask("pod", pod)
    guard let fix = answer.roots.first?.cause.fixes.compactMap(\.command).first(where: { $0.hasPrefix("aws ") }) else {
      throw TourWorld.Fault(description: "no root was proved for \(pod)")
    }
    chapter("the printed fix, run")
    try await aws(fix)
    show("ekswhy clock advance 5m")
    _ = try world.clock("advance", "5m")
    try await settled("crowd", count: 14)
  }

  /// The same symptom from another root: an instance that may have no further interface.
  private func limited() async throws {
    chapter("the same symptom, another root: a node at its limit of interfaces")
    show("kubectl -n kube-system set env ds/aws-node MAX_ENI=1")
    try await setMaxENI("1")
    // A node that comes after the change never had a second interface.
    let first = try await world.run("aws ec2 describe-subnets")["Subnets"].items.first {
      $0["DefaultForAz"].bool == true
    }
    try await nodegroup("ng4", subnets: [first?["SubnetId"].string ?? ""], size: 1)
    show("kubectl create deployment many --image=nginx --replicas=14   (on ng4 alone, by a node selector)")
    try await deploy("many", replicas: 14, nodeGroup: "ng4")
    show("ekswhy clock advance 3m")
    _ = try world.clock("advance", "3m")
    let pod = try await world.poll("a pod without an address") { () -> String? in
      try await pods("many").first { $0["status"]["podIP"].isNull && $0["spec"]["nodeName"].string != nil }?[
        "metadata"][
          "name"
        ].string
    }
    let answer = try await ask("pod", pod)
    guard let fix = answer.roots.first?.cause.fixes.compactMap(\.command).first else {
      throw TourWorld.Fault(description: "no root was proved for \(pod)")
    }
    chapter("the printed fix, run")
    show(fix)
    try await setMaxENI(nil)
    show("ekswhy clock advance 3m")
    _ = try world.clock("advance", "3m")
    try await settled("many", count: 14)
  }

  private func setMaxENI(_ value: String?) async throws {
    let variable: JSON =
      value.map { ["name": "MAX_ENI", "value": .string($0)] } ?? ["name": "MAX_ENI", "$patch": "delete"]
    let container: JSON = ["name": "aws-node", "env": [variable]]
    try await world.kubernetes(
      "PATCH", "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node",
      ["spec": ["template": ["spec": ["containers": [container]]]]],
      type: "application/strategic-merge-patch+json")
  }

  private func settled(_ app: String, count: Int) async throws {
    show("kubectl rollout status deploy/\(app)")
    _ = try await world.poll("\(count) Ready pods of \(app)") { () -> Bool? in
      try await self.pods(app).count { Tour.isReady($0) } == count ? true : nil
    }
    tell(["all \(count) pods are Ready"])
  }

  // MARK: -

  static func isReady(_ object: JSON) -> Bool {
    object["status"]["conditions"].items.contains { $0["type"].string == "Ready" && $0["status"].string == "True" }
  }

  private func timed(_ body: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await body()
    return (ContinuousClock.now - start).inSeconds
  }
}
