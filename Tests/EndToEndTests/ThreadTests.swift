import Foundation
import Testing
import Wire

/// The first thread through all storeys, with the real aws and kubectl.
@Suite(.serialized, .enabled(if: Clients.both))
struct ThreadTests {
  static let trust =
    #"'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"%"},"Action":"sts:AssumeRole"}]}'"#

  /// Roles with their AWS managed policies, a cluster with all log types, a node group of two.
  static func cluster(_ eks: LocalEKSProcess, nodes: Int = 2) throws {
    let trust = ThreadTests.trust
    try eks.aws(
      "iam create-role --role-name cluster --assume-role-policy-document \(trust.replacing("%", with: "eks.amazonaws.com"))"
    )
    try eks.aws(
      "iam attach-role-policy --role-name cluster --policy-arn arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
    try eks.aws(
      "iam create-role --role-name node --assume-role-policy-document \(trust.replacing("%", with: "ec2.amazonaws.com"))"
    )
    for policy in ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"] {
      try eks.aws("iam attach-role-policy --role-name node --policy-arn arn:aws:iam::aws:policy/\(policy)")
    }
    let subnets = try subnets(eks)
    let logging =
      #"'{"clusterLogging":[{"types":["api","audit","authenticator","controllerManager","scheduler"],"enabled":true}]}'"#
    try eks.aws(
      "eks create-cluster --name demo --role-arn arn:aws:iam::000000000000:role/cluster --resources-vpc-config subnetIds=\(subnets.joined(separator: ",")) --logging \(logging)"
    )
    try eks.aws("eks wait cluster-active --name demo")
    try eks.aws(
      "eks create-nodegroup --cluster-name demo --nodegroup-name ng1 --node-role arn:aws:iam::000000000000:role/node --subnets \(subnets.joined(separator: " ")) --scaling-config minSize=1,maxSize=4,desiredSize=\(nodes) --instance-types m5.large"
    )
    try eks.aws("eks wait nodegroup-active --cluster-name demo --nodegroup-name ng1")
    let updated = try Shell.run("aws", ["eks", "update-kubeconfig", "--name", "demo"], environment: eks.environment)
    try #require(updated.status == 0, "\(updated.all)")
  }

  static func subnets(_ eks: LocalEKSProcess) throws -> [String] {
    let found = try eks.aws("ec2 describe-subnets --filters Name=default-for-az,Values=true")["Subnets"].items
    return found.compactMap { $0["SubnetId"].string }.sorted()
  }

