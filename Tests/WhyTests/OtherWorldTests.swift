import Mechanisms
import Testing
import Why
import Wire

/// In worlds without the VPC CNI and kube-proxy, no link about them speaks.
@Suite struct OtherWorldTests {
  static let silent = ["vpc cni", "aws-node", "kube-proxy", "amazoneks_cni_policy", "ipamd"]

  func expectSilence(_ answer: Answer) {
    let text = (TextRenderer().render(answer) + answer.json.text()).lowercased()
    for word in OtherWorldTests.silent { #expect(!text.contains(word), "\(word) in \(text)") }
  }

  @Test func autoModeIsHealthyWithoutAWordOnTheVPCCNI() async throws {
    let answer = try await Fixture.autoMode().ask("node", Fixture.instanceID(1))
    #expect(answer.status == .healthy)
    expectSilence(answer)
  }

  @Test func ciliumIsHealthyWithoutAWordOnTheVPCCNI() async throws {
    let answer = try await Fixture.cilium().ask("node", Fixture.nodeName(1))
    #expect(answer.status == .healthy)
    expectSilence(answer)
  }

  @Test func anUninitializedNetworkUnderCiliumIsNotTheVPCCNIs() async throws {
    var f = Fixture.cilium()
    let pods = f.files["kubernetes/pods"]
    f.detachCNIPolicy()
    f.files["kubernetes/pods"] = pods
    f.edit("kubernetes/pods", named: "cilium-1") { pod in
      pod["status"]["conditions"] = [
        ["type": "Ready", "status": "False", "lastTransitionTime": "2026-11-22T12:00:15Z"]
      ]
      pod["status"]["containerStatuses"] = [
        [
          "name": "cilium-agent", "ready": false, "restartCount": 1,
          "state": ["waiting": ["reason": "CrashLoopBackOff"]],
        ]
      ]
    }
    let answer = try await f.ask("node", Fixture.nodeName(1))
    #expect(answer.status == .unproven)
    #expect(answer.chain.map(\.code).contains("addresses/other-cni-not-ready"))
    expectSilence(answer)
  }
}
