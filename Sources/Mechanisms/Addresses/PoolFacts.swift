/// What ipamd's decisions about its pool are made of. Each field says by which public read it shows.
package struct PoolFacts: FactSet, Equatable {
  /// Kubernetes: the DaemonSet `aws-node`.
  package var settings: Fact<PoolSettings>
  /// EC2 DescribeInstanceTypes.
  package var maxENIs: Fact<Int>
  /// EC2 DescribeInstanceTypes.
  package var ipv4PerENI: Fact<Int>
  /// Kubernetes: the node's `status.capacity.pods`.
  package var maxPods: Fact<Int>
  /// EC2 DescribeNetworkInterfaces of the instance: all, the primary included.
  package var enis: Fact<Int>
  /// EC2 DescribeNetworkInterfaces: interfaces in subnets tagged `kubernetes.io/role/cni=0`.
  package var excluded: Fact<Int>
  /// EC2 DescribeNetworkInterfaces: interfaces tagged `node.k8s.amazonaws.com/no_manage=true`.
  package var unmanaged: Fact<Int>
  /// A trunk interface is to come: security groups for pods are on and none is attached.
  package var reservesTrunk: Fact<Bool>
  /// EC2 DescribeNetworkInterfaces: secondary addresses, or 16 for each prefix.
  package var total: Fact<Int>
  /// Kubernetes: pods of the node that have an address and are not on the host's network.
  package var assigned: Fact<Int>
  /// EC2 DescribeNetworkInterfaces.
  package var prefixes: Fact<Int>
  /// EC2 and Kubernetes: prefixes in which no pod has an address.
  package var freePrefixes: Fact<Int>
  /// An interface that is not primary, trunk or EFA and has no pods.
  package var hasIdleENI: Fact<Bool>

  package init(
    settings: Fact<PoolSettings>, maxENIs: Fact<Int>, ipv4PerENI: Fact<Int>, maxPods: Fact<Int>, enis: Fact<Int>,
    excluded: Fact<Int> = .known(0), unmanaged: Fact<Int> = .known(0), reservesTrunk: Fact<Bool> = .known(false),
    total: Fact<Int>, assigned: Fact<Int>, prefixes: Fact<Int> = .known(0), freePrefixes: Fact<Int> = .known(0),
    hasIdleENI: Fact<Bool> = .known(false)
  ) {
    self.settings = settings
    self.maxENIs = maxENIs
    self.ipv4PerENI = ipv4PerENI
    self.maxPods = maxPods
    self.enis = enis
    self.excluded = excluded
    self.unmanaged = unmanaged
    self.reservesTrunk = reservesTrunk
    self.total = total
    self.assigned = assigned
    self.prefixes = prefixes
    self.freePrefixes = freePrefixes
    self.hasIdleENI = hasIdleENI
  }

  package static let hiders: [@Sendable (inout Self) -> Void] = [
    hider(\.settings), hider(\.maxENIs), hider(\.ipv4PerENI), hider(\.maxPods), hider(\.enis), hider(\.excluded),
    hider(\.unmanaged), hider(\.reservesTrunk), hider(\.total), hider(\.assigned), hider(\.prefixes),
    hider(\.freePrefixes), hider(\.hasIdleENI),
  ]
}

extension Fact {
  /// Both or the gaps of what is missing.
  func and<Other>(_ other: Fact<Other>) -> Derived<(Value, Other)> { Derived(self).and(Derived(other)) }
  var derived: Derived<Value> { Derived(self) }
}

/// A value worked out from facts, or the gaps in its way.
package enum Derived<Value> {
  case known(Value)
  case open([Gap])

  init(_ fact: Fact<Value>) where Value: Sendable {
    switch fact {
    case .known(let value, _): self = .known(value)
    case .unknown(let gap): self = .open([gap])
    }
  }

  package var value: Value? { if case .known(let value) = self { value } else { nil } }
  package var gaps: [Gap] { if case .open(let gaps) = self { gaps } else { [] } }

  func and<Other>(_ other: Derived<Other>) -> Derived<(Value, Other)> {
    switch (self, other) {
    case (.known(let a), .known(let b)): .known((a, b))
    case (.open(let a), .open(let b)): .open(a + b)
    case (.open(let gaps), _), (_, .open(let gaps)): .open(gaps)
    }
  }

  func map<Other>(_ transform: (Value) -> Other) -> Derived<Other> {
    switch self {
    case .known(let value): .known(transform(value))
    case .open(let gaps): .open(gaps)
    }
  }

  func truth(_ test: (Value) -> Bool) -> Truth {
    switch self {
    case .known(let value): Truth(test(value))
    case .open(let gaps): .open(gaps)
    }
  }
}
