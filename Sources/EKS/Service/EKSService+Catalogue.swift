import Wire
import World

extension EKSService {
  static let catalogueOperations: [String: Operation] = [
    "DescribeClusterVersions": describeClusterVersions, "TagResource": tagResource, "UntagResource": untagResource,
    "ListTagsForResource": listTags,
  ]

  private func describeClusterVersions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let wanted = input["clusterVersions"].strings
    let documents = ClusterVersion.all.reversed().map { $0.document(now: request.now) }.filter { document in
      (wanted.isEmpty || wanted.contains(document["clusterVersion"].string ?? ""))
        && (input["defaultOnly"].bool != true || document["defaultVersion"].bool == true)
        && (input["versionStatus"].isNull || input["versionStatus"] == document["versionStatus"])
    }
    return try page(documents, input, "clusterVersions")
  }

  // MARK: - Tags

  private func changeTags(_ arn: String, _ change: (inout JSON) -> Void) throws(AWSError) {
    if let row = clusters.first(where: { $0.arn == arn }) {
      clusters.update(row.name) { change(&$0.document["tags"]) }
    } else if let row = nodegroups.first(where: { $0.document["nodegroupArn"].string == arn }) {
      nodegroups.update(Key.nodegroup(row.cluster, row.name)) { change(&$0.document["tags"]) }
    } else if let row = entries.first(where: { $0.document["accessEntryArn"].string == arn }) {
      entries.update(Key.entry(row.cluster, row.principal)) { change(&$0.document["tags"]) }
    } else if let row = addons.first(where: { $0.document["addonArn"].string == arn }) {
      addons.update(Self.addonKey(row.cluster, row.name)) { change(&$0.document["tags"]) }
    } else if let key = recordKey(arn: arn) {
      records.update(key) { change(&$0["tags"]) }
    } else {
      throw .eks("NotFound", "The specified resource \(arn) could not be found", 404)
    }
  }

  private func recordKey(arn: String) -> String? {
    let members = ["fargateProfileArn", "associationArn", "identityProviderConfigArn", "arn"]
    return records.keys.first { key in members.contains { records[key]?[$0].string == arn } }
  }

  private func tagResource(_ request: AWSRequest) throws(AWSError) -> JSON {
    let added = request.input["tags"]
    for field in added.fields where field.key.lowercased().hasPrefix("aws:") {
      throw .eks("BadRequest", "Tag keys that begin with aws: are reserved: \(field.key)")
    }
    try changeTags(request.input["resourceArn"].string ?? "") { tags in
      if tags.isNull { tags = .emptyObject }
      for field in added.fields { tags[field.key] = field.value }
    }
    return .emptyObject
  }

  private func untagResource(_ request: AWSRequest) throws(AWSError) -> JSON {
    try changeTags(request.input["resourceArn"].string ?? "") { tags in
      if tags.isNull { tags = .emptyObject }
      for key in request.input["tagKeys"].strings { tags[key] = .null }
    }
    return .emptyObject
  }

  private func listTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    var found: JSON = .emptyObject
    try changeTags(request.input["resourceArn"].string ?? "") { tags in
      if tags.isNull { tags = .emptyObject }
      found = tags
    }
    return ["tags": found]
  }
}
