package import Wire

/// What a name in the cluster's zone asks for.
///
/// Source: coredns/coredns `plugin/kubernetes/parse.go`, `reverse.go`.
package enum ClusterQuery: Hashable, Sendable {
  /// The zone itself, or one of the two branches below it: there, without data.
  case apex
  /// `dns-version.ZONE`.
  case version
  case namespace(String)
  case service(name: String, namespace: String, endpoint: String?, port: String?, transport: String?)
  /// `10-0-1-23.NAMESPACE.pod.ZONE`.
  case pod(label: String, namespace: String)
  case reverse(IPv4Address)
  /// Nothing that could be there.
  case invalid

  /// Both canonical; the zone holds the name.
  package init(_ name: String, zone: String) {
    if zone.hasSuffix(".arpa") || zone == "arpa" {
      self = DNSName.address(reversed: name).map { .reverse($0) } ?? .invalid
      return
    }
    let base = zone.isEmpty ? name : String(name.dropLast(zone.utf8.count + (name == zone ? 0 : 1)))
    if base.isEmpty || base == "svc" || base == "pod" {
      self = .apex
      return
    }
    var labels = DNSName.labels(base)
    if labels == ["dns-version"] {
      self = .version
      return
    }
    guard let branch = labels.popLast(), branch == "svc" || branch == "pod" else {
      self = .invalid
      return
    }
    guard let namespace = labels.popLast() else {
      self = .apex
      return
    }
    guard let service = labels.popLast() else {
      self = .namespace(namespace)
      return
    }
    if branch == "pod" {
      self = labels.isEmpty ? .pod(label: service, namespace: namespace) : .invalid
      return
    }
    func bare(_ label: String) -> String { label.hasPrefix("_") ? String(label.dropFirst()) : label }
    switch labels.count {
    case 0: self = .service(name: service, namespace: namespace, endpoint: nil, port: nil, transport: nil)
    case 1: self = .service(name: service, namespace: namespace, endpoint: labels[0], port: nil, transport: nil)
    case 2:
      self = .service(
        name: service, namespace: namespace, endpoint: nil, port: bare(labels[0]), transport: bare(labels[1]))
    default: self = .invalid
    }
  }

  /// The address that a pod's label stands for.
  package static func address(label: String) -> String? {
    if label.utf8.count(where: { $0 == 0x2d }) == 3, !label.contains("--") {
      return IPv4Address(label.replacing("-", with: ".")).map(\.description)
    }
    let text = label.replacing("-", with: ":")
    return IPv6Text.isValid(text) ? text : nil
  }
}
