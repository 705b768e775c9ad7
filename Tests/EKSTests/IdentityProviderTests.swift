import EKS
import Testing
import Wire
import World

@Suite("Identity providers of a cluster")
struct IdentityProviderTests {
  private static let config: JSON = [
    "identityProviderConfigName": "dex", "issuerUrl": "https://localhost:8443", "clientId": "kubernetes",
    "usernameClaim": "email", "groupsClaim": "groups", "requiredClaims": ["hd": "example.com"],
  ]

  /// What a call sends that associates one with the cluster `demo`.
  static func input(_ change: (inout JSON) -> Void = { _ in }) -> JSON {
    var config = config
    change(&config)
    return ["clusterName": "demo", "oidc": config, "tags": ["team": "shop"]]
  }

  @Test("One is associated by an update, and believed when that is done")
  func life() throws {
    let region = try Region()
    let id = try region.makeCluster("demo")
    let made = try region.ok("eks", "AssociateIdentityProviderConfig", Self.input())
    let update = made["update"]
    #expect(update["type"].string == "AssociateIdentityProviderConfig")
    #expect(update["status"].string == "InProgress")
    #expect(update["params"][0]["type"].string == "IdentityProviderConfig")
    #expect(made["tags"]["team"].string == "shop")
    let name: JSON = ["clusterName": "demo", "identityProviderConfig": ["type": "oidc", "name": "dex"]]
    func described() throws -> JSON {
      try region.ok("eks", "DescribeIdentityProviderConfig", name)["identityProviderConfig"]["oidc"]
    }
    #expect(try described()["status"].string == "CREATING")
    #expect(region.world.ports.identityProvider(id) == nil)
    #expect(
      region.failure("AssociateIdentityProviderConfig", Self.input())?
        .contains("Cluster already has an OIDC identity provider config associated with it") == true)
    region.run(.seconds(5))
    let config = try described()
    #expect(config["status"].string == "ACTIVE")
    #expect(config["issuerUrl"].string == "https://localhost:8443")
    #expect(config["identityProviderConfigArn"].string?.contains(":identityproviderconfig/demo/oidc/dex/") == true)
    #expect(config["update"].isNull)
    let provider = try #require(region.world.ports.identityProvider(id))
    #expect(provider.nameClaim == "email")
    #expect(provider.requiredClaims == ["hd": "example.com"])
    let done = try region.ok("eks", "DescribeUpdate", ["name": "demo", "updateId": update["id"]])["update"]
    #expect(done["status"].string == "Successful")
    #expect(
      try region.ok("eks", "ListIdentityProviderConfigs", ["clusterName": "demo"])["identityProviderConfigs"].text()
        == #"[{"type":"oidc","name":"dex"}]"#)

    let gone = try region.ok("eks", "DisassociateIdentityProviderConfig", name)["update"]
    #expect(gone["type"].string == "DisassociateIdentityProviderConfig")
    #expect(try described()["status"].string == "DELETING")
    region.run(.seconds(5))
    #expect(region.world.ports.identityProvider(id) == nil)
    #expect(
      region.failure("DescribeIdentityProviderConfig", name)?.contains("No identity provider config found") == true)
    _ = try region.ok("eks", "AssociateIdentityProviderConfig", Self.input())
  }

  @Test("The same request once more is answered as the first one was")
  func idempotency() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    var input = Self.input()
    input["clientRequestToken"] = "once"
    let first = try region.ok("eks", "AssociateIdentityProviderConfig", input)
    #expect(try region.ok("eks", "AssociateIdentityProviderConfig", input)["update"]["id"] == first["update"]["id"])
  }

  @Test("An issuer that no API server could start with is refused")
  func issuers() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    let own = try region.ok("eks", "DescribeCluster", ["name": "demo"])["cluster"]["identity"]["oidc"]["issuer"]
    #expect(
      region.failure("AssociateIdentityProviderConfig", Self.input { $0["issuerUrl"] = own })?.contains(
        "Incorrect Identity Provider URL configuration. The Identity Provider URL cannot be same as OpenID Connect (OIDC) issuer URL"
      ) == true)
    for issuer in ["http://localhost:8443", "localhost", "https://", "https://a/?b=c", "https://a/#b"] {
      let failure = region.failure("AssociateIdentityProviderConfig", Self.input { $0["issuerUrl"] = .string(issuer) })
      #expect(failure?.contains("InvalidParameterException") == true, "\(issuer): \(failure ?? "taken")")
    }
  }
}
