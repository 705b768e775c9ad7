package import Wire

/// Values of Kubernetes' libraries.
package enum LibraryValue: Sendable {
  case quantity(Quantity)
  case ip(IPAddress)
  case cidr(IPAddress, length: Int)
  case url(URLValue)
  case semver(SemanticVersion)
  case format(String)
  case authorizer(Authorizer)
  case built(BuiltObject)

  var typeName: String {
    switch self {
    case .quantity: "kubernetes.Quantity"
    case .ip: "net.IP"
    case .cidr: "net.CIDR"
    case .url: "kubernetes.URL"
    case .semver: "kubernetes.Semver"
    case .format: "kubernetes.NamedFormat"
    case .authorizer(let authorizer): authorizer.typeName
    case .built(let object): object.type
    }
  }

  var size: UInt64 {
    switch self {
    case .ip(let address), .cidr(let address, _): UInt64(address.bytes.count)
    default: 1
    }
  }

  /// What `string()` makes of it; nil where it makes nothing.
  var text: String? {
    switch self {
    case .ip(let address): address.text
    case .cidr(let address, let length): "\(address.text)/\(length)"
    default: nil
    }
  }

  var json: JSON? {
    if case .built(let object) = self { object.json } else { nil }
  }

  func isEqual(to other: LibraryValue) -> Bool {
    switch (self, other) {
    case (.quantity(let a), .quantity(let b)): a.nano == b.nano
    case (.ip(let a), .ip(let b)): a == b
    case (.cidr(let a, let n), .cidr(let b, let m)): a == b && n == m
    case (.url(let a), .url(let b)): a.text == b.text
    case (.semver(let a), .semver(let b)): a.order(b) == 0
    case (.format(let a), .format(let b)): a == b
    case (.built(let a), .built(let b)): a.json == b.json
    default: false
    }
  }
}

/// `Object{…}` and `JSONPatch{…}`.
package struct BuiltObject: Sendable {
  package var type: String
  package var fields: [(name: String, value: Value)]

  package var json: JSON? {
    var object = JSONObject()
    for (name, value) in fields {
      guard let json = value.json else { return nil }
      object.append(name, json)
    }
    return .object(object)
  }
}
