import Wire

/// What a failed probe complains of.
package enum ProbeComplaint: Sendable, Equatable {
  /// Nobody listens on the port.
  case refused
  /// The answer came too late, or never.
  case late
  case status(Int)
  /// The command ended with what it said.
  case command(String)
  /// The port has a certificate that isn't what was asked for, speaks another protocol, and the like.
  case other(String)

  /// Reads what stands behind `Liveness probe failed: `.
  package init(_ text: String, of probe: Probe?) {
    let status = "HTTP probe failed with statuscode: "
    if let at = text.firstRange(of: status) {
      let digits = text[at.upperBound...].prefix { $0.isNumber }
      self = .status(Int(digits) ?? 0)
    } else if text.contains("connection refused") {
      self = .refused
    } else if text.contains("timed out") || text.contains("deadline exceeded") || text.contains("i/o timeout")
      || text.contains("Client.Timeout exceeded") || text.hasPrefix("timeout:")
    {
      self = .late
    } else if case .exec = probe?.target {
      self = .command(text)
    } else {
      self = .other(text)
    }
  }
}
