package import Wire

/// Something a rule needs to know: known, with where it was read, or unknown, with the name of the gap.
package enum Fact<Value: Sendable>: Sendable {
  case known(Value, Source = .world)
  case unknown(Gap)

  package var value: Value? { if case .known(let value, _) = self { value } else { nil } }
  package var source: Source? { if case .known(_, let source) = self { source } else { nil } }
  package var gap: Gap? { if case .unknown(let gap) = self { gap } else { nil } }

  package func map<Other: Sendable>(_ transform: (Value) -> Other) -> Fact<Other> {
    switch self {
    case .known(let value, let source): .known(transform(value), source)
    case .unknown(let gap): .unknown(gap)
    }
  }
}

extension Fact: Equatable where Value: Equatable {}

/// Where a fact was read. `world` is the local EKS deciding for itself: it has the thing at hand.
package enum Source: Sendable, Hashable {
  case world
  case read(Citation)

  package var citation: Citation? { if case .read(let citation) = self { citation } else { nil } }
}

/// One piece of evidence as an answer prints it.
package struct Citation: Sendable, Hashable, Codable {
  /// `kubernetes`, `aws:<service>`, `audit`, `cloudtrail`, `logs`, `node`, `walk`.
  package var source: String
  /// What was read: `events/default/web-1.17ab…`, `ec2:DescribeSubnets subnet-0c3…`.
  package var locator: String
  /// The field inside it, empty for the whole: `status.conditions[Ready].message`.
  package var field: String
  /// What stood there, as text.
  package var value: String
  /// When it was true, or else when it was read.
  package var at: Timestamp?

  package init(source: String, locator: String, field: String = "", value: String = "", at: Timestamp? = nil) {
    self.source = source
    self.locator = locator
    self.field = field
    self.value = value
    self.at = at
  }
}

/// Evidence that could not be had.
package struct Gap: Sendable, Hashable, Codable {
  /// The read that would tell: `ec2:DescribeSubnets`, `kubernetes:get configmaps/kube-system/aws-auth`.
  package var read: String
  /// Why it could not be had: `AccessDenied`, `not in the bundle`, `logs are off`.
  package var why: String
  /// How to get it, for the operator.
  package var how: String

  package init(read: String, why: String, how: String = "") {
    self.read = read
    self.why = why
    self.how = how
  }

  /// What the property test puts in a fact's place.
  package static let hidden = Gap(read: "hidden", why: "hidden")
}
