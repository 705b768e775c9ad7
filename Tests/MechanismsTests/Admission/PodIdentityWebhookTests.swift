import Mechanisms
import Testing
import Wire

/// The cases of amazon-eks-pod-identity-webhook's test data.
@Suite struct PodIdentityWebhookTests {
  static let role = "arn:aws:iam::111122223333:role/s3-reader"
  static let account: JSON = ["metadata": ["annotations": ["eks.amazonaws.com/role-arn": .string(role)]]]

  static func pod(_ container: JSON = [:], volumes: JSON = .null, annotations: JSON = .null) -> JSON {
    var container = container
    container["name"] = "c"
    container["image"] = "amazonlinux"
    return ["metadata": ["annotations": annotations], "spec": ["containers": [container], "volumes": volumes]]
  }

  static func decide(
    _ pod: JSON, account: JSON = account, association: Bool = false, settings: PodIdentityWebhook.Settings = .init()
  ) -> Verdict<JSON, Because> {
    PodIdentityWebhook.decide(
      .init(
        pod: .known(pod), serviceAccount: .known(account), hasAssociation: .known(association),
        settings: .known(settings)))
  }

  static func env(_ patch: JSON?) -> [String] {
    let op = patch?.items.first { $0["path"].string == "/spec/containers" }
    return op?["value"][0]["env"].items.compactMap { $0["name"].string } ?? []
  }

  @Test func aPlainPod() throws {
    let wanted = try JSON.parse(
      Array(
        """
        [{"op":"add","path":"/spec/volumes","value":[{"name":"aws-iam-token","projected":{"sources":[{"serviceAccountToken":{"audience":"sts.amazonaws.com","expirationSeconds":86400,"path":"token"}}]}}]},
        {"op":"add","path":"/spec/containers","value":[{"name":"c","image":"amazonlinux","env":[{"name":"AWS_ROLE_ARN","value":"\(Self.role)"},{"name":"AWS_WEB_IDENTITY_TOKEN_FILE","value":"/var/run/secrets/eks.amazonaws.com/serviceaccount/token"}],"resources":{},"volumeMounts":[{"name":"aws-iam-token","readOnly":true,"mountPath":"/var/run/secrets/eks.amazonaws.com/serviceaccount"}]}]}]
        """.utf8))
    #expect(Self.decide(Self.pod()).value == wanted)
  }

  @Test func volumesThatAreThere() {
    let paths = Self.decide(Self.pod(volumes: [["name": "v"]])).value?.items.map { $0["path"].string }
    #expect(paths == ["/spec/volumes/0", "/spec/containers"])
    let present = Self.decide(Self.pod(volumes: [["name": "aws-iam-token"]])).value?.items.map { $0["path"].string }
    #expect(present == ["/spec/containers"])
  }

  @Test func whatIsSetStays() {
    let settings = PodIdentityWebhook.Settings(region: "us-west-2")
    #expect(
      Self.env(Self.decide(Self.pod(["env": [["name": "AWS_ROLE_ARN", "value": "x"]]]), settings: settings).value)
        == ["AWS_ROLE_ARN", "AWS_DEFAULT_REGION", "AWS_REGION"])
    #expect(
      Self.env(Self.decide(Self.pod(["env": [["name": "AWS_REGION", "value": "x"]]]), settings: settings).value)
        == ["AWS_REGION", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"])
    // The mount is added as long as one variable that could be set is not.
    var full: JSON = [["name": "AWS_REGION", "value": "x"], ["name": "AWS_ROLE_ARN", "value": "x"]]
    let mounted = Self.decide(Self.pod(["env": full]), settings: settings).value?.items.last?["value"][0]
    #expect(mounted?["env"] == full)
    #expect(mounted?["volumeMounts"][0]["name"].string == "aws-iam-token")
    full.append(["name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "legacy"])
    let mount: JSON = [["name": "aws-iam-token"]]
    // The volume is added whatever the containers have.
    let paths = Self.decide(Self.pod(["env": full]), settings: settings).value?.items.map { $0["path"].string }
    #expect(paths == ["/spec/volumes", "/spec/containers"])
    #expect(Self.decide(Self.pod(["env": full], volumes: mount), settings: settings).isNo)
  }

  @Test func annotations() {
    let short = Self.decide(Self.pod(annotations: ["eks.amazonaws.com/token-expiration": "0"])).value
    #expect(
      short?[0]["value"][0]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"].int == 600)
    var regional = Self.account
    regional["metadata"]["annotations"]["eks.amazonaws.com/sts-regional-endpoints"] = "true"
    #expect(Self.env(Self.decide(Self.pod(), account: regional).value).first == "AWS_STS_REGIONAL_ENDPOINTS")
  }

  /// The list of containers is a line of CSV: blanks count, quotes are taken off, a stray one spoils it all.
  @Test(arguments: [
    ("c", true), ("d,c", true), ("c, d", true), ("d, c", false), ("\"c\",d", true), ("", false), ("\n\nc", true),
    ("d\nc", false), ("c,\"d", false), ("c,d\"", false), ("\"c\"d", false), ("c\r\nd", true),
  ])
  func skipped(_ names: String, isSkipped: Bool) {
    let patch = Self.decide(Self.pod(annotations: ["eks.amazonaws.com/skip-containers": .string(names)])).value
    #expect(Self.env(patch).isEmpty == isSkipped)
    #expect(patch?[0]["path"].string == "/spec/volumes")
  }

  @Test func booleansAsGoReadsThem() {
    for (text, isSet) in [("1", true), ("T", true), ("True", true), ("yes", false), ("f", false), ("FALSE", false)] {
      var account = Self.account
      account["metadata"]["annotations"]["eks.amazonaws.com/sts-regional-endpoints"] = .string(text)
      #expect(Self.env(Self.decide(Self.pod(), account: account).value).count == (isSet ? 3 : 2), "\(text)")
    }
  }

  /// Only the default is spread over hours, also where an annotation asks for just that.
  @Test(
    arguments: [(nil, 80_000), ("86400", 80_000), ("3600", 3600), ("60", 600), ("an hour", 80_000)] as [(String?, Int)])
  func lifeOfAPodIdentityToken(_ asked: String?, seconds: Int) {
    let pod = Self.pod(annotations: asked.map { ["eks.amazonaws.com/token-expiration": .string($0)] } ?? .null)
    let patch = Self.decide(pod, association: true, settings: .init(identityExpiration: 80_000)).value
    let token = patch?[1]["value"][0]["projected"]["sources"][0]["serviceAccountToken"]
    #expect(token?["expirationSeconds"].int == seconds)
  }

  @Test func withoutARole() {
    #expect(Self.decide(Self.pod(), account: .null).reasons.map(\.code) == ["admission/pod-identity/no-role"])
    #expect(Self.decide(Self.pod(), account: ["metadata": [:]]).isNo)
  }

  @Test func anAssociationGoesFirst() throws {
    let patch = try #require(Self.decide(Self.pod(), association: true).value)
    #expect(patch.items.map { $0["path"].string } == ["/metadata/labels", "/spec/volumes", "/spec/containers"])
    #expect(Self.env(patch) == ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
    #expect(
      patch[2]["value"][0]["env"][1]["value"].string
        == "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token")
  }

  @Test func windowsPaths() {
    var pod = Self.pod()
    pod["spec"]["nodeSelector"] = ["kubernetes.io/os": "windows"]
    let containers = Self.decide(pod).value?.items.last?["value"][0]
    #expect(
      containers?["env"][1]["value"].string
        == "C:\\var\\run\\secrets\\eks.amazonaws.com\\serviceaccount\\token")
  }
}
