import Mechanisms
import Wire
import World

/// The OpenID Connect provider of a cluster, whose users its API server lets in.
extension EKSService {
  static let providerOperations: [String: Operation] = [
    "AssociateIdentityProviderConfig": associateProvider, "DescribeIdentityProviderConfig": describeProvider,
    "ListIdentityProviderConfigs": listProviders, "DisassociateIdentityProviderConfig": disassociateProvider,
  ]

  /// The provider that the cluster's API server believes: from the moment at which it is associated until it is to go.
  func identityProvider(clusterID: String) -> OIDCProvider? {
    guard let cluster = clusters.first(where: { $0.id == clusterID }) else { return nil }
    return records(of: cluster.name, .provider).first { $0["status"].string == "ACTIVE" }.map { OIDCProvider($0) }
  }

  private func provider(_ request: AWSRequest) throws(AWSError) -> (key: String, value: JSON) {
    let config = request.input["identityProviderConfig"]
    guard config["type"].string == "oidc" else {
      throw .invalidParameter("Identity provider config type must be oidc.")
    }
    let name = config["name"].string ?? ""
    return try record(request, .provider, name) { _ in "No identity provider config found with name: \(name)" }
  }

  private func associateProvider(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    var config = request.input["oidc"]
    if let present = records(of: cluster.name, .provider).first {
      // The same request once more is answered as the first one was.
      if let token = request.input["clientRequestToken"].string, present["clientRequestToken"].string == token,
        let update = updates[Key.update(cluster.name, present["update"].string ?? "")]
      {
        return ["update": update.document, "tags": present["tags"]]
      }
      throw .inUse("Cluster already has an OIDC identity provider config associated with it", cluster: cluster.name)
    }
    try check(config, cluster)
    let name = config["identityProviderConfigName"].string ?? ""
    let answer = try begin(
      cluster, "AssociateIdentityProviderConfig",
      [["type": "IdentityProviderConfig", "value": .string("[\(config.text())]")]], change: .emptyObject)
    config["clusterName"] = .string(cluster.name)
    config["identityProviderConfigArn"] = .string(
      eksARN("identityproviderconfig/\(cluster.name)/oidc/\(name)/\(uuid())"))
    config["status"] = "CREATING"
    config["tags"] = request.input["tags"].isNull ? .emptyObject : request.input["tags"]
    config["clientRequestToken"] = request.input["clientRequestToken"]
    config["update"] = answer["update"]["id"]
    records[recordKey(cluster.name, .provider, name)] = config
    return ["update": answer["update"], "tags": config["tags"]]
  }

  /// What the API server could not be started with.
  private func check(_ config: JSON, _ cluster: ClusterRow) throws(AWSError) {
    let issuer = config["issuerUrl"].string ?? ""
    guard issuer.hasPrefix("https://"), let url = try? GoURL(issuer), !url.host.isEmpty, url.rawQuery.isEmpty,
      !issuer.contains("#")
    else {
      throw .invalidParameter(
        "Incorrect Identity Provider URL configuration. The Identity Provider URL must begin with https://",
        cluster: cluster.name)
    }
    guard issuer != cluster.document["identity"]["oidc"]["issuer"].string else {
      throw .invalidParameter(
        "Incorrect Identity Provider URL configuration. The Identity Provider URL cannot be same as OpenID Connect "
          + "(OIDC) issuer URL", cluster: cluster.name)
    }
  }

  private func describeProvider(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["identityProviderConfig": ["oidc": shown(try provider(request).value)]]
  }

  /// Without what EKS keeps for itself.
  private func shown(_ config: JSON) -> JSON {
    var config = config
    config["clientRequestToken"] = .null
    config["update"] = .null
    return config
  }

  private func listProviders(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let configs: [JSON] = records(of: cluster.name, .provider).map {
      ["type": "oidc", "name": $0["identityProviderConfigName"]]
    }
    return try page(configs, request.input, "identityProviderConfigs")
  }

  private func disassociateProvider(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (key, config) = try provider(request)
    let cluster = try cluster(of: request)
    let name = config["identityProviderConfigName"].string ?? ""
    let answer = try begin(
      cluster, "DisassociateIdentityProviderConfig",
      [
        [
          "type": "IdentityProviderConfig",
          "value": .string((["type": "oidc", "name": .string(name)] as JSON).text()),
        ]
      ], change: .emptyObject)
    records.update(key) { $0["status"] = "DELETING" }
    return answer
  }

  /// An update that is done: a provider that came is believed from now on, one that was to go is gone.
  func settleProviders(_ cluster: String, _ type: String) {
    for config in records(of: cluster, .provider) {
      let key = recordKey(cluster, .provider, config["identityProviderConfigName"].string ?? "")
      switch (type, config["status"].string) {
      case ("AssociateIdentityProviderConfig", "CREATING"): records.update(key) { $0["status"] = "ACTIVE" }
      case ("DisassociateIdentityProviderConfig", "DELETING"): records[key] = nil
      default: break
      }
    }
  }
}
