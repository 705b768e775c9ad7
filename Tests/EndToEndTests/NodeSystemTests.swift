import Foundation
import Testing
import Wire

/// Nodes of the three systems that EKS has images of, each told of its cluster in its own way.
@Suite(.serialized, .enabled(if: Clients.both))
struct NodeSystemTests {
  @Test func everySystemJoins() async throws {
    let cluster = try await QuickCluster(nodes: 1, version: "1.32")
    let eks = cluster.eks
    let subnets = try eks.aws("ec2 describe-subnets")["Subnets"].items.compactMap { $0["SubnetId"].string }
    for (name, type) in [("al2", "AL2_x86_64"), ("bottlerocket", "BOTTLEROCKET_x86_64")] {
      try eks.aws(
        "eks create-nodegroup --cluster-name demo --nodegroup-name \(name) --ami-type \(type) --instance-types m5.large "
          + "--node-role arn:aws:iam::000000000000:role/node --subnets \(subnets.joined(separator: " ")) "
          + "--scaling-config minSize=1,maxSize=1,desiredSize=1 --labels own=yes "
          + "--taints key=dedicated,value=web,effect=NO_SCHEDULE")
      try eks.aws("eks wait nodegroup-active --cluster-name demo --nodegroup-name \(name)")
    }
    try eks.kubectl("wait node --all --for=condition=Ready --timeout=60s")
    let nodes = try JSON.parse(eks.kubectl("get nodes -l own=yes -o json"))["items"].items
    #expect(
      Set(nodes.compactMap { $0["status"]["nodeInfo"]["osImage"].string })
        == ["Amazon Linux 2", "Bottlerocket OS 1.50.0 (aws-k8s)"])
    for node in nodes {
      #expect(node["spec"]["taints"].items.map { $0["key"] } == ["dedicated"])
      #expect(node["status"]["capacity"]["pods"] == "29")
    }

    // The script of Amazon Linux 2 asks EKS for what it isn't told, and gives up after four tries.
    try eks.aws("iam create-instance-profile --instance-profile-name own")
    try eks.aws("iam add-role-to-instance-profile --instance-profile-name own --role-name node")
    let groups = try eks.aws("eks describe-cluster --name demo")["cluster"]["resourcesVpcConfig"]
    var instances: [String] = []
    for name in ["demo", "dmeo"] {
      let script = "\(eks.state)/user-data"
      try "#!/bin/bash\n/etc/eks/bootstrap.sh \(name)\n".write(toFile: script, atomically: true, encoding: .utf8)
      let run = try eks.aws(
        "ec2 run-instances --image-id ami-0123456789abcdef0 --instance-type m5.large --subnet-id \(subnets[0]) "
          + "--security-group-ids \(groups["clusterSecurityGroupId"].string ?? "") --iam-instance-profile Name=own "
          + "--user-data file://\(script)")
      instances.append(run["Instances"][0]["InstanceId"].string ?? "")
    }
    try eks.ekswhy("clock", "advance", "3m", "--state", eks.state)
    let joined = try eks.kubectl("get nodes -o jsonpath={..providerID}")
    #expect(joined.contains(instances[0]))
    #expect(!joined.contains(instances[1]))
    let console = try eks.aws("ec2 get-console-output --instance-id \(instances[1])")["Output"].string ?? ""
    let text = String(decoding: Data(base64Encoded: console) ?? Data(console.utf8), as: UTF8.self)
    #expect(text.components(separatedBy: "No cluster found for name: dmeo.").count == 5)
    #expect(text.contains("[eks-bootstrap] ERROR: Exhausted retries while describing cluster!"))
    let answer = try eks.ekswhy("instance/\(instances[1])")
    #expect(answer.all.contains("its token is signed for cluster dmeo, and this is demo"), "\(answer.all)")
    #expect(try eks.ekswhy("node/\(instances[0])").all.contains("no fault found"))
  }
}
