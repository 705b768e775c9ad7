import Testing
import Wire

@Suite struct ResourceTableTests {
  @Test func lookups() throws {
    let table = ResourceTable.for(KubernetesVersion(minor: 33))
    let deployments = try #require(table["apps", "v1", "deployments"])
    #expect(deployments.kind == "Deployment" && deployments.listKind == "DeploymentList")
    #expect(deployments.shortNames == ["deploy"] && deployments.categories == ["all"] && deployments.namespaced)
    #expect(deployments.subresource("scale")?.gvk.apiVersion == "autoscaling/v1")
    #expect(deployments.path(namespace: "x") == "/apis/apps/v1/namespaces/x/deployments")
    #expect(
      table[GroupVersionKind(group: "", version: "v1", kind: "Pod")]?.subresource("eviction")?.gvk.group == "policy")
    #expect(table[GroupVersionKind(group: "", version: "v1", kind: "Node")]?.path(namespace: nil) == "/api/v1/nodes")
    #expect(table["", "v1", "nothing"] == nil)
    #expect(table.preferred(group: "autoscaling", plural: "horizontalpodautoscalers")?.version == "v2")
  }

  @Test func versionsHaveTheirOwnKinds() {
    let old = ResourceTable.for(KubernetesVersion(minor: 32))
    let new = ResourceTable.for(KubernetesVersion(minor: 36))
    #expect(old["networking.k8s.io", "v1", "ipaddresses"] == nil)
    #expect(new["networking.k8s.io", "v1", "ipaddresses"] != nil)
    #expect(old["", "v1", "pods"]?.subresource("resize") == nil)
    #expect(new["", "v1", "pods"]?.subresource("resize") != nil)
    #expect(old.resources.count < new.resources.count)
    #expect(ResourceTable.for(KubernetesVersion(minor: 40)).resources == new.resources)
  }

  @Test(arguments: [("1.33", 33), ("v1.34.2-eks-1", 34), ("1.36.1", 36)])
  func versions(_ text: String, _ minor: Int) { #expect(KubernetesVersion(text)?.minor == minor) }

  @Test(arguments: ["", "2.1", "1", "v"])
  func noVersions(_ text: String) { #expect(KubernetesVersion(text) == nil) }
}
