import Evidence
import Foundation
import Mechanisms
import Testing
import Why
import Wire

/// Instances that never become nodes, at steps beside the mapping of their role.
@Suite struct JoinTests {
  /// The first instance was never a node.
  static func absent() -> Fixture {
    var f = Fixture.healthy()
    f.edit("kubernetes/nodes") { list in list["items"] = .array(Array(list["items"].items.dropFirst())) }
    return f
  }

  static func userData(
    cluster: String = "demo", endpoint: String = "https://ABC.gr7.us-east-1.eks.amazonaws.com", ca: String = "Q0E=",
    labels: String = "role=web"
  ) -> String {
    """
    MIME-Version: 1.0\r
    Content-Type: multipart/mixed; boundary="//"\r
    \r
    --//\r
    Content-Type: application/node.eks.aws\r
    \r
    apiVersion: node.eks.aws/v1alpha1\r
    kind: NodeConfig\r
    spec:\r
      cluster:\r
        name: \(cluster)\r
        apiServerEndpoint: \(endpoint)\r
        certificateAuthority: \(ca)\r
        cidr: 10.100.0.0/16\r
      kubelet:\r
        flags: ["--node-labels=\(labels)"]\r
    \r
    --//--\r

    """
  }

  static func give(_ f: inout Fixture, _ userData: String) {
    f.files["aws/ec2/describe-instance-attribute--attribute=userData,instanceid=\(Fixture.instanceID(1))"] = [
      "InstanceId": .string(Fixture.instanceID(1)),
      "UserData": ["Value": .string(Base64.encode(Array(userData.utf8)))],
    ]
  }

  @Test(arguments: [
    (userData(endpoint: ""), "nodes/join-bootstrap", "Apiserver endpoint is missing in cluster configuration"),
    (userData(labels: "kubernetes.io/x=y"), "nodes/join-kubelet", "unknown 'kubernetes.io' or 'k8s.io' labels"),
    (userData(endpoint: "https://other"), "nodes/join-connect", "https://other, which is not the cluster's"),
    (userData(ca: "T1RIRVI="), "nodes/join-certificate", "is not of the CA"),
    (userData(cluster: "other"), "nodes/join-cluster", "signed for cluster other, and this is demo"),
    ("content-type: node.eks.aws", "nodes/join-bootstrap", "could not find NodeConfig within UserData"),
    ("#!/bin/bash\n/etc/eks/bootstrap.sh other", "nodes/join-cluster", "signed for cluster other, and this is demo"),
    ("#!/bin/bash\n/etc/eks/bootstrap.sh", "nodes/join-bootstrap", "cluster name is not defined!"),
    (
      "[settings.kubernetes]\ncluster-name = \"demo\"", "nodes/join-bootstrap",
      "settings.kubernetes.api-server is not set"
    ),
  ])
  func whatNodeadmWasGiven(userData: String, code: String, text: String) async throws {
    var f = Self.absent()
    Self.give(&f, userData)
    let answer = try await f.ask("instance", Fixture.instanceID(1))
    #expect(answer.status == .failing)
    #expect(answer.roots.map(\.cause.code) == [code])
    #expect(answer.roots.first?.cause.statement.contains(text) == true)
    #expect(answer.roots.first?.cause.evidence.first?.citation.source == "aws:ec2")
  }

  /// An old type that comes with swap; told not to mind, the kubelet starts.
  @Test func swapKeepsAKubeletFromStarting() async throws {
    var f = Self.absent()
    Self.give(&f, Self.userData())
    f.edit("aws/ec2/describe-instances") { answer in
      answer["Reservations"] = .array(
        answer["Reservations"].items.map { reservation in
          var reservation = reservation
          var instance = reservation["Instances"][0]
          instance["InstanceType"] = "m1.small"
          reservation["Instances"] = [instance]
          return reservation
        })
    }
    let answer = try await f.ask("instance", Fixture.instanceID(1))
    #expect(answer.roots.map(\.cause.code) == ["nodes/join-kubelet"], "\(answer.gaps.map(\.gap))")
    #expect(answer.roots.first?.cause.statement.contains("running with swap on is not supported") == true)
    Self.give(
      &f,
      Self.userData().replacing(
        "flags: [", with: "config: {failSwapOn: false}\r\n    flags: ["))
    #expect(try await f.ask("instance", Fixture.instanceID(1)).status == .unproven)
  }

