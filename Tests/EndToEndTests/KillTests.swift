import Evidence
import Foundation
import Testing
import Wire

/// What was acknowledged survives SIGKILL at any moment, and the world goes on from there.
@Suite(.serialized)
struct KillTests {
  private func client(_ eks: LocalEKSProcess) -> AWSClient {
    AWSClient(
      region: "us-east-1", chain: CredentialChain(profile: nil, environment: eks.environment), roleARN: nil,
      endpoint: eks.environment["AWS_ENDPOINT_URL"], timeoutSeconds: 10)
  }

  private static let trust =
    #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["eks.amazonaws.com","ec2.amazonaws.com"]},"Action":"sts:AssumeRole"}]}"#

  @Test func nothingAcknowledgedIsLostUnderLoad() async throws {
    let eks = try LocalEKSProcess()
    var acknowledged: Set<String> = []
    for round in 0..<10 {
      let client = client(eks)
      let pid = try eks.pid
      let killer = Task.detached {
        try await Task.sleep(for: .milliseconds(60 + 37 * round))
        kill(pid, SIGKILL)
      }
      // Four at a time, until the process is gone.
      let made = await withTaskGroup(of: [String].self) { group in
        for worker in 0..<4 {
          group.addTask {
            var mine: [String] = []
            for number in 0..<2000 {
              let name = "r\(round)-\(worker)-\(number)"
              do {
                _ = try await client.call(
                  service: "iam", operation: "CreateRole",
                  input: ["RoleName": .string(name), "AssumeRolePolicyDocument": .string(KillTests.trust)])
                mine.append(name)
              } catch { break }
            }
            return mine
          }
        }
        var all: [String] = []
        for await names in group { all += names }
        return all
      }
      _ = await killer.result
      await client.close()
      while kill(pid, 0) == 0 { usleep(1000) }
      acknowledged.formUnion(made)
      try eks.up()
      let reader = self.client(eks)
      var present: Set<String> = []
      var marker: String?
      repeat {
        let page = try await reader.call(
          service: "iam", operation: "ListRoles", input: ["MaxItems": 1000, "Marker": JSON(marker)])
        present.formUnion(page["Roles"].items.compactMap { $0["RoleName"].string })
        marker = page["Marker"].string
      } while marker != nil
      await reader.close()
      #expect(acknowledged.isSubset(of: present), "lost: \(acknowledged.subtracting(present).sorted().prefix(5))")
    }
    #expect(acknowledged.count > 50)
  }

  /// What a world ends with: the things that have no name drawn by chance.
  private func inventory(_ client: AWSClient) async throws -> [String] {
    let interfaces = try await client.call(service: "ec2", operation: "DescribeNetworkInterfaces", input: [:])
    let instances = try await client.call(
      service: "ec2", operation: "DescribeInstances",
      input: ["Filters": [["Name": "instance-state-name", "Values": ["running"]]]])
    let cluster = try await client.call(service: "eks", operation: "DescribeCluster", input: ["name": "demo"])
    let group = try await client.call(
      service: "eks", operation: "DescribeNodegroup", input: ["clusterName": "demo", "nodegroupName": "ng1"])
    let groups = try await client.call(service: "ec2", operation: "DescribeSecurityGroups", input: [:])
    let templates = try await client.call(service: "ec2", operation: "DescribeLaunchTemplates", input: [:])
    return [
      "interfaces \(interfaces["NetworkInterfaces"].items.count)",
      "addresses \(interfaces["NetworkInterfaces"].items.map { $0["PrivateIpAddresses"].items.count }.sorted())",
      "instances \(instances["Reservations"].items.flatMap { $0["Instances"].items }.count)",
      "cluster \(cluster["cluster"]["status"].string ?? "")", "group \(group["nodegroup"]["status"].string ?? "")",
      "security groups \(groups["SecurityGroups"].items.count)",
      "templates \(templates["LaunchTemplates"].items.count)",
    ]
  }

