import Wire
import World

extension EKSService {
  static let podIdentityOperations: [String: Operation] = [
    "CreatePodIdentityAssociation": createAssociation, "DescribePodIdentityAssociation": describeAssociation,
    "ListPodIdentityAssociations": listAssociations, "UpdatePodIdentityAssociation": updateAssociation,
    "DeletePodIdentityAssociation": deleteAssociation,
  ]

  /// The association of a service account.
  func association(cluster: String, namespace: String, serviceAccount: String) -> JSON? {
    records(of: cluster, .association).first {
      $0["namespace"].string == namespace && $0["serviceAccount"].string == serviceAccount
    }
  }

  private func association(_ request: AWSRequest) throws(AWSError) -> (key: String, value: JSON) {
    let id = request.input["associationId"].string ?? ""
    return try record(request, .association, id) { _ in "No association found with ID: \(id)" }
  }

  private func createAssociation(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let input = request.input
    let same = records(of: cluster.name, .association).first {
      $0["namespace"] == input["namespace"] && $0["serviceAccount"] == input["serviceAccount"]
    }
    if let same {
      throw .inUse("Association already exists: \(same["associationId"].string ?? "")", cluster: cluster.name)
    }
    let arn = input["roleArn"].string ?? ""
    let name = arn.split(separator: "/").last.map(String.init) ?? ""
    let role = call("iam", "GetRole", ["RoleName": .string(name)], by: .plain).output?["Role"] ?? .null
    guard role["Arn"].string == arn else {
      throw .invalidParameter("Role provided in the request does not exist", cluster: cluster.name)
    }
    let id = "a-" + world.newID { $0.letters(17, from: "abcdefghijklmnopqrstuvwxyz0123456789") }
    let association: JSON = [
      "clusterName": .string(cluster.name), "namespace": input["namespace"],
      "serviceAccount": input["serviceAccount"], "roleArn": input["roleArn"],
      "associationArn": .string(eksARN("podidentityassociation/\(cluster.name)/\(id)")),
      "associationId": .string(id), "tags": input["tags"].isNull ? .emptyObject : input["tags"],
      "createdAt": timeNow, "modifiedAt": timeNow,
      "disableSessionTags": .bool(input["disableSessionTags"].bool ?? false),
      "targetRoleArn": input["targetRoleArn"],
    ]
    records[recordKey(cluster.name, .association, id)] = association
    return ["association": association]
  }

  private func describeAssociation(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["association": try association(request).value]
  }

  private func listAssociations(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let rows = records(of: cluster.name, .association).filter { row in
      (request.input["namespace"].isNull || row["namespace"] == request.input["namespace"])
        && (request.input["serviceAccount"].isNull || row["serviceAccount"] == request.input["serviceAccount"])
    }
    return [
      "associations": .array(
        rows.map { row in
          [
            "clusterName": row["clusterName"], "namespace": row["namespace"], "serviceAccount": row["serviceAccount"],
            "associationArn": row["associationArn"], "associationId": row["associationId"],
          ]
        })
    ]
  }

  private func updateAssociation(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (key, _) = try association(request)
    let now = timeNow
    records.update(key) { row in
      for member in ["roleArn", "targetRoleArn", "disableSessionTags"] where !request.input[member].isNull {
        row[member] = request.input[member]
      }
      row["modifiedAt"] = now
    }
    return ["association": records[key]!]
  }

  private func deleteAssociation(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (key, value) = try association(request)
    records[key] = nil
    return ["association": value]
  }
}
