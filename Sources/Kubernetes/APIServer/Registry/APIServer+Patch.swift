import Wire
import World

extension APIServer {
  func patch(_ exchange: Exchange, _ row: KubeResource, part: Part = .main) throws(KubeStatus) -> Answer {
    let type = exchange.mediaType
    guard PatchForms.known.contains(type) else { throw .unsupportedMediaType(PatchForms.known) }
    let patch = try patchBody(exchange)
    exchange.requestObject = patch
    let key = key(exchange, row)
    if type == "application/apply-patch+yaml" { return try apply(patch, exchange, row, part: part) }
    guard let old = store(row.qualifiedName)[key] else { throw .notFound(row.groupResource, key.name) }
    var object = try patched(try shown(old.json, row, exchange), by: patch, type, row)
    try check(&object, as: row.gvk, exchange)
    if let name = object["metadata"]["name"].string, name != key.name {
      throw .badRequest("the name of the object (\(name)) does not match the name on the URL (\(key.name))")
    }
    return try write(renderer.storable(object, row), over: old, exchange, row, part: part)
  }

  func patchBody(_ exchange: Exchange) throws(KubeStatus) -> JSON {
    switch exchange.request.body {
    case .none: throw .badRequest("error decoding patch: EOF")
    case .json(let json): return json
    case .bytes(let bytes):
      guard bytes.count <= APIServer.bodyLimit else { throw .tooLargeBody("limit is \(APIServer.bodyLimit)") }
      if exchange.mediaType == "application/apply-patch+yaml" {
        var duplicates: [YAML.Duplicate] = []
        let json = try yaml(bytes, &duplicates)
        exchange.yamlFaults = duplicates.map(\.text)
        return json
      }
      do throws(JSONError) { return try JSON.parse(bytes) } catch {
        throw .badRequest("error decoding patch: \(error)")
      }
    }
  }
}

enum PatchForms {
  static let known = [
    "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
  ]
}
