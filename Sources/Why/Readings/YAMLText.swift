import Evidence
import Wire

/// YAML inside of Kubernetes objects, as JSON.
enum YAMLText {

  static func parse(_ text: String) throws -> JSON { try YAMLReader.parse(text) }
}
