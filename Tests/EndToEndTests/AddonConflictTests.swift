import Evidence
import Foundation
import Testing
import Wire

/// Add-ons against fields that others own, by the real clients: each mode, what is answered, and what stays after.
@Suite(.serialized, .enabled(if: Clients.both))
struct AddonConflictTests {
  @Test func noneOverwritePreserve() async throws {
    let cluster = try await QuickCluster(nodes: 1)
    let eks = cluster.eks
    let environment = eks.environment.merging(["KUBECONFIG": "\(eks.state)/kubeconfig"]) { $1 }
    func kubectl(_ line: String) throws -> Outcome {
      try eks.kubectlOutcome(line, environment: ["KUBECONFIG": "\(eks.state)/kubeconfig"])
    }
    func addon() throws -> JSON {
      try eks.aws("eks describe-addon --cluster-name demo --addon-name coredns")["addon"]
    }
    func settled() async throws -> JSON {
      for _ in 0..<100 {
        let now = try addon()
        if !["CREATING", "UPDATING"].contains(now["status"].string ?? "") { return now }
      }
      return try addon()
    }
    func why() throws -> JSON {
      try JSON.parse(
        try Shell.run(LocalEKSProcess.binary, ["addon/coredns", "-o", "json"], environment: environment).output)
    }
    func replicas() throws -> String {
      try kubectl("-n kube-system get deploy coredns -o jsonpath={.spec.template.spec.priorityClassName}").output
    }
    let take =
      #"-n kube-system patch deployment coredns --type merge -p {"spec":{"template":{"spec":{"priorityClassName":"system-node-critical"}}}}"#

    // The self-managed one differs from the add-on: it may not take it over unless it is told to.
    #expect(try kubectl(take).status == 0)
    try eks.aws("eks create-addon --cluster-name demo --addon-name coredns")
    let failed = try await settled()
    #expect(failed["status"].string == "CREATE_FAILED")
    #expect(failed["health"]["issues"][0]["code"].string == "ConfigurationConflict")
    let answer = try why()
    #expect(answer["roots"][0]["code"].string?.hasPrefix("ownership/addon-") == true, "\(answer.text())")
    #expect(answer.text().contains("kubectl"))
    #expect(try replicas() == "system-node-critical")

    let command = try #require(answer["roots"][0]["fix"].items.compactMap { $0["command"].string }.first)
    #expect(command.contains("OVERWRITE"))
    #expect(try Shell.run("sh", ["-c", command], environment: environment).status == 0)
    #expect(try await settled()["status"].string == "ACTIVE")
    #expect(try replicas() == "system-cluster-critical")
    #expect(try why()["status"].string == "healthy")

    // Taken again, and kept.
    #expect(try kubectl(take).status == 0)
    #expect(try why().text().contains("priorityClassName"))
    try eks.aws("eks update-addon --cluster-name demo --addon-name coredns")
    let refused = try await settled()
    #expect(refused["status"].string == "UPDATE_FAILED")
    try eks.aws("eks update-addon --cluster-name demo --addon-name coredns --resolve-conflicts PRESERVE")
    #expect(try await settled()["status"].string == "ACTIVE")
    #expect(try replicas() == "system-node-critical")

    // Without its add-on it stays where that is asked for, and goes where it isn't.
    try eks.aws("eks delete-addon --cluster-name demo --addon-name coredns --preserve")
    try eks.aws("eks wait addon-deleted --cluster-name demo --addon-name coredns")
    #expect(try kubectl("-n kube-system get deploy coredns").status == 0)
    try eks.aws("eks create-addon --cluster-name demo --addon-name coredns --resolve-conflicts OVERWRITE")
    #expect(try await settled()["status"].string == "ACTIVE")
    try eks.aws("eks delete-addon --cluster-name demo --addon-name coredns")
    try eks.aws("eks wait addon-deleted --cluster-name demo --addon-name coredns")
    #expect(try kubectl("-n kube-system get deploy coredns").status != 0)
  }
}
