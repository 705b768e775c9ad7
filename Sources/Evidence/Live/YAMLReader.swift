package import Wire
import Yams

/// YAML as JSON: of kubeconfig files and of texts inside Kubernetes objects.
package enum YAMLReader {
  package struct Fault: Error, CustomStringConvertible { package var description: String }

  package static func parse(_ text: String) throws -> JSON {
    let node: Node?
    do { node = try Yams.compose(yaml: text) } catch { throw Fault(description: "\(error)") }
    return node.map { value($0, depth: 0) } ?? .null
  }

  private static func value(_ node: Node, depth: Int) -> JSON {
    guard depth < 100 else { return .null }
    switch node {
    case .mapping(let mapping):
      var object = JSONObject()
      for (key, element) in mapping { object.append(key.string ?? "", value(element, depth: depth + 1)) }
      return .object(object)
    case .sequence(let sequence): return .array(sequence.map { value($0, depth: depth + 1) })
    case .scalar(let scalar):
      if scalar.style == .plain || scalar.style == .any {
        if node.null != nil { return .null }
        if let bool = node.bool, ["true", "false"].contains(scalar.string.lowercased()) { return .bool(bool) }
        if let int = node.int { return .int(Int64(int)) }
        if let double = node.float { return .double(double) }
      }
      return .string(scalar.string)
    case .alias: return .null
    }
  }
}
