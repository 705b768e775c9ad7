/// What was found out about packets, until the network is another than before.
package final class FateCache<Value> {
  private unowned let ports: PacketPorts
  private var generation: UInt64 = 0
  private var known: [String: Value] = [:]

  package init(_ ports: PacketPorts) { self.ports = ports }

  /// `key` says all that may decide, but for what ``PacketPorts/generation`` tells.
  package func value(_ key: String, _ find: () -> Value) -> Value {
    let now = ports.generation()
    if now != generation {
      known.removeAll(keepingCapacity: true)
      generation = now
    }
    if let found = known[key] { return found }
    let found = find()
    known[key] = found
    return found
  }
}
