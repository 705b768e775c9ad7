/// An operation of a service.
package final class AWSOperation: Sendable {
  package let name: String
  package let method: String
  /// The path template with its query, as `/clusters/{name}/updates`.
  package let uri: String
  package let input: AWSShape?
  package let output: AWSShape?
  package let errors: [AWSShape]
  /// The HTTP status of success.
  package let status: Int
  /// The element around the result in the query protocol.
  package let resultWrapper: String?
  /// The element around the input in rest-xml, and its namespace.
  package let inputElement: String?
  package let inputNamespace: String?
  /// Called without a signature, as AssumeRoleWithWebIdentity.
  package let isUnsigned: Bool
  package let pagination: AWSPagination?
  let template: URITemplate

  init(
    name: String, method: String, uri: String, input: AWSShape?, output: AWSShape?, errors: [AWSShape],
    attributes: [String: String]
  ) {
    self.name = name
    self.method = method
    self.uri = uri
    self.input = input
    self.output = output
    self.errors = errors
    status = attributes["status"].flatMap { Int($0) } ?? 200
    resultWrapper = attributes["wrapper"]
    inputElement = attributes["element"]
    inputNamespace = attributes["namespace"]
    isUnsigned = attributes["unsigned"] != nil
    pagination = AWSPagination(attributes)
    template = URITemplate(uri)
  }

  /// The error of that code as the service's model has it.
  package func error(_ code: String) -> AWSShape? { errors.first { $0.name == code || $0.errorCode == code } }
}

/// How the pages of an operation follow each other. Paths are of member names; `||` parts alternatives.
package struct AWSPagination: Sendable {
  package let inputTokens: [String]
  package let outputTokens: [String]
  package let moreResults: String?
  package let limitKey: String?
  package let resultKeys: [String]

  init?(_ attributes: [String: String]) {
    guard let input = attributes["tokenin"], let output = attributes["tokenout"] else { return nil }
    inputTokens = input.split(separator: ",").map(String.init)
    outputTokens = output.split(separator: ",").map(String.init)
    moreResults = attributes["more"]
    limitKey = attributes["limit"]
    resultKeys = attributes["pages"]?.split(separator: ",").map(String.init) ?? []
  }
}

/// A path with places for members, as `/clusters/{name}/updates?x`; `{key+}` takes slashes too.
struct URITemplate: Sendable {
  enum Segment: Sendable, Equatable {
    case fixed(String)
    case member(String)
    case rest(String)
  }

  let segments: [Segment]
  /// Fixed query parameters that tell operations on one path apart.
  let query: [(name: String, value: String)]
  let endsInSlash: Bool

  init(_ uri: String) {
    let parts = uri.split(separator: "?", maxSplits: 1)
    let path = parts.first ?? ""
    segments = path.split(separator: "/").map { part in
      guard part.first == "{", part.last == "}" else { return .fixed(String(part)) }
      let name = part.dropFirst().dropLast()
      return name.last == "+" ? .rest(String(name.dropLast())) : .member(String(name))
    }
    query = parts.count > 1 ? PercentEncoding.pairs(String(parts[1])) ?? [] : []
    endsInSlash = path.count > 1 && path.last == "/"
  }

  /// The members that a raw path gives, percent-encoding removed; nil when the path is another's.
  func match(_ path: [Substring]) -> [(name: String, value: String)]? {
    var found: [(name: String, value: String)] = []
    for (index, segment) in segments.enumerated() {
      switch segment {
      case .rest(let name):
        guard path.count > index, let value = PercentEncoding.decode(path[index...].joined(separator: "/"))
        else { return nil }
        found.append((name, value))
        return found
      case .fixed(let text):
        guard index < path.count, path[index] == text else { return nil }
      case .member(let name):
        guard index < path.count, let value = PercentEncoding.decode(path[index]) else { return nil }
        found.append((name, value))
      }
    }
    return path.count == segments.count ? found : nil
  }

  /// Greater where more of the path is fixed; decides between two that match.
  var rank: Int {
    segments.reduce(0) { rank, segment in if case .fixed = segment { rank + 1 } else { rank } } + query.count
  }
}
