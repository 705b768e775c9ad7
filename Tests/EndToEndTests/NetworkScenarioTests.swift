import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// Private networks and names: cases of the field, made by public calls, asked, cured by the printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct NetworkScenarioTests {
  @Test func whatStopsAPull() async throws {
    let scene = try await IdentityScene(nodes: 1)
    try await anEndpointThatAdmitsNobody(scene)
    await scene.end()
  }

  /// The registry's name leads to an interface in the VPC, whose group lets nobody in.
  private func anEndpointThatAdmitsNobody(_ scene: IdentityScene) async throws {
    let subnets = try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"].items
    let vpc = subnets[0]["VpcId"]
    let group = try await scene.call(
      "ec2", "CreateSecurityGroup", ["VpcId": vpc, "GroupName": "endpoints", "Description": "d"])["GroupId"]
    let made = try await scene.call(
      "ec2", "CreateVpcEndpoint",
      [
        "VpcId": vpc, "VpcEndpointType": "Interface", "ServiceName": "com.amazonaws.us-east-1.ecr.dkr",
        "SubnetIds": JSON(subnets.compactMap { $0["SubnetId"].string }), "SecurityGroupIds": [group],
        "PrivateDnsEnabled": true,
      ])["VpcEndpoint"]
    let id = made["VpcEndpointId"]
    try await scene.until("an endpoint") {
      try await scene.call("ec2", "DescribeVpcEndpoints", ["VpcEndpointIds": [id]])["VpcEndpoints"][0]["State"]
        .string?.lowercased() == "available"
    }
    try scene.kubectl("run late --image=602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/thing:v1")
    var told = ""
    try await scene.until("a pull that fails") {
      told = try scene.kubectl("get events --field-selector involvedObject.name=late,reason=Failed")
      return told.contains("i/o timeout")
    }
    // An address of the VPC, not of the Internet.
    #expect(told.contains("dial tcp 172.31."), "\(told)")
    let answer = try await scene.subject("pod", "late")
    #expect(scene.roots(answer) == ["packets/group-ingress"], "\(answer.summary) \(answer.chain)")
    #expect(answer.roots.first?.cause.entity.name == group.string)
    try scene.cure(answer)
    try scene.advance("2m")
    try scene.kubectl("wait --for=condition=Ready pod/late --timeout=20s")
  }
}
