package import Evidence
package import Mechanisms
package import Wire

/// The evidence at hand while one answer is made, in the form that links ask for.
package struct Investigation: Sendable {
  package let reader: EvidenceReader
  package let target: Target
  package let now: Timestamp
  /// Logs of nodes, where there are any.
  package let nodeLogs: NodeLogs?

  package init(_ reader: EvidenceReader, target: Target, now: Timestamp, nodeLogs: NodeLogs? = nil) {
    self.nodeLogs = nodeLogs
    self.reader = reader
    self.target = target
    self.now = now
  }

  /// What a read found: the items, and the gap when these may not be all.
  package struct Found: Sendable {
    package var items: [JSON]
    package var gap: Gap?
    package var at: Timestamp

    package var first: JSON? { items.first }
    /// Known when it is complete, with the citation given.
    package func fact(_ citation: Citation) -> Fact<[JSON]> {
      gap.map { .unknown($0) } ?? .known(items, .read(citation))
    }
  }

  package func read(_ read: Read) async -> Found {
    let reading = await reader.read(read)
    return Found(items: reading.items, gap: gap(for: read, reading), at: reading.at)
  }

  private func gap(for read: Read, _ reading: Reading) -> Gap? {
    guard let why = reading.shortfall else { return nil }
    let name: String
    switch read {
    case .aws(let aws): name = aws.operation.action + parameters(of: aws)
    case .kubernetes: name = read.name
    }
    return Gap(read: name, why: why, how: reader.source.remedy(for: read, reading.state))
  }

  private func parameters(of read: AWSRead) -> String {
    read.parameters.filter { $0.key != "clusterName" }.sorted { $0.key < $1.key }.map { " \($0.value)" }.joined()
  }

  // MARK: - Kubernetes

  package func list(
    _ resource: KubernetesResource, namespace: String? = nil, fields: [String: String] = [:],
    labels: [String: String] = [:]
  ) async -> Found {
    await read(.kubernetes(KubernetesRead(resource, namespace: namespace, fields: fields, labels: labels)))
  }

  package func object(_ resource: KubernetesResource, namespace: String? = nil, name: String) async -> Found {
    await read(.kubernetes(KubernetesRead(resource, namespace: namespace, name: name)))
  }

  package func node(_ name: String) async -> Found { await object(.nodes, name: name) }

  /// The pods bound to a node.
  package func pods(on node: String) async -> Found { await list(.pods, fields: ["spec.nodeName": node]) }

  /// The events about an object, newest first.
  package func events(about object: JSON, kind: String) async -> (events: [EventRecord], gap: Gap?) {
    let metadata = object["metadata"]
    let name = metadata["name"].string ?? ""
    let namespace = metadata["namespace"].string
    let found = await list(
      .events, namespace: namespace, fields: ["involvedObject.name": name, "involvedObject.kind": kind])
    let uid = metadata["uid"].string
    let events = found.items.map(EventRecord.init).filter { event in
      // Events of an earlier object of that name are not about this one. A node's own events carry its name as uid.
      guard let uid, let theirs = event.involvedUID, !theirs.isEmpty else { return true }
      return theirs == uid || theirs == name
    }
    return (events.sorted { ($0.last, $1.name) > ($1.last, $0.name) }, found.gap)
  }

  // MARK: - AWS

  package func aws(_ call: AWSCall, _ parameters: [String: String] = [:], filters: [String: [String]] = [:]) async
    -> Found
  {
    await read(.aws(AWSRead(call, parameters, filters: filters)))
  }

  /// The cluster as DescribeCluster shows it.
  package func cluster() async -> Found {
    guard let name = target.cluster else {
      return Found(
        items: [],
        gap: Gap(
          read: "eks:DescribeCluster", why: "which EKS cluster this is can't be told from the context",
          how: "name it with --cluster"), at: now)
    }
    return await aws(.describeCluster, ["name": name])
  }

  /// The instance with that id, or with that private DNS name.
  package func instance(_ idOrName: String) async -> Found {
    if idOrName.hasPrefix("i-") {
      return await aws(.describeInstances, filters: ["InstanceIds": [idOrName]])
    }
    return await aws(.describeInstances, filters: ["private-dns-name": [idOrName]])
  }
}
