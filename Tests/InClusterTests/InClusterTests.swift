import InCluster
import Testing
import Wire
import World

@Suite("What EKS puts into a cluster")
struct AddonObjectsTests {
  @Test("Manifests are filled in and complete")
  func manifests() {
    let facts = ClusterFacts(
      id: "AB", name: "demo", account: "111122223333", region: "eu-west-1", version: "1.33", platformVersion: "eks.1",
      serviceCIDR: "172.20.0.0/16", vpcID: "vpc-7", endpoint: "https://localhost:7")
    let objects = [
      ("", ""), ("vpc-cni", "v1.20.4-eksbuild.1"), ("coredns", "v1.12.3-eksbuild.1"),
      ("kube-proxy", "v1.33.0-eksbuild.2"),
    ].flatMap { AddonObjects.of(AddonOrder(cluster: facts, name: $0.0, version: $0.1)) }
    func object(_ kind: String, _ name: String) -> JSON {
      objects.first { $0["kind"].string == kind && $0["metadata"]["name"].string == name } ?? .null
    }
    #expect(object("Service", "kube-dns")["spec"]["clusterIP"].string == "172.20.0.10")
    let node = object("DaemonSet", "aws-node")["spec"]["template"]["spec"]["containers"][0]
    #expect(node["image"].string?.hasPrefix("602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:") == true)
    let environment = node["env"].items
    #expect(environment.first { $0["name"].string == "CLUSTER_NAME" }?["value"].string == "demo")
    #expect(environment.first { $0["name"].string == "VPC_ID" }?["value"].string == "vpc-7")
    #expect(environment.first { $0["name"].string == "WARM_ENI_TARGET" }?["value"].string == "1")
    #expect(object("Deployment", "coredns")["metadata"]["labels"]["kubernetes.io/name"].string == "CoreDNS")
    let proxy = object("DaemonSet", "kube-proxy")["spec"]["template"]["spec"]["containers"][0]
    #expect(proxy["image"].string?.hasSuffix("/eks/kube-proxy:v1.33.0-minimal-eksbuild.2") == true)
    #expect(
      object("ConfigMap", "kube-proxy")["data"]["kubeconfig"].string?.contains("server: https://localhost:7") == true)
  }
}
