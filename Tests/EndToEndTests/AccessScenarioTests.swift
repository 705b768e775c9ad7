import Evidence
import Foundation
import Testing
import Trials
import Why
import Wire

/// From an IAM principal to RBAC: cases of the field, made by public calls, asked, cured by the printed command.
@Suite(.serialized, .enabled(if: Clients.both))
struct AccessScenarioTests {
  private static let arn = "arn:aws:iam::\(IdentityScene.account):role"

  @Test func whoGetsIn() async throws {
    let scene = try await IdentityScene(mode: "API_AND_CONFIG_MAP")
    for role in ["dev", "ops", "ci"] { try await scene.role(role) }
    try await scene.role("team", path: "/people/")

    try await strangersAndNearMisses(scene)
    try await anEntryBeforeAWSAuth(scene)
    try await scopesAndBindings(scene)
    try await rolesThatAreMadeAnew(scene)
    try await assumingRoles(scene)
    await scene.end()
  }

  /// A role that nothing maps, a path, a pattern, broken YAML.
  private func strangersAndNearMisses(_ scene: IdentityScene) async throws {
    let dev = try await scene.session("dev")
    let refused = try await scene.whoami(as: dev)
    #expect(refused.status != 0 && refused.all.contains("You must be logged in to the server"), "\(refused.all)")

    var answer = try await scene.symptom("error: You must be logged in to the server (Unauthorized)", as: dev)
    #expect(answer.gaps.contains { $0.gap.why.contains("AccessDenied") }, "a role without rights reads nothing of AWS")
    try await scene.call(
      "iam", "AttachRolePolicy",
      ["RoleName": "dev", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"])
    answer = try await scene.symptom("error: You must be logged in to the server (Unauthorized)", as: dev)
    #expect(scene.roots(answer) == ["identity/principal-not-mapped"], "\(answer.summary)")
    #expect(answer.summary.contains("role dev can't sign in to the cluster"))

    // With its path the line matches nobody, whatever the role's ARN is.
    let line = "- rolearn: \(Self.arn)/people/team\n  username: team\n  groups: [system:masters]\n"
    try scene.awsAuth(line)
    let team = try await scene.can("role/team", "get pods")
    #expect(scene.roots(team) == ["identity/mapping-near-miss"], "\(team.summary)")
    #expect(team.roots.first?.cause.statement.contains("carries the role's path") == true)
    try scene.cure(team)
    #expect(try await scene.can("role/team", "get pods").verdict == "yes")

    try scene.awsAuth("- rolearn: \(Self.arn)/o*\n  username: ops\n  groups: [system:masters]\n")
    #expect(scene.roots(try await scene.can("role/ops", "get pods")) == ["identity/mapping-wildcard"])
    try scene.awsAuth("- rolearn: \(Self.arn)/ops\n username: ops\n   groups: [system:masters]\n")
    #expect(scene.roots(try await scene.can("role/ops", "get pods")) == ["identity/aws-auth-unreadable"])
    try scene.kubectl("-n kube-system delete configmap aws-auth")

    let ops = try await scene.can("role/ops", "list pods", namespace: "shop")
    #expect(scene.roots(ops) == ["identity/principal-not-mapped"])
    try scene.cure(ops)
    #expect(try await scene.can("role/ops", "list pods", namespace: "shop").verdict == "yes")
    let whoami = try await scene.whoami(as: try await scene.session("ops"))
    #expect(whoami.all.contains("assumed-role/ops/me"), "\(whoami.all)")
  }

  /// Access entries go before aws-auth, and lose what it gave.
  private func anEntryBeforeAWSAuth(_ scene: IdentityScene) async throws {
    try scene.kubectl("create namespace shop")
    try scene.kubectl("-n shop create rolebinding devs --clusterrole=view --group=devs")
    try scene.awsAuth("- rolearn: \(Self.arn)/ci\n  username: ci\n  groups: [devs]\n")
    #expect(try await scene.can("role/ci", "get pods", namespace: "shop").verdict == "yes")
    try await scene.call(
      "eks", "CreateAccessEntry", ["clusterName": "demo", "principalArn": .string("\(Self.arn)/ci")])
    let answer = try await scene.can("role/ci", "get pods", namespace: "shop")
    #expect(scene.roots(answer) == ["identity/entry-hides-aws-auth"], "\(answer.summary)")
    try scene.cure(answer)
    #expect(try await scene.can("role/ci", "get pods", namespace: "shop").verdict == "yes")
  }

  /// Let in and not allowed: other namespaces, no binding, what kubectl prints of it.
  private func scopesAndBindings(_ scene: IdentityScene) async throws {
    let token = try await token(of: "ops", scene)
    let text = try scene.kubectlOutcome(token: token, "-n web get pods")
    #expect(text.all.contains("is forbidden: User"), "\(text.all)")
    let answer = try await scene.symptom(text.errors)
    #expect(scene.roots(answer) == ["identity/access-policy-scope"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    try scene.cure(answer)
    #expect(try scene.kubectlOutcome(token: token, "-n web get pods").status == 0)
    #expect(try scene.kubectlOutcome(token: token, "-n shop get pods").status == 0, "the old scope stays")

    let console = try await scene.symptom(
      "Your current IAM principal doesn't have access to Kubernetes objects on this EKS cluster.",
      as: try await scene.session("dev"))
    #expect(scene.roots(console) == ["identity/principal-not-mapped"])

    try scene.kubectl("-n shop create serviceaccount app")
    let account = try scene.kubectlOutcome(
      token: token, "-n shop get secrets --as system:serviceaccount:shop:app")
    let forbidden = try await scene.symptom(
      account.errors.contains("impersonate")
        ? "Error from server (Forbidden): secrets is forbidden: User \"system:serviceaccount:shop:app\" cannot list resource \"secrets\" in API group \"\" in the namespace \"shop\""
        : account.errors)
    #expect(scene.roots(forbidden) == ["identity/nothing-grants-it"])
    try scene.cure(forbidden)
    #expect(
      try scene.kubectl("-n shop auth can-i list secrets --as system:serviceaccount:shop:app").contains("yes"))
  }

  /// An access entry remembers the role that it was made for.
  private func rolesThatAreMadeAnew(_ scene: IdentityScene) async throws {
    let ops = try await token(of: "ops", scene)
    #expect(try scene.kubectlOutcome(token: ops, "auth whoami").status == 0)
    try await scene.call("iam", "DeleteRole", ["RoleName": "ops"])
    let gone = try await scene.can("role/ops", "get pods", namespace: "shop")
    #expect(scene.roots(gone) == ["identity/no-such-principal"])
    try await scene.role("ops")
    let answer = try await scene.can("role/ops", "get pods", namespace: "shop")
    #expect(scene.roots(answer) == ["identity/access-entry-of-deleted-role"], "\(answer.summary)")
    try scene.cure(answer)
    #expect(try await scene.can("role/ops", "get pods", namespace: "shop").verdict == "yes")
  }

  private func assumingRoles(_ scene: IdentityScene) async throws {
    let dev = try await scene.session("dev")
    let client = IdentityScene.client(scene.environment.merging(dev) { $1 })
    var text = ""
    do {
      _ = try await client.call(
        service: "sts", operation: "AssumeRole",
        input: ["RoleArn": .string("\(Self.arn)/node"), "RoleSessionName": "session"])
    } catch let failure as AWSClient.Failure { text = failure.description }
    await client.close()
    #expect(text.hasPrefix("AccessDenied: User: "))
    let answer = try await scene.symptom("An error occurred (AccessDenied): \(text)")
    #expect(scene.roots(answer) == ["identity/trust-policy-differs"], "\(answer.summary)")
    #expect(answer.chain.contains { $0.code == "identity/cloudtrail-records" })
  }

  /// Whom the cluster maps, and whose tokens it doesn't take; whom it maps no more; who goes on with an old token.
  @Test func tokens() async throws {
    let scene = try await IdentityScene()
    let path = "\(scene.eks.state)/own-kubeconfig"
    let own = ["KUBECONFIG": path]
    func configure(_ cluster: String) throws {
      let outcome = try Shell.run(
        "aws", ["eks", "update-kubeconfig", "--name", cluster, "--kubeconfig", path], environment: scene.environment)
      try #require(outcome.status == 0, "\(outcome.all)")
    }
    try configure("demo")
    let good = try String(contentsOfFile: path, encoding: .utf8)
    let unauthorized = "error: You must be logged in to the server (Unauthorized)"
    // A name that is not the cluster's: STS finds the signature of its token wrong.
    try good.replacing("- demo\n", with: "- dmeo\n").write(toFile: path, atomically: true, encoding: .utf8)
    let refused = try scene.eks.kubectlOutcome("get pods", environment: scene.environment.merging(own) { $1 })
    #expect(refused.all.contains("You must be logged in to the server"), "\(refused.all)")
    let misspelt = try await scene.symptom(unauthorized, cluster: nil, kubeconfig: path)
    #expect(scene.roots(misspelt) == ["identity/token-cluster"], "\(misspelt.summary) \(misspelt.gaps.map(\.gap))")
    try scene.cure(misspelt, environment: own)
    #expect(try scene.eks.kubectlOutcome("get pods", environment: scene.environment.merging(own) { $1 }).status == 0)

    // With the log of the authenticator on, refusals of tokens are told from it.
    try await scene.update([
      "logging": ["clusterLogging": [["types": ["authenticator", "audit"], "enabled": true]]]
    ])
    let client = IdentityScene.client(scene.environment)
    let wrong = try await client.eksToken(cluster: "other", region: "us-east-1")
    await client.close()
    #expect(try scene.kubectlOutcome(token: wrong, "get pods").status != 0)
    let logged = try await scene.symptom(unauthorized, kubeconfig: path)
    #expect(scene.roots(logged) == ["identity/token-cluster"], "\(logged.summary) \(logged.gaps.map(\.gap))")
    #expect(logged.chain.contains { $0.code == "identity/token-refusals" })

    try await theEndpointIsClosed(scene, path)
    try await nobodyIsMapped(scene, path, configure)
    try await oldTokens(scene, path, configure)
    await scene.end()
  }

  /// The public endpoint takes connections from elsewhere only.
  private func theEndpointIsClosed(_ scene: IdentityScene, _ path: String) async throws {
    let environment = scene.environment.merging(["KUBECONFIG": path]) { $1 }
    try await scene.update(["resourcesVpcConfig": ["publicAccessCidrs": ["192.0.2.0/24"]]])
    let shut = try scene.eks.kubectlOutcome("get --raw /readyz --request-timeout 1s", environment: environment)
    #expect(shut.status != 0, "\(shut.all)")
    let answer = try await scene.symptom(
      "Unable to connect to the server: dial tcp 203.0.113.7:443: i/o timeout", kubeconfig: path, timeoutSeconds: 1)
    #expect(scene.roots(answer) == ["identity/endpoint-not-admitted"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    try scene.cure(answer)
    let open = try scene.eks.kubectlOutcome("get --raw /readyz", environment: environment)
    #expect(open.output.hasPrefix("ok"), "\(open.all)")
  }

  /// A cluster in mode CONFIG_MAP whose maker is gone: nobody can write aws-auth.
  private func nobodyIsMapped(_ scene: IdentityScene, _ path: String, _ configure: (String) throws -> Void) async throws
  {
    try await scene.role("ci")
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    try await scene.call("iam", "AttachRolePolicy", ["RoleName": "ci", "PolicyArn": .string(admin)])
    let maker = IdentityScene.client(scene.environment.merging(try await scene.session("ci")) { $1 })
    let subnets = JSON(
      try await scene.call("ec2", "DescribeSubnets", [:])["Subnets"].items.compactMap { $0["SubnetId"].string })
    _ = try await maker.call(
      service: "eks", operation: "CreateCluster",
      input: [
        "name": "locked", "roleArn": .string("\(Self.arn)/cluster"), "resourcesVpcConfig": ["subnetIds": subnets],
        "accessConfig": ["authenticationMode": "CONFIG_MAP"],
      ])
    await maker.close()
    try await scene.until("an ACTIVE cluster") {
      try await scene.call("eks", "DescribeCluster", ["name": "locked"])["cluster"]["status"].string == "ACTIVE"
    }
    try await scene.call("iam", "DetachRolePolicy", ["RoleName": "ci", "PolicyArn": .string(admin)])
    try await scene.call("iam", "DeleteRole", ["RoleName": "ci"])
    try configure("locked")
    let own = ["KUBECONFIG": path]
    let answer = try await scene.symptom(
      "error: You must be logged in to the server (Unauthorized)", cluster: "locked", kubeconfig: path)
    #expect(scene.roots(answer) == ["identity/principal-not-mapped"], "\(answer.summary) \(answer.gaps.map(\.gap))")
    #expect(answer.roots.first?.cause.statement.contains("role/ci, which is gone") == true)
    try scene.cure(answer, environment: own)
    let outcome = try scene.eks.kubectlOutcome("auth whoami", environment: scene.environment.merging(own) { $1 })
    #expect(outcome.status == 0, "\(outcome.all)")
  }

  /// A program that never reads its token anew, as the audit log has it.
  private func oldTokens(_ scene: IdentityScene, _ path: String, _ configure: (String) throws -> Void) async throws {
    try configure("demo")
    let pod =
      #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"app"},"spec":{"containers":[{"name":"c","image":"nginx"}]}}"#
    try scene.kubectl("create -f -", input: pod)
    let uid = try scene.kubectl("get pod app -o jsonpath={.metadata.uid}")
    let token = try scene.kubectl(
      "create token default --duration 3607s --bound-object-kind Pod --bound-object-name app --bound-object-uid \(uid)"
    ).trimmingCharacters(in: .whitespacesAndNewlines)
    try scene.advance("2h")
    #expect(try scene.kubectlOutcome(token: token, "auth whoami").status == 0, "it is taken beyond its hour")
    let answer = try await scene.symptom("Unauthorized", kubeconfig: path)
    #expect(scene.roots(answer).contains("identity/stale-service-account-token"), "\(answer.gaps.map(\.gap))")
  }

  private func token(of role: String, _ scene: IdentityScene) async throws -> String {
    let client = IdentityScene.client(scene.environment.merging(try await scene.session(role)) { $1 })
    let token = try await client.eksToken(cluster: "demo", region: "us-east-1")
    await client.close()
    return token
  }
}
