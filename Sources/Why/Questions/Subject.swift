/// What the command line asks about: `pod/web-1`, kubectl's short names included.
package struct Subject: Hashable, Sendable {
  /// In its long singular form: `pod`, `node`, `nodegroup`.
  package var kind: String
  package var name: String
  package var namespace: String?
  /// The pod from which it is looked at, where that matters.
  package var asker: String?

  package init(kind: String, name: String, namespace: String? = nil, asker: String? = nil) {
    self.kind = kind
    self.name = name
    self.namespace = namespace
    self.asker = asker
  }

  /// Parses `KIND/NAME`, or `KIND NAME` as two words; nil when it is neither.
  package init?(words: [String], namespace: String?) {
    var parts = words
    if words.count == 1 { parts = words[0].split(separator: "/", maxSplits: 1).map(String.init) }
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, let kind = Subject.kind(parts[0]) else { return nil }
    self.init(kind: kind, name: parts[1], namespace: namespace)
  }

  /// The long singular form of a kind's name; nil for none that is known.
  package static func kind(_ word: String) -> String? {
    let word = word.lowercased()
    for (kind, names) in names where kind == word || names.contains(word) { return kind }
    return nil
  }

  private static let names: [(String, [String])] = [
    ("pod", ["pods", "po"]), ("deployment", ["deployments", "deploy"]), ("daemonset", ["daemonsets", "ds"]),
    ("statefulset", ["statefulsets", "sts"]), ("replicaset", ["replicasets", "rs"]), ("job", ["jobs"]),
    ("cronjob", ["cronjobs", "cj"]), ("node", ["nodes", "no"]), ("instance", ["instances"]),
    ("service", ["services", "svc", "endpoints", "ep"]), ("ingress", ["ingresses", "ing"]),
    ("serviceaccount", ["serviceaccounts", "sa"]),
    ("persistentvolumeclaim", ["persistentvolumeclaims", "pvc"]), ("persistentvolume", ["persistentvolumes", "pv"]),
    ("storageclass", ["storageclasses", "sc"]),
    ("horizontalpodautoscaler", ["horizontalpodautoscalers", "hpa"]), ("namespace", ["namespaces", "ns"]),
    ("poddisruptionbudget", ["poddisruptionbudgets", "pdb"]),
    ("certificatesigningrequest", ["certificatesigningrequests", "csr"]), ("webhook", ["webhooks"]),
    ("nodegroup", ["nodegroups", "ng"]), ("addon", ["addons"]), ("fargateprofile", ["fargateprofiles"]),
    ("cluster", ["clusters"]), ("stack", ["stacks"]), ("lb", ["loadbalancer", "loadbalancers"]),
    ("targetgroup", ["targetgroups", "tg"]), ("eni", ["enis"]), ("subnet", ["subnets"]), ("role", ["roles"]),
    ("credentials", ["creds"]), ("admission", []), ("security-groups", ["securitygroups", "sg"]), ("name", ["dns"]),
    ("traffic", ["bytes"]),
  ]
}
