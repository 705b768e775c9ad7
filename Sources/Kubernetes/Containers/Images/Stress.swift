import Wire

/// What the command line of `stress` or `stress-ng` makes it take, and for how long.
struct Stress {
  var memory: [(after: Duration, bytes: Int)] = []
  var cpu: [(after: Duration, milli: Int)] = []
  var exit: (after: Duration, code: Int)?

  /// Nil for other programs.
  init?(_ arguments: [String]) {
    guard ["stress", "stress-ng"].contains(FilePath.name(arguments.first ?? "")) else { return nil }
    var values: [String: String] = [:]
    for (index, word) in arguments.enumerated() where word.hasPrefix("-") {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      values[parts[0]] = parts.count == 2 ? parts[1] : index + 1 < arguments.count ? arguments[index + 1] : ""
    }
    let workers = (values["--vm"] ?? values["-m"]).flatMap { Int($0) } ?? 0
    let each = values["--vm-bytes"].flatMap(Self.bytes) ?? 256 << 20
    if workers > 0 { memory = [(.milliseconds(100), min(workers, 1 << 16) * each)] }
    let busy = (values["--cpu"] ?? values["-c"]).flatMap { Int($0) } ?? 0
    if busy > 0 { cpu = [(.milliseconds(100), min(busy, 1 << 10) * 1000)] }
    if let time = (values["--timeout"] ?? values["-t"]).flatMap(SystemCommands.duration) { exit = (time, 0) }
  }

  /// `250M`, `1G`: powers of 1024.
  private static func bytes(_ text: String) -> Int? {
    guard let number = Int(text.prefix { $0.isNumber }), number < 1 << 30 else { return nil }
    switch text.last {
    case "k", "K": return number << 10
    case "m", "M": return number << 20
    case "g", "G": return number << 30
    default: return number
    }
  }
}
