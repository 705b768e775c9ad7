import Mechanisms
import Testing
import Wire

/// Hiding what isn't known leaves the verdict of a walk as it was or opens it, and never turns it.
struct PacketPropertyTests {
  private static func broken(_ chance: inout Chance) -> Fabric {
    var fabric = PacketWorld.fabric()
    for id in ["sg-node", "sg-pod"] {
      guard var group = fabric.groups[id]?.value else { continue }
      group.rules = group.rules.filter { _ in !chance.flip(4) }
      fabric.groups[id] = .known(group)
    }
    fabric.acls.append(
      NetworkACL(
        "acl-1",
        .known([
          .init(90, egress: chance.flip(), allow: chance.flip(), .tcp, .everything, 8080, 8080),
          .init(100, egress: false, allow: !chance.flip(4)), .init(100, egress: true, allow: !chance.flip(4)),
        ])))
    if chance.flip() { fabric.subnets[chance.below(3)].acl = .known(1) }
    if chance.flip(4) {
      fabric.routeTables[1].entries = .known([
        .init([PacketWorld.vpc], .local), .init([.everything], .natGateway("nat-1"), active: false),
      ])
    }
    if chance.flip(3) { fabric.ports[chance.below(4)].groups = .known(["sg-pod"]) }
    return fabric
  }

  private static func hide(_ fabric: inout Fabric, _ chance: inout Chance) {
    for id in ["sg-node", "sg-pod"] where chance.flip(3) { fabric.groups[id] = .unknown(.hidden) }
    for place in fabric.acls.indices where chance.flip(3) {
      fabric.acls[place] = NetworkACL(fabric.acls[place].id, .unknown(.hidden))
    }
    for place in fabric.routeTables.indices where chance.flip(4) {
      fabric.routeTables[place].entries = .unknown(.hidden)
    }
    for place in fabric.subnets.indices where chance.flip(5) { fabric.subnets[place].acl = .unknown(.hidden) }
    for place in fabric.ports.indices where chance.flip(4) && place < 5 {
      fabric.ports[place].groups = .unknown(.hidden)
    }
    if chance.flip(4) { fabric.missingPorts = .hidden }
  }

  private static func truth(_ story: PacketWorld.Story) -> Truth {
    story.back.map { story.fate.truth && $0.truth } ?? story.fate.truth
  }

  @Test func hidingNeverTurnsAWalk() {
    var chance = Chance(state: 11)
    var seen: [String: Int] = [:]
    let ways: [(String, String, UInt16)] = [
      ("p1", "10.0.2.20", 8080), ("p2", "10.100.0.20", 80), ("p3", "8.8.8.8", 443), ("n1", "10.0.0.77", 8080),
      ("p1", "10.0.2.200", 443), ("sgp", "10.0.2.20", 8080), ("p3", "169.254.169.254", 80), ("p1", "10.0.9.9", 80),
    ]
    for _ in 0..<60 {
      let fabric = Self.broken(&chance)
      var world = PacketWorld(branch: true, fabric: fabric)
      var hidden = fabric
      Self.hide(&hidden, &chance)
      var other = PacketWorld(branch: true, fabric: hidden)
      for (from, to, port) in ways {
        let (whole, part) = (world.tell(from: from, to: to, port), other.tell(from: from, to: to, port))
        for (a, b) in zip(whole, part) {
          let (before, after) = (Self.truth(a), Self.truth(b))
          seen["\(before.isYes)", default: 0] += 1
          if case .open = after { continue }
          #expect(before == after, "\(from) → \(to): \(a.lines) became \(b.lines)")
        }
      }
    }
    #expect(seen.count == 2)
  }
}
