import Testing
import Wire

@Suite struct IPv6Tests {
  /// As Go's `netip` prints what it read; nil where it reads nothing.
  @Test(
    arguments: [
      ("::", "::"), ("::1", "::1"), ("fd00:0:0:0:0:0:0:a", "fd00::a"), ("FD00::0010", "fd00::10"),
      ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
      ("::ffff:10.0.0.1", "::ffff:a00:1"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("fe80::1%eth0", nil),
      ("1::2::3", nil), ("10.0.0.1", nil), ("12345::", nil),
    ] as [(String, String?)])
  func addresses(text: String, printed: String?) { #expect(IPv6Address(text)?.description == printed) }

  @Test(
    arguments: [
      ("2600:1f18:1:2233::9/56", "2600:1f18:1:2200::/56"), ("::/0", "::/0"),
      ("fd12:3456:789a::/108", "fd12:3456:789a::/108"),
      ("2600:1f18:1:2:3:4:5:6/80", "2600:1f18:1:2:3::/80"), ("fd00::1/128", "fd00::1/128"), ("fd00::/129", nil),
      ("fd00::/08", nil), ("10.0.0.0/8", nil), ("fd00::", nil),
    ] as [(String, String?)])
  func blocks(text: String, printed: String?) {
    #expect(IPv6CIDR(text)?.description == printed)
  }

  @Test func insideAndBeside() throws {
    let vpc = try #require(IPv6CIDR("2600:1f18:1:2200::/56"))
    let subnet = try #require(IPv6CIDR("2600:1f18:1:2201::/64"))
    #expect(vpc.contains(subnet) && !subnet.contains(vpc) && subnet.overlaps(vpc))
    #expect(vpc.contains(try #require(IPv6Address("2600:1f18:1:22ff::1"))))
    #expect(!vpc.contains(try #require(IPv6Address("2600:1f18:1:2300::1"))))
    #expect((vpc.base + 10).description == "2600:1f18:1:2200::a")
    #expect((IPv6Address(high: 1, low: .max) + 1) == IPv6Address(high: 2, low: 0))
  }
}
