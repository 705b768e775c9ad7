import Mechanisms
import Testing

@Suite struct MaxPodsTests {
  @Test(arguments: [
    ("m5.large", 29, 434, 110), ("t3.medium", 17, 242, 110), ("c5.9xlarge", 234, 3714, 250),
    ("m5.24xlarge", 737, 11762, 250),
  ])
  func formula(type: String, plain: Int, prefixes: Int, capped: Int) throws {
    let limits = try #require(InstanceLimits.named(type))
    #expect(MaxPods.formula(limits) == plain)
    #expect(MaxPods.formula(limits, prefixDelegation: true) == prefixes)
    #expect(MaxPods.recommended(limits, prefixDelegation: true) == capped)
  }

  @Test func customNetworking() throws {
    let limits = try #require(InstanceLimits.named("m5.large"))
    #expect(MaxPods.formula(limits, customNetworking: true) == 20)
    #expect(MaxPods.formula(limits, prefixDelegation: true, customNetworking: true) == 290)
  }

  @Test(arguments: [
    ("t3.micro", 4, 299), ("t3.small", 11, 376), ("t3.medium", 17, 442), ("m5.large", 29, 574), ("m5.xlarge", 58, 893),
    ("m5.4xlarge", 234, 2829), ("c5.18xlarge", 737, 8362),
  ])
  func reservedMemory(type: String, pods: Int, memory: Int) {
    #expect(MaxPods.nodeadm(type) == pods)
    #expect(MaxPods.kubeReservedMemory(maxPods: pods) == memory)
  }

  @Test(arguments: [(1, 60), (2, 70), (4, 80), (8, 90), (16, 110), (48, 190), (96, 310)])
  func reservedCPU(cores: Int, millicores: Int) { #expect(MaxPods.kubeReservedCPU(vCPUs: cores) == millicores) }

  @Test func unknownTypes() { #expect(MaxPods.nodeadm("z9.huge") == 110) }
}
