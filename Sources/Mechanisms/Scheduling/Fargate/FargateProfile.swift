package import Wire

/// A Fargate profile as `DescribeFargateProfile` shows it.
package struct FargateProfile: Sendable, Equatable {
  /// A namespace, and labels that a pod in it has to have. `*` stands for any characters, `?` for one.
  package struct Selector: Sendable, Equatable {
    package var namespace: String
    package var labels: [String: String]

    package init(namespace: String, labels: [String: String] = [:]) {
      self.namespace = namespace
      self.labels = labels
    }

    package func matches(namespace name: String) -> Bool { Wildcard.matches(namespace, name) }

    /// The labels that the pod lacks, in order of their keys.
    package func missing(in pod: [String: String]) -> [(key: String, value: String)] {
      labels.sorted { $0.key < $1.key }.filter { wanted in
        !pod.contains { Wildcard.matches(wanted.key, $0.key) && Wildcard.matches(wanted.value, $0.value) }
      }
    }

    package var text: String {
      labels.isEmpty
        ? "namespace \(namespace)"
        : "namespace \(namespace) with "
          + labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
    }
  }

  package var name: String
  /// `ACTIVE`; in any other state it takes no pods.
  package var status: String
  package var createdAt: Timestamp?
  package var selectors: [Selector]
  package var subnets: [String]
  package var role: String

  package init(
    name: String, status: String = "ACTIVE", createdAt: Timestamp? = nil, selectors: [Selector],
    subnets: [String] = [], role: String = ""
  ) {
    self.name = name
    self.status = status
    self.createdAt = createdAt
    self.selectors = selectors
    self.subnets = subnets
    self.role = role
  }

  /// From what `DescribeFargateProfile` answers.
  package init(describe profile: JSON) {
    self.init(
      name: profile["fargateProfileName"].string ?? "", status: profile["status"].string ?? "",
      createdAt: FargateProfile.time(profile["createdAt"]),
      selectors: profile["selectors"].items.map {
        Selector(namespace: $0["namespace"].string ?? "", labels: $0["labels"].stringMap)
      },
      subnets: profile["subnets"].strings, role: profile["podExecutionRoleArn"].string ?? "")
  }

  /// Seconds since 1970 on the wire, text where the aws command wrote them down.
  private static func time(_ value: JSON) -> Timestamp? {
    if let text = value.string { return Timestamp(rfc3339: text) }
    return value.double.map { Timestamp(microseconds: Int64($0 * 1_000_000)) }
  }
}

/// Patterns with `*` for any characters and `?` for one.
package enum Wildcard {
  package static func matches(_ pattern: String, _ text: String) -> Bool {
    matches(Array(pattern.utf8)[...], Array(text.utf8)[...])
  }

  private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
    var (pattern, text) = (pattern, text)
    // Where the last star stands and what it has to leave over, to go back to.
    var star: (pattern: ArraySlice<UInt8>, text: ArraySlice<UInt8>)?
    while let byte = text.first {
      if pattern.first == UInt8(ascii: "*") {
        pattern = pattern.dropFirst()
        star = (pattern, text)
      } else if pattern.first == UInt8(ascii: "?") || pattern.first == byte {
        pattern = pattern.dropFirst()
        text = text.dropFirst()
      } else if let last = star {
        let rest = last.text.dropFirst()
        star = (last.pattern, rest)
        (pattern, text) = (last.pattern, rest)
      } else {
        return false
      }
    }
    return pattern.allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