  private func begin(_ client: AWSClient) async throws {
    for (role, policies) in [
      ("cluster", ["AmazonEKSClusterPolicy"]),
      ("node", ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"]),
    ] {
      _ = try await client.call(
        service: "iam", operation: "CreateRole",
        input: ["RoleName": .string(role), "AssumeRolePolicyDocument": .string(Self.trust)])
      for policy in policies {
        _ = try await client.call(
          service: "iam", operation: "AttachRolePolicy",
          input: ["RoleName": .string(role), "PolicyArn": .string("arn:aws:iam::aws:policy/\(policy)")])
      }
    }
    let subnets = try await client.call(service: "ec2", operation: "DescribeSubnets", input: [:])
    _ = try await client.call(
      service: "eks", operation: "CreateCluster",
      input: [
        "name": "demo", "roleArn": "arn:aws:iam::000000000000:role/cluster",
        "resourcesVpcConfig": ["subnetIds": .array(subnets["Subnets"].items.map { $0["SubnetId"] })],
      ])
  }

  private func wait(_ client: AWSClient, _ holds: (AWSClient) async throws -> Bool) async throws {
    let deadline = Date(timeIntervalSinceNow: 60)
    while Date() < deadline {
      if try await holds(client) { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("the world did not get there within a minute")
  }

  private func clusterIsActive(_ client: AWSClient) async throws -> Bool {
    try await client.call(service: "eks", operation: "DescribeCluster", input: ["name": "demo"])["cluster"]["status"]
      .string
      == "ACTIVE"
  }

  private func groupIsActive(_ client: AWSClient) async throws -> Bool {
    try await client.call(
      service: "eks", operation: "DescribeNodegroup", input: ["clusterName": "demo", "nodegroupName": "ng1"])[
        "nodegroup"]["status"].string == "ACTIVE"
  }

  /// Makes a cluster with two nodes; kills the process after each of the delays on the way.
  private func world(killedAfter delays: [Int]) async throws -> [String] {
    let eks = try LocalEKSProcess()
    var client = client(eks)
    try await begin(client)
    var delays = delays
    func killOnce() async throws {
      guard !delays.isEmpty else { return }
      try await Task.sleep(for: .milliseconds(delays.removeFirst()))
      await client.close()
      try eks.kill()
      try eks.up()
      client = self.client(eks)
    }
    try await killOnce()
    try await wait(client, clusterIsActive)
    let subnets = try await client.call(service: "ec2", operation: "DescribeSubnets", input: [:])
    _ = try await client.call(
      service: "eks", operation: "CreateNodegroup",
      input: [
        "clusterName": "demo", "nodegroupName": "ng1", "nodeRole": "arn:aws:iam::000000000000:role/node",
        "subnets": .array(subnets["Subnets"].items.map { $0["SubnetId"] }), "instanceTypes": ["m5.large"],
        "scalingConfig": ["minSize": 1, "maxSize": 4, "desiredSize": 2],
      ])
    try await killOnce()
    try await killOnce()
    try await wait(client, groupIsActive)
    // The pools of both nodes grow to their target.
    try await wait(client) { client in
      let interfaces = try await client.call(service: "ec2", operation: "DescribeNetworkInterfaces", input: [:])
      let held = interfaces["NetworkInterfaces"].items.map { $0["PrivateIpAddresses"].items.count }
      return held.count == 6 && held.reduce(0, +) >= 42
    }
    let found = try await inventory(client)
    await client.close()
    return found
  }

  @Test(arguments: [[20, 90, 200], [120, 10, 60], [260, 150, 400]])
  func aKilledWorldEndsAsItsTwin(_ delays: [Int]) async throws {
    async let twin = world(killedAfter: [])
    async let killed = world(killedAfter: delays)
    #expect(try await killed == twin)
  }

  /// Clusters that are being made when the process is asked to end go on when it is back, by the doors they need.
  @Test func clustersInTheMakingOutliveAStop() async throws {
    let eks = try LocalEKSProcess()
    var client = client(eks)
    _ = try await client.call(
      service: "iam", operation: "CreateRole",
      input: ["RoleName": "cluster", "AssumeRolePolicyDocument": .string(Self.trust)])
    _ = try await client.call(
      service: "iam", operation: "AttachRolePolicy",
      input: ["RoleName": "cluster", "PolicyArn": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"])
    let subnets = try await client.call(service: "ec2", operation: "DescribeSubnets", input: [:])
    let names = (0..<12).map { "c\($0)" }
    for name in names {
      _ = try await client.call(
        service: "eks", operation: "CreateCluster",
        input: [
          "name": .string(name), "roleArn": "arn:aws:iam::000000000000:role/cluster",
          "resourcesVpcConfig": ["subnetIds": .array(subnets["Subnets"].items.prefix(2).map { $0["SubnetId"] })],
        ])
    }
    await client.close()
    let down = try eks.ekswhy("down", "--state", eks.state)
    try #require(down.status == 0, "\(down.all)")
    try eks.up()
    client = self.client(eks)
    try await wait(client) { client in
      var states: [String?] = []
      for name in names {
        let found = try await client.call(service: "eks", operation: "DescribeCluster", input: ["name": .string(name)])
        states.append(found["cluster"]["status"].string)
      }
      try #require(!states.contains("FAILED"), "\(states)")
      return states.allSatisfy { $0 == "ACTIVE" }
    }
    await client.close()
  }
}
