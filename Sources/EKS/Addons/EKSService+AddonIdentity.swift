import Mechanisms
import Wire
import World

/// The roles that an add-on's service accounts get by Pod Identity, and the namespace it is put into.
extension EKSService {
  /// Networking of the nodes is where it is.
  private static let fixed: Set<String> = ["vpc-cni", "kube-proxy", "coredns"]

  private func wrong(_ message: String, _ cluster: ClusterRow, _ addon: String) -> AWSError {
    .eks("InvalidParameter", message, 400, ["clusterName": .string(cluster.name), "addonName": .string(addon)])
  }

  /// The namespace that is asked for in place of kube-system; nil for none.
  func customNamespace(_ asked: JSON, _ offer: AddonOffer, _ cluster: ClusterRow) throws(AWSError) -> String? {
    guard let namespace = asked["namespace"].string, namespace != "kube-system" else { return nil }
    guard !Self.fixed.contains(offer.name) else {
      throw wrong("Addon \(offer.name) can't be installed into the namespace \(namespace)", cluster, offer.name)
    }
    return namespace
  }

  /// Associations owned by an add-on.
  func associations(ownedBy addon: String, of cluster: String) -> [JSON] {
    records(of: cluster, .association).filter { $0["ownerArn"].string == addon }
  }

  /// Makes the add-on's associations what is asked for, all or nothing; the ARNs of what it has then.
  func associate(
    _ asked: JSON, _ offer: AddonOffer, _ cluster: ClusterRow, owner: String, namespace: String
  ) throws(AWSError) -> [String] {
    let present = associations(ownedBy: owner, of: cluster.name)
    for item in asked.items {
      let account = item["serviceAccount"].string ?? ""
      guard offer.permissions.contains(where: { $0.serviceAccount == account }) else {
        throw wrong(
          "Addon \(offer.name) has no service account \(account) that takes a role by Pod Identity", cluster, offer.name
        )
      }
      try checkRole(item["roleArn"].string ?? "", cluster.name)
      if let other = association(cluster: cluster.name, namespace: namespace, serviceAccount: account),
        other["ownerArn"].string != owner
      {
        throw .inUse("Association already exists: \(other["associationId"].string ?? "")", cluster: cluster.name)
      }
    }
    for old in present {
      let key = recordKey(cluster.name, .association, old["associationId"].string ?? "")
      if let wanted = asked.items.first(where: { $0["serviceAccount"] == old["serviceAccount"] }) {
        let now = timeNow
        records.update(key) { row in
          row["roleArn"] = wanted["roleArn"]
          row["modifiedAt"] = now
        }
      } else {
        records[key] = nil
      }
    }
    for item in asked.items
    where !present.contains(where: { $0["serviceAccount"] == item["serviceAccount"] }) {
      var input = item
      input["namespace"] = .string(namespace)
      _ = try makeAssociation(cluster, input, owner: owner)
    }
    return associations(ownedBy: owner, of: cluster.name).compactMap { $0["associationArn"].string }
  }

  /// Takes an add-on's associations away with it.
  func dissociate(_ addon: AddonRow) {
    for association in associations(ownedBy: addon.document["addonArn"].string ?? "", of: addon.cluster) {
      records[recordKey(addon.cluster, .association, association["associationId"].string ?? "")] = nil
    }
  }

  /// The local account has no agreement with any seller of the AWS Marketplace, and there is none to make one with.
  func subscriptionIssue(_ addon: String) -> AddonIssue? {
    guard let offer = AddonOffer.named(addon), let url = offer.marketplace["productUrl"].string else { return nil }
    return AddonIssue(
      "AddonSubscriptionNeeded", "The account is not subscribed to \(addon) in the AWS Marketplace. Subscribe at \(url)"
    )
  }

  /// The issue of an add-on whose service account is to take a role that isn't there; nil without one.
  func permissionIssue(role: String) -> AddonIssue? {
    guard !role.isEmpty else { return nil }
    let name = ARN.parse(role)?.name ?? role
    let found = call("iam", "GetRole", ["RoleName": .string(name)], by: .plain).output?["Role"]["Arn"].string
    return found == role ? nil : AddonIssue("AddonPermissionFailure", "The role with name \(name) cannot be found.")
  }
}

extension JSON {
  /// An add-on's object with another namespace in kube-system's place; what it borrows from there stays.
  func inNamespace(_ namespace: String) -> JSON {
    let borrowed = self["roleRef"]["name"].string == "extension-apiserver-authentication-reader"
    var moved = replacingNamespace(namespace)
    if borrowed { moved["metadata"]["namespace"] = self["metadata"]["namespace"] }
    return moved
  }

  private func replacingNamespace(_ namespace: String) -> JSON {
    switch self {
    case .array(let items): return .array(items.map { $0.replacingNamespace(namespace) })
    case .object(var object):
      for index in object.fields.indices {
        let field = object.fields[index]
        object.fields[index].value =
          field.key == "namespace" && field.value.string == "kube-system"
          ? .string(namespace) : field.value.replacingNamespace(namespace)
      }
      return .object(object)
    default: return self
    }
  }
}
