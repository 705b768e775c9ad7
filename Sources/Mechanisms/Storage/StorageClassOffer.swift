package import Wire

/// What a StorageClass says of volumes that are made for it.
package struct StorageClassOffer: Sendable, Equatable {
  package static let defaultAnnotation = "storageclass.kubernetes.io/is-default-class"

  package var name: String
  /// As the class names it.
  package var provisioner: String
  /// Volumes are bound, and made, when a pod that uses them has a node.
  package var waitsForConsumer: Bool
  package var isDefault: Bool
  package var allowsExpansion: Bool
  /// Where volumes of the class can be; nil for everywhere.
  package var topologies: [NodeTerm]?
  package var created: Timestamp?

  package init(storageClass: JSON) {
    name = storageClass["metadata"]["name"].string ?? ""
    provisioner = storageClass["provisioner"].string ?? ""
    waitsForConsumer = storageClass["volumeBindingMode"].string == "WaitForFirstConsumer"
    isDefault = storageClass["metadata"]["annotations"][Self.defaultAnnotation].string == "true"
    allowsExpansion = storageClass["allowVolumeExpansion"].bool == true
    created = storageClass["metadata"]["creationTimestamp"].string.flatMap { Timestamp(rfc3339: $0) }
    let allowed = storageClass["allowedTopologies"].items
    if !allowed.isEmpty {
      topologies = allowed.map { topology in
        let expressions: [JSON] = topology["matchLabelExpressions"].items.map {
          ["key": $0["key"], "operator": "In", "values": $0["values"]]
        }
        return NodeTerm(json: ["matchExpressions": .array(expressions)])
      }
    }
  }

  /// The CSI driver that makes its volumes; nil for a class whose volumes nobody makes.
  package var driver: String? {
    provisioner == "kubernetes.io/no-provisioner" ? nil : CSIMigration.driver(of: provisioner) ?? provisioner
  }

  /// The class that claims without one take: the newest of those marked as default.
  package static func chosen(_ classes: [StorageClassOffer]) -> StorageClassOffer? {
    classes.filter(\.isDefault).min { a, b in
      let (left, right) = (a.created?.microseconds ?? 0, b.created?.microseconds ?? 0)
      return left != right ? left > right : a.name < b.name
    }
  }
}
