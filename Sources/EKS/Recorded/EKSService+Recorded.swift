import Wire
import World

/// What is stored and told again, without behaviour: capabilities, EKS Anywhere subscriptions, and clusters of
/// elsewhere that were registered.
extension EKSService {
  static let recordedOperations: [String: Operation] = [
    "CreateCapability": createCapability, "DescribeCapability": describeCapability,
    "ListCapabilities": listCapabilities, "UpdateCapability": updateCapability, "DeleteCapability": deleteCapability,
    "CreateEksAnywhereSubscription": createSubscription, "DescribeEksAnywhereSubscription": describeSubscription,
    "ListEksAnywhereSubscriptions": listSubscriptions, "UpdateEksAnywhereSubscription": updateSubscription,
    "DeleteEksAnywhereSubscription": deleteSubscription, "RegisterCluster": registerCluster,
    "DeregisterCluster": deregisterCluster,
  ]

  // MARK: - Capabilities

  private func capability(_ request: AWSRequest) throws(AWSError) -> (key: String, value: JSON) {
    let name = request.input["capabilityName"].string ?? ""
    return try record(request, .capability, name) { "No capability found with name: \(name) in cluster: \($0)" }
  }

  private func createCapability(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let input = request.input
    let name = input["capabilityName"].string ?? ""
    let key = recordKey(cluster.name, .capability, name)
    guard records[key] == nil else {
      throw .inUse(
        "Capability already exists with name \(name) and cluster name \(cluster.name)", cluster: cluster.name)
    }
    let made: JSON = [
      "capabilityName": .string(name), "arn": .string(eksARN("capability/\(cluster.name)/\(name)/\(uuid())")),
      "clusterName": .string(cluster.name), "type": input["type"], "roleArn": input["roleArn"], "status": "ACTIVE",
      "configuration": input["configuration"], "tags": input["tags"].isNull ? .emptyObject : input["tags"],
      "health": ["issues": []], "createdAt": timeNow, "modifiedAt": timeNow,
      "deletePropagationPolicy": input["deletePropagationPolicy"],
    ]
    records[key] = made
    return ["capability": made]
  }

  private func describeCapability(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["capability": try capability(request).value]
  }

  private func listCapabilities(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let all = records(of: cluster.name, .capability)
    let page = try page(all.compactMap { $0["capabilityName"].string }, request.input, "capabilities")
    let shown = all.filter { page["capabilities"].items.contains($0["capabilityName"]) }.map { row in
      var summary = JSON.emptyObject
      for field in ["capabilityName", "arn", "type", "status", "version", "createdAt", "modifiedAt"] {
        summary[field] = row[field]
      }
      return summary
    }
    return ["capabilities": .array(shown), "nextToken": page["nextToken"]]
  }

  private func updateCapability(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (key, value) = try capability(request)
    let now = timeNow
    records.update(key) { row in
      for field in ["roleArn", "configuration", "deletePropagationPolicy"] where request.input.has(field) {
        row[field] = request.input[field]
      }
      row["modifiedAt"] = now
    }
    return ["update": doneUpdate(value["clusterName"].string ?? "", "ConfigUpdate", [])]
  }

  private func deleteCapability(_ request: AWSRequest) throws(AWSError) -> JSON {
    var (key, value) = try capability(request)
    records[key] = nil
    value["status"] = "DELETING"
    return ["capability": value]
  }

  // MARK: - EKS Anywhere subscriptions

  private func subscription(_ request: AWSRequest) throws(AWSError) -> (key: String, value: JSON) {
    let id = request.input["id"].string ?? ""
    let key = recordKey("", .subscription, id)
    guard let value = records[key] else {
      throw .eks("ResourceNotFound", "No subscription found for ID: \(id)", 404, ["subscriptionId": .string(id)])
    }
    return (key, value)
  }

  private func createSubscription(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let id = uuid()
    let months = input["term"]["duration"].int ?? 12
    let made: JSON = [
      "id": .string(id), "arn": .string(eksARN("eks-anywhere-subscription/\(id)")), "createdAt": timeNow,
      "effectiveDate": timeNow, "expirationDate": .int(world.now.seconds + Int64(months) * 30 * 86_400),
      "licenseQuantity": input["licenseQuantity"], "licenseType": input["licenseType"], "term": input["term"],
      "status": "ACTIVE", "autoRenew": .bool(input["autoRenew"].bool ?? false), "licenseArns": [],
      "tags": input["tags"].isNull ? .emptyObject : input["tags"],
    ]
    records[recordKey("", .subscription, id)] = made
    return ["subscription": made]
  }

  private func describeSubscription(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["subscription": try subscription(request).value]
  }

  private func listSubscriptions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let wanted = request.input["includeStatus"].strings
    let all = records(of: "", .subscription).filter { wanted.isEmpty || wanted.contains($0["status"].string ?? "") }
    let page = try page(all.compactMap { $0["id"].string }, request.input, "subscriptions")
    return [
      "subscriptions": .array(all.filter { page["subscriptions"].items.contains($0["id"]) }),
      "nextToken": page["nextToken"],
    ]
  }

  private func updateSubscription(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try subscription(request).key
    records.update(key) { $0["autoRenew"] = request.input["autoRenew"] }
    return ["subscription": records[key] ?? .null]
  }

  private func deleteSubscription(_ request: AWSRequest) throws(AWSError) -> JSON {
    var (key, value) = try subscription(request)
    records[key] = nil
    value["status"] = "DELETING"
    return ["subscription": value]
  }

  // MARK: - Registered clusters

  /// A cluster that was registered; the connector in it never comes, so it stays PENDING.
  func registered(_ name: String) -> JSON? { records[recordKey("", .registered, name)] }

  var registeredNames: [String] { records(of: "", .registered).compactMap { $0["name"].string } }

  private func registerCluster(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let name = input["name"].string ?? ""
    guard clusters[name] == nil, registered(name) == nil else {
      throw .inUse("Cluster already exists with name: \(name)", cluster: name)
    }
    let made: JSON = [
      "name": .string(name), "arn": .string(eksARN("cluster/\(name)")), "createdAt": timeNow, "status": "PENDING",
      "tags": input["tags"].isNull ? .emptyObject : input["tags"],
      "connectorConfig": [
        "activationId": .string(uuid()), "activationCode": .string(world.newID { $0.hex(20) }),
        "activationExpiry": .int(world.now.seconds + 3 * 86_400), "provider": input["connectorConfig"]["provider"],
        "roleArn": input["connectorConfig"]["roleArn"],
      ],
    ]
    records[recordKey("", .registered, name)] = made
    return ["cluster": made]
  }

  private func deregisterCluster(_ request: AWSRequest) throws(AWSError) -> JSON {
    let name = request.input["name"].string ?? ""
    guard var found = registered(name) else { throw .noCluster(name) }
    records[recordKey("", .registered, name)] = nil
    found["status"] = "DELETING"
    return ["cluster": found]
  }
}
