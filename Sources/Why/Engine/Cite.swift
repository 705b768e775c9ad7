package import Evidence
package import Mechanisms
package import Wire

/// Citations of what was read.
package enum Cite {
  /// A field of a Kubernetes object; the whole object without one.
  package static func object(
    _ object: JSON, _ kind: String, resource: KubernetesResource, field: String = "", value: String = "",
    at: Timestamp?
  ) -> Citation {
    let metadata = object["metadata"]
    let path = [resource.fileName, metadata["namespace"].string, metadata["name"].string].compactMap { $0 }
    return Citation(
      source: "kubernetes", locator: path.joined(separator: "/"), field: field, value: value, at: at)
  }

  /// A field of what an AWS operation answered.
  package static func aws(
    _ call: AWSCall, _ id: String = "", field: String = "", value: String = "", at: Timestamp?
  ) -> Citation {
    Citation(
      source: "aws:\(call.service)", locator: id.isEmpty ? call.action : "\(call.action) \(id)", field: field,
      value: value, at: at)
  }
}

extension JSON {
  /// A time in either of AWS's and Kubernetes' forms: RFC 3339 text, or seconds since 1970.
  var time: Timestamp? {
    switch self {
    case .string(let text): Timestamp(rfc3339: text)
    case .int(let seconds): Timestamp(seconds: seconds)
    case .double(let seconds): Timestamp(microseconds: Int64(seconds * 1_000_000))
    default: nil
    }
  }
}
