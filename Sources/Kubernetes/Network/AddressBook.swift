import Mechanisms
import Wire

/// Lets kube-proxy's choice, which is made among IPv4 addresses, be made among IPv6 ones: each has a number for as
/// long as the choice takes.
struct AddressBook {
  /// 240.0.0.0/4 is nobody's.
  private static let base = IPv4Address(bits: 0xf000_0000)
  private var texts: [String] = []

  private mutating func number(_ text: String) -> String {
    guard text.contains(":") else { return text }
    texts.append(text)
    return "\(AddressBook.base + (texts.count - 1))"
  }

  /// The text that an address stands for; its own where it stands for none.
  func text(of address: IPv4Address) -> String {
    let place = Int(address.bits) - Int(AddressBook.base.bits)
    return texts.indices.contains(place) ? texts[place] : "\(address)"
  }

  /// A Service or an EndpointSlice with numbers in the place of its IPv6 addresses.
  mutating func replaced(_ object: JSON) -> JSON {
    var object = object
    if let address = object["spec"]["clusterIP"].string, address.contains(":") {
      object["spec"]["clusterIP"] = .string(number(address))
    }
    guard object["addressType"].string == "IPv6" else { return object }
    object["addressType"] = "IPv4"
    object["endpoints"].changeEach { endpoint in
      endpoint["addresses"] = .array(endpoint["addresses"].strings.map { .string(number($0)) })
    }
    return object
  }
}
