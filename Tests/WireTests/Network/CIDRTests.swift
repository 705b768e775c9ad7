import Testing
import Wire

@Suite struct CIDRTests {
  @Test(arguments: ["10.0.0.1", "0.0.0.0", "255.255.255.255"])
  func addresses(text: String) { #expect(IPv4Address(text)?.description == text) }

  @Test(arguments: ["10.0.0", "10.0.0.256", "10.0.0.01", "a.b.c.d", "10.0.0.1.2", "", "10..0.1"])
  func noAddresses(text: String) { #expect(IPv4Address(text) == nil) }

  @Test func blocks() throws {
    let block = try #require(CIDR("10.0.1.200/24"))
    #expect(block.description == "10.0.1.0/24")
    #expect(block.count == 256)
    #expect(block.last.description == "10.0.1.255")
    #expect(block.netmask.description == "255.255.255.0")
    #expect(block.contains(IPv4Address("10.0.1.7")!))
    #expect(!block.contains(IPv4Address("10.0.2.7")!))
    #expect(block.blocks(28).count == 16)
    #expect(block.blocks(28)[1].description == "10.0.1.16/28")
    #expect(try #require(CIDR("10.0.0.0/8")).contains(block))
    #expect(block.overlaps(CIDR("10.0.0.0/8")!))
    #expect(CIDR("0.0.0.0/0")?.count == 1 << 32)
    #expect(CIDR("0.0.0.0/0")?.contains(block) == true)
  }

  @Test(arguments: ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "x/8"])
  func noBlocks(text: String) { #expect(CIDR(text) == nil) }
}
