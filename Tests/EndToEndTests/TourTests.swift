import Foundation
import Testing

/// The tour needs nothing but the binary: it makes a world, breaks it in public ways, asks, fixes, asks again.
@Suite(.serialized)
struct TourTests {
  @Test func theTourProvesItsRootsAndDoubts() throws {
    var environment = ProcessInfo.processInfo.environment
    for name in environment.keys where name.hasPrefix("AWS_") || name == "KUBECONFIG" { environment[name] = nil }
    // No aws and no kubectl within reach.
    environment["PATH"] = "/nonexistent"
    let tour = try Shell.run(LocalEKSProcess.binary, ["tour"], environment: environment, limit: 120)
    #expect(tour.status == 0, "\(tour.all.suffix(2000))")
    let text = tour.output
    for line in [
      "$ aws eks create-cluster", "$ aws eks create-nodegroup",
      // A healthy node is explained first.
      "no fault found in node/ip-172-31-",
      // The mapping is gone: the role has neither entry nor line.
      "the cluster maps that role to no Kubernetes user", "the API server refuses its kubelet (401 Unauthorized)",
      "fix    aws eks create-access-entry --cluster-name demo",
      // The deciding evidence withheld.
      "root   not proved: the chain stops for want of eks:ListAccessEntries",
      // The CNI's permissions.
      "AmazonEKS_CNI_Policy isn't attached", "cni plugin not initialized",
      "fix    aws iam attach-role-policy --role-name",
      // The subnet.
      "failed to assign an IP address to container", "172.31.255.0/28",
      "would ask for 10 addresses at once",
      "On your own cluster, read-only:",
    ] { #expect(text.contains(line), "the tour doesn't say: \(line)") }
    #expect(text.contains("exit status 1, after"))
    #expect(text.contains("exit status 2, after"))
    #expect(text.contains("exit status 0, after"))
  }
}
