import Mechanisms
import Testing
import Wire

@Suite struct IPv6PoolTests {
  private let start = Timestamp(rfc3339: "2026-11-22T12:00:00Z")!

  @Test func addressesComeInOrderAndCoolDown() throws {
    var pool = IPv6Pool(eni: "eni-1", prefix: try #require(IPv6CIDR("2600:1f18:1:2:3::/80")))
    func give(_ pod: String, after seconds: Int) -> String {
      pool.give(pod, at: start + .seconds(seconds), cooldown: 30).description
    }
    #expect(give("a", after: 0) == "2600:1f18:1:2:3::1")
    #expect(give("b", after: 0) == "2600:1f18:1:2:3::2")
    #expect(give("a", after: 1) == "2600:1f18:1:2:3::1")
    #expect(pool.release("a", at: start + .seconds(2))?.description == "2600:1f18:1:2:3::1")
    #expect(pool.release("a", at: start + .seconds(2)) == nil)
    #expect(give("c", after: 10) == "2600:1f18:1:2:3::3")
    #expect(give("d", after: 40) == "2600:1f18:1:2:3::1")
    #expect(pool.assignedCount == 3)
  }

  @Test func aRestartKeepsWhatPodsHave() throws {
    var pool = IPv6Pool(eni: "eni-1", prefix: try #require(IPv6CIDR("2600:1f18:1:2:3::/80")))
    pool.restore("a", try #require(IPv6Address("2600:1f18:1:2:3::7")))
    pool.restore("b", try #require(IPv6Address("2600:1f18:1:2:4::1")))
    #expect(pool.assignedCount == 1)
    #expect(pool.give("c", at: start, cooldown: 30).description == "2600:1f18:1:2:3::8")
  }

  /// A pod's IPv4 packets leave by its second interface, as its node.
  @Test func theWayToIPv4() throws {
    let settings = CNISettings(environment: ["ENABLE_IPv6": "true", "ENABLE_IPv4": "false"])
    let subnet = try #require(CIDR("10.0.1.0/24"))
    var plan = NodePlan(
      "node", enis: [.init(device: 0, primary: subnet.base + 20, subnet: subnet)], settings: settings,
      vpcBlocks: [try #require(CIDR("10.0.0.0/16"))])
    let pod = try #require(NodePlan.egress("default", "web", "2600:1f18:1:2:3::1", settings))
    #expect(pod.address.description == "169.254.172.3")
    plan.pods = [pod]
    #expect(plan.routes.contains { $0.device == plan.veth(pod) })
    let tables = plan.netfilter().save
    #expect(tables.contains("-A POSTROUTING -s 169.254.172.3/32"))
    #expect(tables.contains("-j SNAT --to-source 10.0.1.20"))
    #expect(!tables.contains("AWS-SNAT-CHAIN-0") && !tables.contains("CONNMARK"))
    let without = CNISettings(environment: ["ENABLE_IPv6": "true", "ENABLE_V4_EGRESS": "false"])
    #expect(NodePlan.egress("default", "web", "2600:1f18:1:2:3::1", without) == nil)
    #expect(NodePlan.egress("default", "web", "10.0.1.30", settings) == nil)
  }
}
