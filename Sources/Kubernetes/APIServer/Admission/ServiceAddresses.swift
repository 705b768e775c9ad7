import Wire

/// The addresses and ports of a cluster's Services that are taken.
final class ServiceAddresses {
  static let nodePorts = 30000...32767

  private var addresses: Set<UInt32> = []
  private var addresses6: Set<IPv6Address> = []
  private var ports: [Int: Int] = [:]

  func service(old: StoredObject?, new: StoredObject?) {
    if let old { change(old.json["spec"], by: -1) }
    if let new { change(new.json["spec"], by: 1) }
  }

  private func change(_ spec: JSON, by count: Int) {
    if let address = spec["clusterIP"].string.flatMap(IPv4Address.init(_:)) {
      if count > 0 { addresses.insert(address.bits) } else { addresses.remove(address.bits) }
    }
    if let address = spec["clusterIP"].string.flatMap({ IPv6Address($0) }) {
      if count > 0 { addresses6.insert(address) } else { addresses6.remove(address) }
    }
    for port in ServiceAddresses.ports(spec) { ports[port, default: 0] += count }
  }

  private static func ports(_ spec: JSON) -> [Int] {
    spec["ports"].items.compactMap { $0["nodePort"].int } + [spec["healthCheckNodePort"].int].compactMap { $0 }
  }

  func isTaken(_ address: IPv4Address) -> Bool { addresses.contains(address.bits) }
  func isTaken(_ address: IPv6Address) -> Bool { addresses6.contains(address) }
  func isTaken(port: Int) -> Bool { ports[port, default: 0] > 0 }

  /// The place of a free address in the upper part of a block of so many, which is kept for those that are not asked
  /// for.
  func freePlace(among count: Int, from start: Int, isTaken: (Int) -> Bool) -> Int? {
    // The lower part, up to 256 addresses, is left to Services that ask for theirs (KEP-3070).
    let offset = min(max(16, count / 16), 256)
    let usable = count - 2
    guard usable > 0 else { return nil }
    let upper = max(usable - offset, 0)
    for step in 0..<upper {
      let place = 1 + offset + (start + step) % upper
      if !isTaken(place) { return place }
    }
    for place in 1...min(offset, usable) where !isTaken(place) { return place }
    return nil
  }

  func freePort(from start: Int) -> Int? {
    let count = ServiceAddresses.nodePorts.count
    for step in 0..<count {
      let port = ServiceAddresses.nodePorts.lowerBound + (start + step) % count
      if !isTaken(port: port) { return port }
    }
    return nil
  }
}
