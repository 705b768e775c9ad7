/// Names of users and groups by the container's own files.
enum UserNames {
  private static func lines(_ file: String, _ system: PodSystem, _ process: Process) -> [[String]] {
    guard let bytes = try? system.read(file, process) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map {
      $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    }
  }

  static func name(_ number: Int, _ system: PodSystem, _ process: Process) -> String {
    lines("/etc/passwd", system, process).first { $0.count > 2 && $0[2] == String(number) }?[0]
      ?? (number == 0 ? "root" : String(number))
  }

  static func group(_ number: Int, _ system: PodSystem, _ process: Process) -> String {
    lines("/etc/group", system, process).first { $0.count > 2 && $0[2] == String(number) }?[0]
      ?? (number == 0 ? "root" : String(number))
  }

  static func isKnown(_ number: Int, _ system: PodSystem, _ process: Process) -> Bool {
    lines("/etc/passwd", system, process).contains { $0.count > 2 && $0[2] == String(number) }
  }

  static func number(_ name: String, _ system: PodSystem, _ process: Process) -> Int? {
    if let number = Int(name) { return number }
    return lines("/etc/passwd", system, process).first { $0.first == name && $0.count > 2 }.flatMap { Int($0[2]) }
  }
}
