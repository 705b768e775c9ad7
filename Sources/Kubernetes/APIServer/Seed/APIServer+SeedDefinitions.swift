import Wire

extension APIServer {
  /// The kinds of its own that EKS defines in every cluster. Their schemas take any field: what they mean is
  /// modelled by those who use them.
  func seedDefinitions() {
    isSeeding = true
    defer {
      isSeeding = false
      refreshTable()
    }
    define("crd.k8s.amazonaws.com", "v1alpha1", "ENIConfig", "eniconfigs", namespaced: false)
    define("networking.k8s.aws", "v1alpha1", "PolicyEndpoint", "policyendpoints", namespaced: true)
    define(
      "vpcresources.k8s.aws", "v1alpha1", "CNINode", "cninodes", namespaced: false, shortNames: ["cnd"],
      columns: [["name": "Features", "type": "string", "jsonPath": ".spec.features"]])
    define(
      "vpcresources.k8s.aws", "v1beta1", "SecurityGroupPolicy", "securitygrouppolicies", namespaced: true,
      shortNames: ["sgp"],
      columns: [["name": "Security-Group-Ids", "type": "string", "jsonPath": ".spec.securityGroups.groupIds"]])
  }

  private func define(
    _ group: String, _ version: String, _ kind: String, _ plural: String, namespaced: Bool, shortNames: [String] = [],
    columns: [JSON] = []
  ) {
    let any: JSON = ["type": "object", "x-kubernetes-preserve-unknown-fields": true]
    var definition: JSON = [
      "kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1",
      "metadata": ["name": .string("\(plural).\(group)")],
      "spec": [
        "group": .string(group),
        "names": [
          "kind": .string(kind), "listKind": .string("\(kind)List"), "plural": .string(plural),
          "singular": .string(kind.lowercased()), "shortNames": shortNames.isEmpty ? .null : JSON(shortNames),
        ],
        "scope": namespaced ? "Namespaced" : "Cluster",
        "versions": [
          [
            "name": .string(version), "served": true, "storage": true,
            "schema": ["openAPIV3Schema": ["type": "object", "properties": ["spec": any, "status": any]]],
            "additionalPrinterColumns": columns.isEmpty ? .null : .array(columns),
          ]
        ],
      ],
    ]
    definition["status"] = CustomResources.established(definition, now: now.rfc3339)
    plant(definition)
  }
}