  @Test func goodUserDataProvesNothing() async throws {
    var f = Self.absent()
    Self.give(&f, Self.userData())
    #expect(try await f.ask("instance", Fixture.instanceID(1)).status == .unproven)
    Self.give(&f, "#!/bin/sh\n/opt/mine/join demo")
    #expect(try await f.ask("instance", Fixture.instanceID(1)).status == .unproven, "a system of one's own")
    f.removeAccessEntry()
    #expect(
      try await f.ask("instance", Fixture.instanceID(1)).roots.map(\.cause.code) == ["identity/role-not-mapped"])
  }

  @Test func withoutAProfileItHasNothingToSignWith() async throws {
    var f = Self.absent()
    f.edit("aws/ec2/describe-instances") { answer in
      answer["Reservations"] = .array(
        answer["Reservations"].items.map { reservation in
          var reservation = reservation
          reservation["Instances"] = .array(
            reservation["Instances"].items.map { instance in
              var instance = instance
              instance["IamInstanceProfile"] = .null
              return instance
            })
          return reservation
        })
    }
    let answer = try await f.ask("instance", Fixture.instanceID(1))
    #expect(answer.roots.map(\.cause.code) == ["nodes/join-credentials"])
    #expect(answer.roots.first?.sufficient == true)
  }

  /// The node's own log names what no API shows.
  @Test func logsOfTheNodeProve() async throws {
    let f = Self.absent()
    let folder = NSTemporaryDirectory() + "ekswhy-logs-\(UUID().uuidString)"
    let place = "\(folder)/eks_\(Fixture.instanceID(1))_2026/kubelet"
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let line = "\"Unable to register node with API server\" err=\"dial tcp 10.0.1.5:443: i/o timeout\""
    try "Nov 22 12:00:00 kubelet[1523]: E1122 12:00:00.1 1523 kubelet_node_status.go:107] \(line)\n"
      .write(toFile: "\(place)/kubelet.log", atomically: true, encoding: .utf8)
    let logs = try NodeLogs(folder: folder)
    func ask(_ logs: NodeLogs?) async throws -> Answer {
      try await f.ask(nodeLogs: logs) { why in
        try await why.ask(Subject(kind: "instance", name: Fixture.instanceID(1), namespace: "default"))
      }
    }
    #expect(try await ask(nil).status == .unproven)
    let answer = try await ask(logs)
    #expect(answer.roots.map(\.cause.code) == ["nodes/join-connect"])
    #expect(answer.roots.first?.cause.evidence.first?.citation.source == "node")
    #expect(logs.lines(.kubelet, of: [Fixture.instanceID(2)]) == nil, "another node's archive says nothing of this one")
    #expect(throws: BundleSource.Problem.self) { try NodeLogs(folder: folder + "-gone") }
  }

  @Test func ipamdTellsOfThrottling() async throws {
    let f = Fixture.hoarding()
    let folder = NSTemporaryDirectory() + "ekswhy-logs-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func ask(_ message: String) async throws -> Answer {
      try "{\"level\":\"error\",\"ts\":\"2026-11-22T12:04:00.000Z\",\"msg\":\"\(message)\"}\n"
        .write(toFile: "\(folder)/ipamd.log", atomically: true, encoding: .utf8)
      return try await f.ask(nodeLogs: try NodeLogs(folder: folder)) { why in
        try await why.ask(Subject(kind: "pod", name: "checkout-x2k4p", namespace: "shop"))
      }
    }
    let throttled = try await ask("RequestLimitExceeded: Request limit exceeded")
    #expect(throttled.roots.map(\.cause.code).contains("addresses/ec2-throttled"))
    let quiet = try await ask("InsufficientFreeAddressesInSubnet")
    #expect(quiet.ruledOut.contains { $0.code == "addresses/ec2-throttles" })
    #expect(quiet.roots.map(\.cause.code) == ["addresses/warm-eni-hoarding"])
  }
}
