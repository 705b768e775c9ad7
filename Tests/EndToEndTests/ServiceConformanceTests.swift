import Foundation
import Testing
import Wire

/// What upstream's specs of Services ask of the network: every pod serves, node ports do, and clients stay.
@Suite(.serialized, .enabled(if: Clients.kubectl))
struct ServiceConformanceTests {
  @Test(
    "Services should serve a basic endpoint from pods, be functioning on node ports, and have session affinity work")
  func servesAndSticks() async throws {
    let cluster = try await QuickCluster()
    let eks = cluster.eks
    let image = "registry.k8s.io/e2e-test-images/agnhost:2.59"
    try eks.kubectl("create deploy web --image=\(image) --replicas=3 -- /agnhost serve-hostname")
    try eks.kubectl("expose deploy web --port=80 --target-port=9376 --type=NodePort")
    try eks.kubectl("run client --image=\(image) -- pause")
    try eks.kubectl("rollout status deploy/web --timeout=60s")
    try eks.kubectl("wait pod/client --for=condition=Ready --timeout=60s")
    let pods = Set(try eks.kubectl("get pods -l app=web -o jsonpath={.items[*].metadata.name}").split(separator: " "))
    let port = try eks.kubectl("get svc web -o jsonpath={.spec.ports[0].nodePort}")
    let node = try eks.kubectl("get nodes -o jsonpath={.items[0].status.addresses[0].address}")
    func answers(_ host: String, _ times: Int) throws -> Set<Substring> {
      let loop = "for i in $(seq \(times)); do curl -s --connect-timeout 2 http://\(host)/; echo; done"
      return Set(try eks.kubectl("exec client -- sh -c '\(loop)'").split(separator: "\n"))
    }
    for host in ["web", "\(node):\(port)"] {
      #expect(try answers(host, 40) == pods, "\(host)")
      try eks.kubectl("patch svc web -p '{\"spec\":{\"sessionAffinity\":\"ClientIP\"}}'")
      #expect(try answers(host, 20).count == 1, "\(host) keeps its clients")
      try eks.kubectl("patch svc web -p '{\"spec\":{\"sessionAffinity\":\"None\"}}'")
      #expect(try answers(host, 40) == pods, "\(host) again")
    }
  }
}