  @Test func theThread() throws {
    let eks = try LocalEKSProcess()
    #expect(try eks.aws("sts get-caller-identity")["Account"].string == "000000000000")
    let vpc = try eks.aws("ec2 describe-vpcs")["Vpcs"][0]
    #expect(vpc["IsDefault"].bool == true)
    let zones = try eks.aws("ec2 describe-subnets")["Subnets"].items.compactMap { $0["AvailabilityZone"].string }
    #expect(Set(zones).count == 3)

    try Self.cluster(eks)
    #expect(try eks.aws("eks describe-cluster --name demo")["cluster"]["status"].string == "ACTIVE")

    // Two nodes, Ready, named as EKS names them.
    let nodes = try JSON.parse(eks.kubectl("get nodes -o json"))["items"].items
    #expect(nodes.count == 2)
    for node in nodes {
      let name = node["metadata"]["name"].string ?? ""
      #expect(name.hasPrefix("ip-172-31-") && name.hasSuffix(".ec2.internal"), "\(name)")
      let ready = node["status"]["conditions"].items.first { $0["type"].string == "Ready" }
      #expect(ready?["status"].string == "True")
      #expect(node["metadata"]["labels"]["eks.amazonaws.com/nodegroup"].string == "ng1")
      #expect(node["metadata"]["labels"]["node.kubernetes.io/instance-type"].string == "m5.large")
    }
    let wide = try eks.kubectl("get nodes -o wide")
    #expect(wide.contains("INTERNAL-IP") && wide.contains("containerd://"))

    // A Deployment rolls out; its pods have addresses that the nodes' interfaces hold.
    try eks.kubectl("create deployment web --image=nginx --replicas=3")
    #expect(try eks.kubectl("rollout status deploy/web --timeout=60s").contains("successfully rolled out"))
    let pods = try JSON.parse(eks.kubectl("get pods -l app=web -o json"))["items"].items
    #expect(pods.count == 3)
    let interfaces = try eks.aws("ec2 describe-network-interfaces")["NetworkInterfaces"].items
    let held = Set(interfaces.flatMap { $0["PrivateIpAddresses"].items.compactMap { $0["PrivateIpAddress"].string } })
    for pod in pods { #expect(held.contains(pod["status"]["podIP"].string ?? "none")) }
    // The pods took from the first interfaces; the CNI's next look, every 5 seconds, brings the spare ones.
    func spares() throws -> Bool {
      try eks.aws("ec2 describe-network-interfaces")["NetworkInterfaces"].items.contains {
        $0["Description"].string?.hasPrefix("aws-K8S-i-") == true
      }
    }
    let deadline = Date(timeIntervalSinceNow: 60)
    while try !spares(), Date() < deadline { usleep(500_000) }
    #expect(try spares())
    #expect(interfaces.contains { $0["Description"].string == "Amazon EKS demo" })

    #expect(try eks.kubectl("get events -A").contains("Scheduled"))
    let pod = pods[0]["metadata"]["name"].string ?? ""
    let described = try eks.kubectl("describe pod \(pod)")
    #expect(described.contains("Successfully assigned default/\(pod)"))
    #expect(try eks.kubectl("logs \(pod)").contains("start worker process"))
    let system = try eks.kubectl("get ds,deploy -n kube-system")
    for name in ["daemonset.apps/aws-node", "daemonset.apps/kube-proxy", "deployment.apps/coredns"] {
      #expect(system.contains(name))
    }
    #expect(try eks.kubectl("auth whoami").contains("arn:aws:iam::000000000000:"))

    let groups = try eks.aws("autoscaling describe-auto-scaling-groups")["AutoScalingGroups"].items
    #expect(groups.first?["AutoScalingGroupName"].string?.hasPrefix("eks-ng1-") == true)
    let running = try eks.aws("ec2 describe-instances --filters Name=instance-state-name,Values=running")[
      "Reservations"
    ].items
    #expect(running.flatMap { $0["Instances"].items }.count == 2)
    let log = try eks.aws(
      "logs filter-log-events --log-group-name /aws/eks/demo/cluster --log-stream-name-prefix authenticator")
    #expect(log["events"].items.contains { $0["message"].string?.contains("access granted") == true })
    let audit = try eks.aws(
      "logs filter-log-events --log-group-name /aws/eks/demo/cluster --log-stream-name-prefix kube-apiserver-audit")
    #expect(audit["events"].items.contains { $0["message"].string?.contains(#""auditID""#) == true })

    // Nothing is left behind.
    try eks.aws("eks delete-nodegroup --cluster-name demo --nodegroup-name ng1")
    try eks.aws("eks wait nodegroup-deleted --cluster-name demo --nodegroup-name ng1")
    try eks.aws("eks delete-cluster --name demo")
    try eks.aws("eks wait cluster-deleted --name demo")
    #expect(try eks.aws("eks list-clusters")["clusters"].items.isEmpty)
    #expect(try eks.aws("ec2 describe-network-interfaces")["NetworkInterfaces"].items.isEmpty)
    #expect(try eks.aws("autoscaling describe-auto-scaling-groups")["AutoScalingGroups"].items.isEmpty)
    let groupsLeft = try eks.aws("ec2 describe-security-groups")["SecurityGroups"].items
    #expect(groupsLeft.allSatisfy { $0["GroupName"].string == "default" })
    #expect(try eks.aws("ec2 describe-launch-templates")["LaunchTemplates"].items.isEmpty)
  }
}
