import ArgumentParser

/// A length of time as people write it: `90s`, `1h30m`, `2d`, `250ms`, or seconds alone.
struct DurationText: ExpressibleByArgument, CustomStringConvertible {
  var seconds: Double

  init(seconds: Double) { self.seconds = seconds }

  init?(argument: String) {
    if let seconds = Double(argument), seconds >= 0, seconds.isFinite {
      self.seconds = seconds
      return
    }
    var rest = Substring(argument)
    var total = 0.0
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let number = rest.prefix { $0.isNumber || $0 == "." }
      let unit = rest.dropFirst(number.count).prefix { $0.isLetter }
      guard let value = Double(number), let size = DurationText.units.first(where: { $0.name == unit })?.seconds else {
        return nil
      }
      total += value * size
      rest = rest.dropFirst(number.count + unit.count)
    }
    seconds = total
  }

  private static let units: [(name: String, seconds: Double)] = [
    ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1), ("ms", 0.001),
  ]

  var defaultValueDescription: String { description }

  var description: String {
    var rest = Int(seconds.rounded())
    guard rest > 0 else { return "\(Int(seconds * 1000))ms" }
    var text = ""
    for (name, size) in DurationText.units.dropLast() {
      let count = rest / Int(size)
      if count > 0 { text += "\(count)\(name)" }
      rest %= Int(size)
    }
    return text
  }
}
