import Wire

extension Functions {
  static let quantities: [String: Body] = [
    "quantity": { arguments, _ in
      text(arguments) { text in
        Quantity(text).map { .library(.quantity($0)) } ?? .failure(Quantity.parseError)
      }
    },
    "isQuantity": { arguments, _ in text(arguments) { .bool(Quantity($0) != nil) } },
    "sign": { arguments, _ in quantity(arguments) { .int($0.nano == 0 ? 0 : $0.nano < 0 ? -1 : 1) } },
    "isInteger": { arguments, _ in quantity(arguments) { .bool(whole($0) != nil) } },
    "asInteger": { arguments, _ in
      quantity(arguments) { whole($0).map { .int($0) } ?? .failure("cannot convert value to integer") }
    },
    "asApproximateFloat": { arguments, _ in quantity(arguments) { .double(Double($0.nano) / 1e9) } },
    "isGreaterThan": { arguments, _ in ordered(arguments) { .bool($0 > 0) } },
    "isLessThan": { arguments, _ in ordered(arguments) { .bool($0 < 0) } },
    "compareTo": { arguments, _ in ordered(arguments) { .int(Int64($0)) } },
    "add": { arguments, _ in changed(arguments) { $0 + $1 } },
    "sub": { arguments, _ in changed(arguments) { $0 - $1 } },
  ]

  private static func quantity(_ arguments: [Value], _ read: (Quantity) -> Value) -> Value {
    guard case .library(.quantity(let quantity)) = arguments[0] else { return .noOverload() }
    return read(quantity)
  }

  private static func whole(_ quantity: Quantity) -> Int64? {
    quantity.nano % 1_000_000_000 == 0 ? Int64(exactly: quantity.nano / 1_000_000_000) : nil
  }

  private static func ordered(_ arguments: [Value], _ read: (Int) -> Value) -> Value {
    switch (arguments[0], arguments[1]) {
    case (.library(.quantity(let a)), .library(.quantity(let b))):
      read(a.nano == b.nano ? 0 : a.nano < b.nano ? -1 : 1)
    case (.library(.semver(let a)), .library(.semver(let b))): read(a.order(b))
    default: .noOverload()
    }
  }

  private static func changed(_ arguments: [Value], _ change: (Int128, Int128) -> Int128) -> Value {
    guard case .library(.quantity(let quantity)) = arguments[0] else { return .noOverload() }
    let other: Int128
    switch arguments[1] {
    case .library(.quantity(let more)): other = more.nano
    case .int(let more): other = Int128(more) * 1_000_000_000
    default: return .noOverload()
    }
    return .library(.quantity(Quantity(nano: change(quantity.nano, other), format: quantity.format)))
  }

  // MARK: URLs, versions, formats

  static let others: [String: Body] = {
    var table = fixed
    for name in Formats.names { table["format.\(name)"] = { _, _ in .library(.format(name)) } }
    return table
  }()

  private static let fixed: [String: Body] = [
    "url": { arguments, _ in
      text(arguments) { text in
        URLValue(text).map { .library(.url($0)) }
          ?? .failure(
            "URL parse error during conversion from string: parse \(GoText.quote(text)): invalid URI for request")
      }
    },
    "isURL": { arguments, _ in text(arguments) { .bool(URLValue($0) != nil) } },
    "getScheme": { arguments, _ in url(arguments) { .string($0.url.scheme) } },
    "getHost": { arguments, _ in url(arguments) { .string($0.url.host) } },
    "getHostname": { arguments, _ in url(arguments) { .string($0.hostname) } },
    "getPort": { arguments, _ in url(arguments) { .string($0.port) } },
    "getEscapedPath": { arguments, _ in url(arguments) { .string($0.escapedPath) } },
    "getQuery": { arguments, _ in
      url(arguments) { url in
        var map = MapValue()
        for (key, values) in url.query { _ = map.insert(.string(key), .list(values.map { .string($0) })) }
        return .map(map)
      }
    },
    "semver": { arguments, _ in
      text(arguments) { text in
        version(text, arguments).map { .library(.semver($0)) } ?? .failure("No Major.Minor.Patch elements found")
      }
    },
    "isSemver": { arguments, _ in text(arguments) { .bool(version($0, arguments) != nil) } },
    "major": { arguments, _ in number(arguments, 0) },
    "minor": { arguments, _ in number(arguments, 1) },
    "patch": { arguments, _ in number(arguments, 2) },
    "format.named": { arguments, _ in
      text(arguments) { name in
        .optional(Formats.names.contains(name) ? .library(.format(name)) : nil)
      }
    },
    "validate": { arguments, _ in
      guard case .library(.format(let name)) = arguments[0], case .string(let text) = arguments[1] else {
        return .noOverload()
      }
      let faults = Formats.faults(name, text)
      return .optional(faults.isEmpty ? nil : .list(faults.map { .string($0) }))
    },
  ]

  private static func url(_ arguments: [Value], _ read: (URLValue) -> Value) -> Value {
    guard case .library(.url(let url)) = arguments[0] else { return .noOverload() }
    return read(url)
  }

  private static func version(_ text: String, _ arguments: [Value]) -> SemanticVersion? {
    if arguments.count > 1, case .bool(true) = arguments[1] { return SemanticVersion(text, normalizes: true) }
    return SemanticVersion(text)
  }

  private static func number(_ arguments: [Value], _ index: Int) -> Value {
    guard case .library(.semver(let version)) = arguments[0] else { return .noOverload() }
    return .int(Int64(clamping: version.numbers[index]))
  }
}
