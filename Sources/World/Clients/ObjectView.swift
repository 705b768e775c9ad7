package import Wire

/// A Kubernetes object by the fields that all kinds have.
package struct ObjectView: Sendable {
  package var json: JSON

  package init(_ json: JSON) { self.json = json }

  package subscript(key: String) -> JSON {
    get { json[key] }
    set { json[key] = newValue }
  }

  package var metadata: JSON { json["metadata"] }
  package var spec: JSON { json["spec"] }
  package var status: JSON { json["status"] }
  package var kind: String { json["kind"].string ?? "" }
  package var apiVersion: String { json["apiVersion"].string ?? "" }
  package var name: String { metadata["name"].string ?? "" }
  package var namespace: String { metadata["namespace"].string ?? "" }
  package var uid: String { metadata["uid"].string ?? "" }
  package var resourceVersion: String { metadata["resourceVersion"].string ?? "" }
  package var generation: Int { metadata["generation"].int ?? 0 }
  package var labels: JSON { metadata["labels"] }
  package var annotations: JSON { metadata["annotations"] }
  package var finalizers: [String] { metadata["finalizers"].strings }
  package var isTerminating: Bool { !metadata["deletionTimestamp"].isNull }
  package var createdAt: Timestamp { metadata["creationTimestamp"].time ?? Timestamp(microseconds: 0) }
  package var owners: [JSON] { metadata["ownerReferences"].items }

  /// The owner that manages it, if any.
  package var controller: JSON? { owners.first { $0["controller"].bool == true } }

  package func isControlled(by owner: ObjectView) -> Bool { controller?["uid"].string == owner.uid }

  /// `namespace/name`, or the name alone without namespace.
  package var key: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }

  /// The reference by which events name it.
  package var reference: JSON {
    [
      "kind": .string(kind), "namespace": namespace.isEmpty ? .null : .string(namespace), "name": .string(name),
      "uid": .string(uid), "apiVersion": .string(apiVersion),
      "resourceVersion": resourceVersion.isEmpty ? .null : .string(resourceVersion),
    ]
  }

  /// The reference by which something it makes names it as its controller.
  package var controllerReference: JSON {
    [
      "apiVersion": .string(apiVersion), "kind": .string(kind), "name": .string(name), "uid": .string(uid),
      "controller": true, "blockOwnerDeletion": true,
    ]
  }

  /// The condition of that type, `.null` when there is none.
  package func condition(_ type: String) -> JSON {
    status["conditions"].items.first { $0["type"].string == type } ?? .null
  }

  package func isConditionTrue(_ type: String) -> Bool { condition(type)["status"].string == "True" }
}

extension ObjectView {
  /// What controllers ask of pods.
  package var phase: String { status["phase"].string ?? "Pending" }
  package var nodeName: String { spec["nodeName"].string ?? "" }
  package var isPodReady: Bool { isConditionTrue("Ready") }
  package var isPodFinished: Bool { phase == "Succeeded" || phase == "Failed" }
  /// Neither finished nor on its way out.
  package var isPodActive: Bool { !isPodFinished && !isTerminating }
}

extension JSON {
  /// A `metav1.Time` or `metav1.MicroTime`.
  package var time: Timestamp? { string.flatMap { Timestamp(rfc3339: $0) } }
}

extension Timestamp {
  package var json: JSON { .string(rfc3339) }
}
