package import Wire

/// Which ENIConfig a node uses with custom networking (amazon-vpc-cni-k8s, `pkg/eniconfig`).
package enum ENIConfigName: Rule {
  package static let name = "addresses/eniconfig-name"

  package struct Facts: FactSet {
    /// Kubernetes: the node.
    package var node: Fact<JSON>
    package var settings: Fact<PoolSettings>

    package init(node: Fact<JSON>, settings: Fact<PoolSettings>) {
      self.node = node
      self.settings = settings
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.node), hider(\.settings)]
  }

  package static let defaultKey = "k8s.amazonaws.com/eniConfig"
  private static let external = "vpc.amazonaws.com/externalEniConfig"

  /// The name, with where it comes from as the reason; no where custom networking is off.
  package static func decide(_ facts: Facts) -> Verdict<String, Because> {
    guard let settings = facts.settings.value else { return .open([facts.settings.gap!]) }
    guard settings.customNetworking else {
      return .no([
        Because("addresses/eniconfig-name/off", "custom networking is off", evidence: [facts.settings.citation])
      ])
    }
    guard let node = facts.node.value else { return .open([facts.node.gap!]) }
    let metadata = node["metadata"]
    let annotation = settings.eniConfigAnnotation ?? defaultKey
    let label = settings.eniConfigLabel ?? defaultKey
    let places: [(String, String, JSON)] = [
      ("label", external, metadata["labels"][external]),
      ("annotation", annotation, metadata["annotations"][annotation]),
      ("label", label, metadata["labels"][label]),
    ]
    for (kind, key, value) in places {
      guard let text = value.string, !text.isEmpty else { continue }
      return .yes(
        text,
        [
          Because(
            "addresses/eniconfig-name/\(kind)", "by the node's \(kind) \(key)", evidence: [facts.node.citation],
            details: ["key": .string(key), "kind": .string(kind)])
        ])
    }
    return .yes(
      "default",
      [
        Because(
          "addresses/eniconfig-name/default",
          "the node has neither the annotation \(annotation) nor the label \(label)", evidence: [facts.node.citation])
      ])
  }
}
