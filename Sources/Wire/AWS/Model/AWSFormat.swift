/// How a service's requests and answers are written.
package enum AWSFormat: String, Sendable {
  /// `Action=…` forms, XML answers with a result element.
  case query
  /// EC2's kind of query: lists without `member`, flat answers.
  case ec2
  /// JSON bodies, members in path, query and headers.
  case restJSON = "rest-json"
  /// JSON bodies, operation in `X-Amz-Target`.
  case json
  /// XML bodies, members in path, query and headers.
  case restXML = "rest-xml"

  /// CBOR bodies, service and operation in the path: smithy's RPC protocol.
  case cbor = "smithy-rpc-v2-cbor"

  package var isQuery: Bool { self == .query || self == .ec2 }
}
