/// A stream of chance that is the same on every run (SplitMix64).
struct Chance {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  mutating func flip(_ oneIn: Int = 2) -> Bool { below(oneIn) == 0 }
  mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }
  mutating func subset<Value>(_ values: [Value]) -> [Value] {
    var kept: [Value] = []
    for value in values where flip() { kept.append(value) }
    return kept
  }
}
