import Evidence
import Foundation
import Testing
import Wire

/// Pods that call AWS: by a service account's role, by Pod Identity, by their node's role; each as the real clients
/// set it up, and each failing for its own reason.
@Suite(.serialized, .enabled(if: Clients.both))
struct PodCredentialTests {
  static let account = "000000000000"

  /// A role that the service account `default/app` may assume by the cluster's issuer.
  static func role(_ eks: LocalEKSProcess, issuer: String, subject: String, name: String = "app") throws {
    let host = issuer.replacing("https://", with: "")
    let trust: JSON = [
      "Version": "2012-10-17",
      "Statement": [
        [
          "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
          "Principal": ["Federated": .string("arn:aws:iam::\(account):oidc-provider/\(host)")],
          "Condition": [
            "StringEquals": ["\(host):sub": .string(subject), "\(host):aud": "sts.amazonaws.com"]
          ],
        ]
      ],
    ]
    try eks.aws("iam create-role --role-name \(name) --assume-role-policy-document '\(trust.text())'")
  }

  static func pod(_ name: String, account: String = "app", more: JSON = .emptyObject) -> String {
    var spec: JSON = [
      "serviceAccountName": .string(account),
      "containers": [
        ["name": "cli", "image": "amazon/aws-cli", "command": ["sleep", "infinity"]]
      ],
    ]
    for field in more.fields { spec[field.key] = field.value }
    return (["apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name)], "spec": spec] as JSON).text()
  }

  static func start(_ eks: LocalEKSProcess, _ pod: String, _ name: String) throws {
    try eks.kubectl("apply -f -", input: pod)
    try eks.kubectl("wait pod/\(name) --for=condition=Ready --timeout=60s")
  }

  @Test func irsa() async throws {
    let cluster = try await QuickCluster(nodes: 1)
    let eks = cluster.eks
    let environment = ["KUBECONFIG": "\(eks.state)/kubeconfig"]
    func kubectl(_ line: String, input: String? = nil) throws -> Outcome {
      try eks.kubectlOutcome(line, input: input, environment: environment)
    }
    let issuer = try eks.aws("eks describe-cluster --name demo")["cluster"]["identity"]["oidc"]["issuer"].string ?? ""
    #expect(issuer.hasPrefix("https://oidc.eks.us-east-1.amazonaws.com/id/"))
    try Self.role(eks, issuer: issuer, subject: "system:serviceaccount:default:app")
    _ = try kubectl("create serviceaccount app")
    _ = try kubectl(
      "annotate serviceaccount app eks.amazonaws.com/role-arn=arn:aws:iam::\(Self.account):role/app")
    _ = try kubectl("apply -f -", input: Self.pod("app"))
    #expect(try kubectl("wait pod/app --for=condition=Ready --timeout=60s").status == 0)

    // The webhook's patch, as EKS's own.
    let made = try JSON.parse(kubectl("get pod app -o json").output)
    let env = made["spec"]["containers"][0]["env"].items.compactMap { $0["name"].string }
    #expect(
      env == [
        "AWS_STS_REGIONAL_ENDPOINTS", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
      ])
    #expect(made["spec"]["volumes"][0]["name"].string == "aws-iam-token")

    // No provider in IAM yet.
    let early = try kubectl("exec app -- aws sts get-caller-identity")
    #expect(early.status == 254)
    #expect(
      early.all.contains(
        "An error occurred (InvalidIdentityToken) when calling the AssumeRoleWithWebIdentity operation: "
          + "No OpenIDConnect provider found in your account for \(issuer)"), "\(early.all)")
    try eks.aws("iam create-open-id-connect-provider --url \(issuer) --client-id-list sts.amazonaws.com")
    let identity = try kubectl("exec app -- aws sts get-caller-identity")
    #expect(identity.status == 0, "\(identity.all)")
    #expect(
      try JSON.parse(identity.output)["Arn"].string?.hasPrefix(
        "arn:aws:sts::\(Self.account):assumed-role/app/botocore-session-") == true)
    let denied = try kubectl("exec app -- aws s3 ls")
    #expect(denied.status == 254)
    #expect(denied.all.contains("because no identity-based policy allows the s3:ListAllMyBuckets action"))
    try eks.aws("iam attach-role-policy --role-name app --policy-arn arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy")
    let subnets = try kubectl(
      "exec app -- aws ec2 describe-instances --query Reservations[].Instances[].State.Name --output text")
    #expect(subnets.output == "running\n", "\(subnets.all)")

    // The token that leaves the pod is signed: the real STS client takes it outside as well.
    let token = try kubectl("exec app -- cat /var/run/secrets/eks.amazonaws.com/serviceaccount/token").output
    let outside = try eks.aws(
      "sts assume-role-with-web-identity --role-arn arn:aws:iam::\(Self.account):role/app --role-session-name me --web-identity-token \(token) --no-sign-request"
    )
    #expect(outside["SubjectFromWebIdentityToken"].string == "system:serviceaccount:default:app")
    #expect(outside["Audience"].string == "sts.amazonaws.com")
    var letters = Array(token)
    letters[letters.count / 2] = letters[letters.count / 2] == "A" ? "B" : "A"
    for (bad, text) in [
      ("\(String(letters))", "InvalidIdentityToken"), ("abcd", "not a valid JWT"),
      ("eyJhbGciOiJub25lIn0.\(token.split(separator: ".")[1]).", "not a valid JWT"),
    ] {
      let refused = try eks.awsOutcome(
        "sts assume-role-with-web-identity --role-arn arn:aws:iam::\(Self.account):role/app --role-session-name me --web-identity-token \(bad) --no-sign-request"
      )
      #expect(refused.status != 0 && refused.all.contains(text), "\(refused.all)")
    }

