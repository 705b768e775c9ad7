import Mechanisms
package import Wire

/// One end of a trace as it is asked for: `pod/web-1`, `svc/web:80`, `node/ip-…`, `apiserver`, `imds`, `10.0.1.20:443`.
package struct TraceEnd: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    case pod(String)
    case service(String)
    case node(String)
    case apiServer
    case metadata
    case address(IPv4Address)
  }

  package var kind: Kind
  package var port: UInt16?
  /// A Service's port by its name.
  package var portName: String?

  init(_ kind: Kind, port: UInt16? = nil) {
    self.kind = kind
    self.port = port
  }

  /// nil for what is none of these.
  package init?(_ text: String) {
    var text = text
    if let colon = text.lastIndex(of: ":") {
      let tail = String(text[text.index(after: colon)...])
      guard !tail.isEmpty else { return nil }
      if let number = UInt16(tail) { port = number } else { portName = tail }
      text = String(text[..<colon])
    }
    switch text.lowercased() {
    case "apiserver", "api-server": kind = .apiServer
    case "imds", "metadata": kind = .metadata
    default:
      if let address = IPv4Address(text) {
        kind = .address(address)
        return
      }
      guard let subject = Subject(words: [text], namespace: nil) else { return nil }
      switch subject.kind {
      case "pod": kind = .pod(subject.name)
      case "service": kind = .service(subject.name)
      case "node": kind = .node(subject.name)
      default: return nil
      }
    }
  }
}
