import Testing
import Wire

@Suite struct DiscoveryTests {
  static let version = KubernetesVersion(minor: 36)
  static let table = ResourceTable.for(version)

  private func recorded(_ name: String) throws -> String {
    try JSON.parse(repositoryFile("Tools/data/kubernetes/\(name).json")).text(.pretty)
  }

  @Test func asRecorded() throws {
    #expect(try Discovery.aggregated(Self.table, core: true).text(.pretty) == recorded("api-v2"))
    #expect(try Discovery.aggregated(Self.table, core: false).text(.pretty) == recorded("apis-v2"))
    #expect(try Discovery.groupList(Self.table).text(.pretty) == recorded("apis-legacy"))
    let core = GroupVersion(group: "", version: "v1")
    #expect(try Discovery.resourceList(core, Self.table)?.text(.pretty) == recorded("api-v1-legacy"))
  }

  @Test func missing() {
    #expect(Discovery.group("nope", Self.table) == nil)
    #expect(Discovery.resourceList(GroupVersion(group: "apps", version: "v2"), Self.table) == nil)
    #expect(Discovery.group("autoscaling", Self.table)?["preferredVersion"]["version"].string == "v2")
    let list = Discovery.resourceList(GroupVersion(group: "apps", version: "v1"), Self.table)
    #expect(list?["apiVersion"].string == "v1")
  }

  @Test func openAPI() throws {
    let gvk = GroupVersionKind(group: "example.com", version: "v1", kind: "Widget")
    let row = KubeResource(
      group: "example.com", version: "v1", plural: "widgets", singular: "widget", kind: "Widget", namespaced: true)
    let documents = OpenAPI(
      ResourceTable(Self.table.resources + [row]), .for(Self.version), version: Self.version,
      custom: [gvk: ["type": "object", "properties": ["spec": ["type": "object"]]]])
    let apps = documents.document(GroupVersion(group: "apps", version: "v1"))
    let patch = apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    #expect(patch["parameters"].items.contains { $0["name"].string == "fieldValidation" })
    #expect(patch["x-kubernetes-group-version-kind"]["kind"].string == "Deployment")
    let schemas = apps["components"]["schemas"]
    let containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    #expect(containers["x-kubernetes-patch-merge-key"].string == "name")
    // Every reference leads somewhere.
    for name in references(apps) { #expect(schemas.has(name), "\(name)") }
    let widgets = documents.document(GroupVersion(group: "example.com", version: "v1"))
    #expect(widgets["components"]["schemas"]["com.example.v1.Widget"]["properties"]["spec"]["type"].string == "object")
    for name in references(widgets) { #expect(widgets["components"]["schemas"].has(name), "\(name)") }
    #expect(documents.documents.map(\.path).contains("apis/apps/v1"))
    #expect(
      OpenAPI.index([("api/v1", "AB")])["paths"]["api/v1"]["serverRelativeURL"].string
        == "/openapi/v3/api/v1?hash=AB")
    let v2 = documents.v2()
    for name in references(v2) { #expect(v2["definitions"].has(name), "\(name)") }
  }

  private func references(_ json: JSON) -> Set<String> {
    switch json {
    case .array(let array): return array.reduce(into: []) { $0.formUnion(references($1)) }
    case .object(let object):
      if let target = object["$ref"].string { return [String(target.split(separator: "/").last ?? "")] }
      return object.fields.reduce(into: []) { $0.formUnion(references($1.value)) }
    default: return []
    }
  }
}