    // Another account of the cluster is not the one that is trusted.
    _ = try kubectl("create serviceaccount other")
    _ = try kubectl(
      "annotate serviceaccount other eks.amazonaws.com/role-arn=arn:aws:iam::\(Self.account):role/app")
    _ = try kubectl("apply -f -", input: Self.pod("other", account: "other"))
    _ = try kubectl("wait pod/other --for=condition=Ready --timeout=60s")
    let stranger = try kubectl("exec other -- aws sts get-caller-identity")
    #expect(
      stranger.all.contains(
        "An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: Not authorized to "
          + "perform sts:AssumeRoleWithWebIdentity"), "\(stranger.all)")

    // Without a role of its own a pod has its node's, as far as the metadata service's answers reach.
    _ = try kubectl("apply -f -", input: Self.pod("plain", account: "default"))
    _ = try kubectl("wait pod/plain --for=condition=Ready --timeout=60s")
    let node = try kubectl("exec plain -- aws sts get-caller-identity --query Arn --output text")
    #expect(node.output.hasPrefix("arn:aws:sts::\(Self.account):assumed-role/node/i-"), "\(node.all)")
    let instance = node.output.split(separator: "/").last.map(String.init)?.trimmingCharacters(in: .newlines) ?? ""
    try eks.aws(
      "ec2 modify-instance-metadata-options --instance-id \(instance) --http-put-response-hop-limit 1 --http-tokens required"
    )
    let cut = try kubectl("exec plain -- aws sts get-caller-identity")
    #expect(cut.status == 253)
    #expect(cut.all.contains("Unable to locate credentials."), "\(cut.all)")

    // What the issuer publishes, at the cluster's port.
    let keys = try Shell.run(
      "curl", ["-sk", "\(cluster.endpoint)/id/\(issuer.split(separator: "/").last ?? "")/keys"],
      environment: eks.environment)
    #expect(try JSON.parse(keys.output)["keys"][0]["alg"].string == "RS256")

    try await podIdentity(eks, environment)
  }

  /// EKS Pod Identity on the same cluster: each step that is missing is named, and its remedy carried out.
  private func podIdentity(_ eks: LocalEKSProcess, _ environment: [String: String]) async throws {
    func kubectl(_ line: String, input: String? = nil) throws -> Outcome {
      try eks.kubectlOutcome(line, input: input, environment: environment)
    }
    func why() throws -> JSON {
      let asked = try Shell.run(
        LocalEKSProcess.binary, ["credentials/pi", "--cluster", "demo", "-o", "json"],
        environment: eks.environment.merging(environment) { $1 })
      return try JSON.parse(asked.output)
    }
    func trust(_ actions: String) -> String {
      #"'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":[\#(actions)]}]}'"#
    }
    let both = #""sts:AssumeRole","sts:TagSession""#
    try eks.aws(#"iam create-role --role-name pods --assume-role-policy-document \#(trust(#""sts:AssumeRole""#))"#)
    let create =
      "eks create-pod-identity-association --cluster-name demo --namespace default --service-account pi --role-arn arn:aws:iam::\(Self.account):role/pods"
    let early = try eks.awsOutcome(create)
    #expect(early.all.contains("Trust policy of the role provided is invalid."), "\(early.all)")
    try eks.aws("iam update-assume-role-policy --role-name pods --policy-document \(trust(both))")
    try eks.aws(create)
    _ = try kubectl("create serviceaccount pi")
    _ = try kubectl("apply -f -", input: Self.pod("pi", account: "pi"))
    #expect(try kubectl("wait pod/pi --for=condition=Ready --timeout=60s").status == 0)
    let alone = try kubectl("exec pi -- aws sts get-caller-identity")
    #expect(alone.status == 255)
    #expect(
      alone.all.contains("Could not connect to the endpoint URL: \"http://169.254.170.23/v1/credentials\""),
      "\(alone.all)")
    #expect(try why()["roots"][0]["code"].string == "identity/no-pod-identity-agent")
    try eks.aws("eks create-addon --cluster-name demo --addon-name eks-pod-identity-agent")
    try eks.aws("eks wait addon-active --cluster-name demo --addon-name eks-pod-identity-agent")
    let got = try kubectl("exec pi -- aws sts get-caller-identity --query Arn --output text")
    #expect(got.output.hasPrefix("arn:aws:sts::\(Self.account):assumed-role/pods/eks-demo-pi-"), "\(got.all)")
    try eks.aws(
      #"iam update-assume-role-policy --role-name pods --policy-document \#(trust(#""sts:AssumeRole""#))"#)
    let refused = try kubectl("exec pi -- aws sts get-caller-identity")
    #expect(
      refused.all.contains(
        "(AccessDeniedException): Unauthorized Exception! EKS does not have permissions to assume the associated role., "
          + "fault: client"), "\(refused.all)")
    #expect(try why()["roots"][0]["code"].string == "identity/role-does-not-trust-pod-identity")
  }
}
