import Wire

extension RoutingRule {
  /// As `ip rule` prints it.
  package var text: String {
    var out = "\(priority):\tfrom \(source.map { RoutingText.block($0) } ?? "all")"
    if let destination { out += " to \(RoutingText.block(destination))" }
    if let mark {
      out += " fwmark \(NetfilterRule.hexadecimal(mark))"
      if mask != 0xffff_ffff { out += "/\(NetfilterRule.hexadecimal(mask))" }
    }
    if let input { out += " iif \(input)" }
    return out + " lookup \(RoutingText.table(table))"
  }

  /// What `ip rule add` takes.
  package var arguments: String {
    var out = "pref \(priority) from \(source?.description ?? "all")"
    if let destination { out += " to \(destination)" }
    if let mark { out += " fwmark \(NetfilterRule.hexadecimal(mark))/\(NetfilterRule.hexadecimal(mask))" }
    if let input { out += " iif \(input)" }
    return out + " lookup \(table)"
  }

  /// Reads a line of `ip rule`; nil for what isn't modelled.
  package init?(line: String) {
    let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    guard let first = words.first, first.hasSuffix(":"), let priority = Int(first.dropLast()) else { return nil }
    self.init(priority, lookup: -1)
    var at = 1
    while at < words.count {
      let value = at + 1 < words.count ? words[at + 1] : ""
      switch words[at] {
      case "from", "to":
        if value != "all" {
          guard let block = RoutingText.block(value) else { return nil }
          if words[at] == "from" { source = block } else { destination = block }
        }
      case "fwmark":
        let parts = value.split(separator: "/")
        mark = parts.first.flatMap { NetfilterRule.number($0) }
        if parts.count == 2 { mask = NetfilterRule.number(parts[1]) ?? mask }
      case "iif": input = value
      case "lookup", "table":
        guard let table = RoutingText.table(value) else { return nil }
        self.table = table
      // The kernel's own bookkeeping of who made a rule.
      case "proto", "protocol": break
      default: return nil
      }
      at += 2
    }
    guard table >= 0 else { return nil }
  }
}

extension Route {
  /// As `ip route show table all` prints it.
  package var text: String {
    var out = kind == .unicast ? "" : kind.rawValue + " "
    out += destination.length == 0 ? "default" : RoutingText.block(destination)
    if let gateway { out += " via \(gateway)" }
    if !device.isEmpty { out += " dev \(device)" }
    if table != RoutingTables.main { out += " table \(RoutingText.table(table))" }
    if gateway == nil, kind == .unicast { out += " scope link" }
    if let preferredSource { out += " src \(preferredSource)" }
    if metric > 0 { out += " metric \(metric)" }
    return out
  }

  /// Reads a line of `ip route show`; nil for what isn't modelled, such as several next hops.
  package init?(line: String) {
    var words = line.split(separator: " ").map(String.init)
    var kind = Kind.unicast
    if let first = words.first, let named = Kind(rawValue: first) {
      kind = named
      words.removeFirst()
    }
    guard let first = words.first else { return nil }
    guard let block = first == "default" ? CIDR.everything : RoutingText.block(first) else { return nil }
    self.init(block, kind: kind)
    var at = 1
    while at < words.count {
      let value = at + 1 < words.count ? words[at + 1] : ""
      switch words[at] {
      case "via": gateway = IPv4Address(value)
      case "dev": device = value
      case "src": preferredSource = IPv4Address(value)
      case "metric": metric = Int(value) ?? 0
      case "table": table = RoutingText.table(value) ?? table
      case "nexthop": return nil
      case "onlink", "linkdown", "dead":
        at += 1
        continue
      default: break
      }
      at += 2
    }
  }
}

enum RoutingText {
  static func block(_ block: CIDR) -> String { block.length == 32 ? block.base.description : block.description }

  static func block(_ text: String) -> CIDR? { CIDR(text) ?? IPv4Address(text).map { CIDR($0, length: 32) } }

  static func table(_ number: Int) -> String {
    switch number {
    case RoutingTables.local: "local"
    case RoutingTables.main: "main"
    case RoutingTables.defaults: "default"
    default: String(number)
    }
  }

  static func table(_ name: String) -> Int? {
    switch name {
    case "local": RoutingTables.local
    case "main": RoutingTables.main
    case "default": RoutingTables.defaults
    default: Int(name)
    }
  }
}
