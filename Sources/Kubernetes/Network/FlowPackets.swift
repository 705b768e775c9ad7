import Mechanisms
import Wire

/// The packets of a connection from its beginning to its end, as many as its bytes need.
extension Flow {
  struct Sum {
    var packets = 0
    /// With their Ethernet headers, as interfaces count.
    var bytes = 0

    mutating func add(_ length: Int, times: Int = 1) {
      packets += times
      bytes += (length + Flow.ethernet) * times
    }
  }

  static let ethernet = 14
  /// IP and TCP with the timestamps option.
  private static let header = 52
  private static let handshake = 60

  /// Bytes that one segment carries: by the frames that the VPC and the Internet take.
  var segment: Int { (leavesVPC ? 1500 : 9001) - Self.header }

  private func segments(_ bytes: Int) -> Int { (bytes + segment - 1) / segment }

  private func add(_ bytes: Int, to sum: inout Sum) {
    let count = segments(bytes)
    sum.packets += count
    sum.bytes += bytes + count * (Self.header + Self.ethernet)
  }

  /// What goes there and what comes back.
  var sums: (there: Sum, back: Sum) {
    var (there, back) = (Sum(), Sum())
    guard transport == Transport.tcp.rawValue else {
      let header = transport == Transport.udp.rawValue ? 28 : 84
      there.add(header + said)
      if isAnswered { back.add(header + answered) }
      return (there, back)
    }
    there.add(Self.handshake)
    guard isAnswered else { return (there, back) }
    back.add(Self.handshake)
    there.add(Self.header)
    add(said, to: &there)
    add(answered, to: &back)
    // Every second segment is acknowledged by itself; then each end closes.
    back.add(Self.header, times: (segments(said) + 1) / 2)
    there.add(Self.header, times: (segments(answered) + 1) / 2)
    there.add(Self.header, times: 2)
    back.add(Self.header)
    return (there, back)
  }

  /// One of its packets, as a capture shows it.
  struct Shown {
    var isBack: Bool
    var flags: String
    var length: Int
    /// First byte and the one after the last, counted from the beginning.
    var sequence: (from: Int, to: Int)
    var acknowledged: Int
  }

  /// Its packets in their order; of long answers the first ones.
  func shown(limit: Int) -> [Shown] {
    guard transport == Transport.tcp.rawValue else {
      var found = [Shown(isBack: false, flags: "", length: said, sequence: (0, said), acknowledged: 0)]
      if isAnswered {
        found.append(Shown(isBack: true, flags: "", length: answered, sequence: (0, 0), acknowledged: 0))
      }
      return found
    }
    var found = [Shown(isBack: false, flags: "S", length: 0, sequence: (0, 0), acknowledged: 0)]
    guard isAnswered else { return found }
    var (ours, theirs) = (1, 1)
    func plain(_ isBack: Bool, _ flags: String = ".") -> Shown {
      let at = isBack ? theirs : ours
      return Shown(isBack: isBack, flags: flags, length: 0, sequence: (at, at), acknowledged: isBack ? ours : theirs)
    }
    found.append(Shown(isBack: true, flags: "S.", length: 0, sequence: (0, 0), acknowledged: 1))
    found.append(plain(false))
    for (isBack, bytes) in [(false, said), (true, answered)] {
      var left = bytes
      while left > 0, found.count < limit {
        let length = min(left, segment)
        left -= length
        var packet = plain(isBack, left == 0 ? "P." : ".")
        packet.length = length
        packet.sequence.to += length
        if isBack { theirs += length } else { ours += length }
        found.append(packet)
        found.append(plain(!isBack))
      }
      guard left == 0 else { return found }
    }
    found.append(plain(false, "F."))
    ours += 1
    found.append(plain(true, "F."))
    theirs += 1
    found.append(plain(false))
    return found
  }
}
