import Mechanisms
import Testing

/// Who counts a byte how often.
@Suite struct ByteCountTests {
  private static func decide(_ devices: [ByteCounts.Counter], ec2: Int) -> ByteCounts.Sums? {
    ByteCounts.decide(
      .init(
        devices: .known(devices), pods: .known([.init("shop/a", received: 5, sent: 7)]),
        ec2: .known(.init("i-1", received: ec2, sent: 0)))
    ).value
  }

  @Test func betweenPodsOfANodeEachByteIsCountedTwiceAndNeverByEC2() throws {
    let sums = try #require(
      Self.decide(
        [
          .init("lo", received: 900, sent: 900), .init("ens5", received: 10, sent: 10),
          .init("eni1", received: 1000, sent: 0), .init("eni2", received: 0, sent: 1000),
        ], ec2: 20))
    #expect(sums.all == 2020 && sums.ports == 20 && sums.pairs == 2000 && sums.pods == 12)
    #expect(sums.within == 990 && sums.again == 2000 && sums.untold == 0)
  }

  @Test func toTheOutsideItIsCountedOnThePairAndOnTheInterface() throws {
    let sums = try #require(
      Self.decide([.init("eth0", received: 500, sent: 20), .init("eni1", received: 20, sent: 500)], ec2: 100))
    #expect(sums.all == 1040 && sums.ports == 520 && sums.within == 0 && sums.untold == 420)
  }

  @Test func withoutEC2ItIsOpen() {
    let verdict = ByteCounts.decide(.init(devices: .known([]), pods: .known([]), ec2: .unknown(.hidden)))
    #expect(!verdict.gaps.isEmpty)
  }
}
