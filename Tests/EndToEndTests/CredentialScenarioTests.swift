import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// AWS credentials of pods: cases of the field, made by public calls, asked, cured by the printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct CredentialScenarioTests {
  private static let account = IdentityScene.account

  @Test func whatPodsGet() async throws {
    let scene = try await IdentityScene(nodes: 1)
    let issuer =
      try await scene.call("eks", "DescribeCluster", ["name": "demo"])["cluster"]["identity"]["oidc"]["issuer"].string
      ?? ""
    let host = issuer.replacing("https://", with: "")
    for namespace in ["shop", "bare"] { try scene.kubectl("create namespace \(namespace)") }
    try await scene.role("app", trust: trust(host, "system:serviceaccount:shop:app"))

    try await noProvider(scene)
    try await anotherAccountThanIsTrusted(scene)
    try await olderThanItsRole(scene)
    try await theWebhookFailsOpen(scene)
    try await anAssociationAfterThePod(scene)
    try await aTargetRole(scene, agent: try await scene.subject("credentials", "app", namespace: "shop"))
    try await noWayToEKSAuth(scene)
    try await noWayToTheNode(scene)
    await scene.end()
  }

  private func trust(_ host: String, _ subject: String) -> JSON {
    [
      "Version": "2012-10-17",
      "Statement": [
        [
          "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
          "Principal": ["Federated": .string("arn:aws:iam::\(Self.account):oidc-provider/\(host)")],
          "Condition": [
            "StringEquals": ["\(host):sub": .string(subject), "\(host):aud": "sts.amazonaws.com"]
          ],
        ]
      ],
    ]
  }

  private func account(_ scene: IdentityScene, _ name: String, role: String? = "app", namespace: String = "shop") throws
  {
    var object: JSON = [
      "apiVersion": "v1", "kind": "ServiceAccount",
      "metadata": ["name": .string(name), "namespace": .string(namespace)],
    ]
    if let role {
      object["metadata"]["annotations"] = [
        "eks.amazonaws.com/role-arn": .string("arn:aws:iam::\(Self.account):role/\(role)")
      ]
    }
    try scene.kubectl("apply -f -", input: object.text())
  }

  private func pod(_ scene: IdentityScene, _ name: String, account: String, namespace: String = "shop") throws {
    let object: JSON = [
      "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "namespace": .string(namespace)],
      "spec": [
        "serviceAccountName": .string(account),
        "containers": [["name": "cli", "image": "amazon/aws-cli", "command": ["sleep", "infinity"]]],
      ],
    ]
    try scene.kubectl("apply -f -", input: object.text())
    try scene.kubectl("-n \(namespace) wait pod/\(name) --for=condition=Ready --timeout=60s")
  }

  private func calls(_ scene: IdentityScene, _ pod: String, namespace: String = "shop") throws -> Outcome {
    try scene.eks.kubectlOutcome(
      "-n \(namespace) exec \(pod) -- aws sts get-caller-identity --query Arn --output text",
      environment: scene.environment)
  }

  private func noProvider(_ scene: IdentityScene) async throws {
    try account(scene, "app")
    try pod(scene, "app", account: "app")
    let text = try calls(scene, "app").all
    #expect(text.contains("No OpenIDConnect provider found in your account"), "\(text)")
    let answer = try await scene.symptom(text, namespace: "shop")
    #expect(scene.roots(answer) == ["identity/no-oidc-provider"], "\(answer.summary)")
    try scene.cure(answer)
    #expect(try calls(scene, "app").output.contains("assumed-role/app/"))
    let healthy = try await scene.subject("credentials", "app", namespace: "shop")
    #expect(healthy.status == .healthy, "\(healthy.summary)")
  }

  private func anotherAccountThanIsTrusted(_ scene: IdentityScene) async throws {
    try account(scene, "cart")
    try pod(scene, "cart", account: "cart")
    let text = try calls(scene, "cart").all
    #expect(text.contains("Not authorized to perform sts:AssumeRoleWithWebIdentity"), "\(text)")
    let answer = try await scene.subject("credentials", "cart", namespace: "shop")
    #expect(scene.roots(answer) == ["identity/trust-policy-differs"])
    let root = try #require(answer.roots.first?.cause.statement)
    #expect(root.contains("system:serviceaccount:shop:app") && root.contains("system:serviceaccount:shop:cart"))
    try scene.cure(answer)
    #expect(try calls(scene, "cart").output.contains("assumed-role/app/"))
    #expect(try calls(scene, "app").output.contains("assumed-role/app/"), "the one that was trusted still is")
  }

  private func olderThanItsRole(_ scene: IdentityScene) async throws {
    try account(scene, "old", role: nil)
    try pod(scene, "old", account: "old")
    try await Task.sleep(for: .seconds(1.1))
    try account(scene, "old")
    let answer = try await scene.subject("credentials", "old", namespace: "shop")
    #expect(scene.roots(answer) == ["identity/pod-older-than-its-role"], "\(answer.summary)")
    // What AWS says to it names the node's role.
    let arn = try calls(scene, "old").trimmed
    #expect(arn.contains("assumed-role/node/i-"))
    let denied = try await scene.symptom(
      "User: \(arn) is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action"
    )
    #expect(scene.roots(denied).contains("identity/pod-older-than-its-role"), "\(denied.summary)")
    try scene.cure(answer)
    try scene.kubectl("-n shop wait pod/old --for=condition=Ready --timeout=60s")
    let cured = try await scene.subject("credentials", "old", namespace: "shop")
    #expect(scene.roots(cured) == ["identity/trust-policy-differs"], "it has its variables now: \(cured.summary)")
  }

  private func theWebhookFailsOpen(_ scene: IdentityScene) async throws {
    let patch = "patch mutatingwebhookconfiguration pod-identity-webhook --type json -p"
    let url = try scene.kubectl(
      "get mutatingwebhookconfiguration pod-identity-webhook -o jsonpath={.webhooks[0].clientConfig.url}")
    func set(_ url: String) throws {
      try scene.kubectl(#"\#(patch) '[{"op":"replace","path":"/webhooks/0/clientConfig/url","value":"\#(url)"}]'"#)
    }
    try set("https://127.0.0.1:1/mutate")
    try await Task.sleep(for: .seconds(1.1))
    try pod(scene, "missed", account: "app")
    try set(url)
    let answer = try await scene.subject("credentials", "missed", namespace: "shop")
    #expect(scene.roots(answer) == ["identity/webhook-missed-pod"], "\(answer.summary)")
    #expect(answer.roots.first?.cause.statement.contains("its failure policy is Ignore") == true)
    let may = try await scene.can("pod/missed", "s3:ListAllMyBuckets", namespace: "shop")
    #expect(may.verdict == "no" && scene.roots(may).contains("identity/webhook-missed-pod"))
    try scene.cure(answer)
    try scene.kubectl("-n shop wait pod/missed --for=condition=Ready --timeout=60s")
    #expect(try calls(scene, "missed").output.contains("assumed-role/app/"))
  }

  /// An association works for pods that are made after it.
  private func anAssociationAfterThePod(_ scene: IdentityScene) async throws {
    try await scene.role(
      "pods",
      trust: [
        "Version": "2012-10-17",
        "Statement": [
          [
            "Effect": "Allow", "Principal": ["Service": "pods.eks.amazonaws.com"],
            "Action": ["sts:AssumeRole", "sts:TagSession"],
          ]
        ],
      ])
    try await Task.sleep(for: .seconds(1.1))
    try await scene.call(
      "eks", "CreatePodIdentityAssociation",
      [
        "clusterName": "demo", "namespace": "shop", "serviceAccount": "app",
        "roleArn": .string("arn:aws:iam::\(Self.account):role/pods"),
      ])
    let answer = try await scene.subject("credentials", "app", namespace: "shop")
    #expect(scene.roots(answer) == ["identity/pod-older-than-its-role"], "\(answer.summary)")
    // What is read of the pod holds the old role's variables: it is made anew from its manifest.
    #expect(answer.roots.first?.cause.fixes.first?.command == nil)
    try scene.kubectl("-n shop delete pod app --now")
    try pod(scene, "app", account: "app")
    let agent = try await scene.subject("credentials", "app", namespace: "shop")
    #expect(scene.roots(agent) == ["identity/no-pod-identity-agent"], "\(agent.summary)")
    let old = try await scene.symptom(
      "HTTP credential provider invalid endpoint host, \"169.254.170.23\", only loopback hosts are allowed",
      namespace: "shop")
    #expect(scene.roots(old) == ["identity/sdk-too-old"])
  }

  /// The association's role has to be let on by its target: by the target's trust, or by the role's own policies.
  private func aTargetRole(_ scene: IdentityScene, agent: Answer) async throws {
    try scene.cure(agent)
    try await scene.until("the agent") {
      try await scene.call("eks", "DescribeAddon", ["clusterName": "demo", "addonName": "eks-pod-identity-agent"])[
        "addon"]["status"].string == "ACTIVE"
    }
    try await scene.until("credentials by the agent") {
      try calls(scene, "app").output.contains("assumed-role/pods/")
    }
    func trusting(_ principal: String) -> JSON {
      [
        "Version": "2012-10-17",
        "Statement": [
          [
            "Effect": "Allow", "Principal": ["AWS": .string(principal)],
            "Action": ["sts:AssumeRole", "sts:TagSession"],
          ]
        ],
      ]
    }
    try await scene.role("target", trust: trusting("arn:aws:iam::\(Self.account):role/node"))
    try await scene.role("lax", trust: trusting("arn:aws:iam::\(Self.account):root"))
    let id = try await scene.call("eks", "ListPodIdentityAssociations", ["clusterName": "demo"])["associations"].items
      .first { $0["serviceAccount"].string == "app" }?["associationId"]
    for (target, root) in [("target", "identity/trust-policy-differs"), ("lax", "identity/no-policy-allows-it")] {
      try await scene.call(
        "eks", "UpdatePodIdentityAssociation",
        [
          "clusterName": "demo", "associationId": try #require(id),
          "targetRoleArn": .string("arn:aws:iam::\(Self.account):role/\(target)"),
        ])
      try scene.kubectl("-n shop delete pod app --now")
      try pod(scene, "app", account: "app")
      let answer = try await scene.subject("credentials", "app", namespace: "shop")
      #expect(scene.roots(answer) == [root], "\(answer.summary) \(answer.gaps.map(\.gap))")
      try scene.cure(answer)
      try await scene.until("credentials of the target") {
        try calls(scene, "app").output.contains("assumed-role/\(target)/")
      }
      let well = try await scene.subject("credentials", "app", namespace: "shop")
      #expect(well.status == .healthy, "\(well.summary)")
    }
  }

  /// The agent asks EKS Auth over the node's network: a VPC without a way out needs an endpoint for it.
  private func noWayToEKSAuth(_ scene: IdentityScene) async throws {
    try await scene.update(["resourcesVpcConfig": ["endpointPrivateAccess": true]])
    let table = try await scene.call("ec2", "DescribeRouteTables", [:])["RouteTables"][0]
    let way = try #require(table["Routes"].items.first { $0["DestinationCidrBlock"] == "0.0.0.0/0" })
    try await scene.call(
      "eks", "CreatePodIdentityAssociation",
      [
        "clusterName": "demo", "namespace": "shop", "serviceAccount": "late",
        "roleArn": .string("arn:aws:iam::\(Self.account):role/pods"),
      ])
    try account(scene, "late", role: nil)
    try pod(scene, "late", account: "late")
    var route: JSON = ["RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0"]
    try await scene.call("ec2", "DeleteRoute", route)
    #expect(try calls(scene, "late").all.contains("Error when retrieving credentials from container-role"))
    let answer = try await scene.subject("credentials", "late", namespace: "shop")
    #expect(scene.roots(answer) == ["packets/no-route"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    #expect(answer.chain.contains { $0.statement.contains("does not reach EKS Auth") })
    try scene.cure(answer)
    try await scene.until("credentials by the endpoint") {
      // STS itself is still out of reach.
      try calls(scene, "late").all.contains("https://sts.us-east-1.amazonaws.com/")
    }
    #expect(try await scene.subject("credentials", "late", namespace: "shop").roots.isEmpty)
    route["GatewayId"] = way["GatewayId"]
    try await scene.call("ec2", "CreateRoute", route)
  }

  private func noWayToTheNode(_ scene: IdentityScene) async throws {
    try pod(scene, "plain", account: "default", namespace: "bare")
    let reached = try await scene.can("pod/plain", "ec2:DescribeInstances", namespace: "bare")
    #expect(reached.verdict == "nothing-readable-denies-it", "\(reached.summary)")
    let instance =
      try scene.kubectl("get nodes -o jsonpath={.items[0].spec.providerID}").split(separator: "/").last ?? ""
    try await scene.call(
      "ec2", "ModifyInstanceMetadataOptions",
      ["InstanceId": .string(String(instance)), "HttpPutResponseHopLimit": 1, "HttpTokens": "required"])
    let text = try calls(scene, "plain", namespace: "bare").all
    #expect(text.contains("Unable to locate credentials"), "\(text)")
    let answer = try await scene.symptom(text, namespace: "bare")
    #expect(scene.roots(answer) == ["identity/pod-without-credentials"], "\(answer.summary)")
    #expect(answer.roots.first?.cause.statement.contains("hop limit of 1") == true)
    #expect(try await scene.can("pod/plain", "ec2:DescribeInstances", namespace: "bare").verdict == "no")
  }
}
