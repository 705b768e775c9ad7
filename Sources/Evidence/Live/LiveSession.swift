import Foundation
import Wire

/// The live evidence of one kubeconfig context: the API server, and AWS once it is shown to be the same cluster.
package struct LiveSession: Sendable {
  package struct Options: Sendable {
    package var kubeconfig: String?
    package var context: String?
    package var cluster: String?
    package var region: String?
    package var profile: String?
    package var roleARN: String?
    package var impersonate: String?
    package var timeoutSeconds = 10
    /// Told of each read before it is sent.
    package var announce: @Sendable (Read) -> Void = { _ in }
    package var environment = ProcessInfo.processInfo.environment

    package init() {}
  }

  package var source: MixedSource
  package var identity: ClusterIdentity
  package var namespace: String?
  /// Endpoint and CA of the context.
  package var kubernetes: [String: String]
  /// What was read on the way.
  package private(set) var known: [(Read, Reading)] = []

  /// Finds context, region and credentials, and compares DescribeCluster's endpoint and CA with the context's.
  ///
  /// For a context whose plugin is `aws eks get-token`, the same token is made in-process when credentials are at
  /// hand: the plugin would only presign the same request, after a second of its own start.
  package init(_ options: Options) async throws {
    let environment = options.environment
    let context = try Kubeconfig(path: options.kubeconfig, environment: environment).context(options.context)
    let exec = context.exec
    let parts = context.clusterEntry.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let fromARN = parts.count >= 6 && parts[2] == "eks" ? parts : nil
    let profile = options.profile ?? exec?.profile
    let chain = CredentialChain(profile: profile, environment: environment)
    let region = options.region ?? exec?.region ?? fromARN?[3] ?? chain.region
    let isLocal = LiveSession.isLocal(context.server)
    // The endpoint of a local EKS counts for that EKS alone.
    let endpoint = isLocal ? environment["AWS_ENDPOINT_URL"] : nil
    let roleARN = options.roleARN ?? exec?.roleARN
    let cluster =
      options.cluster ?? (exec?.isEKSToken == true ? exec?.clusterName : nil)
      ?? fromARN?[5].split(separator: "/").last.map(String.init)

    var identity = ClusterIdentity(
      cluster: cluster, account: fromARN?[4], region: region, context: context.name, profile: options.profile)
    identity.client = SignInClient(context)
    var aws: AWSClient?
    if let region {
      aws = AWSClient(
        region: region, chain: chain, roleARN: roleARN, endpoint: endpoint, timeoutSeconds: options.timeoutSeconds)
    }
    // What the plugin signs for is what the token must say.
    var mint: (@Sendable () async -> String?)?
    if let exec, exec.isEKSToken, let aws, let region, let name = exec.clusterName, options.profile == nil,
      options.roleARN == nil
    {
      mint = { try? await aws.eksToken(cluster: name, region: exec.region ?? region) }
    }
    let client = try KubernetesClient(
      context, timeoutSeconds: options.timeoutSeconds, impersonate: options.impersonate, mint: mint)
    var kubernetes = LiveKubernetes(client, context: context.name)
    // The clock of a local EKS may have been moved ahead of this machine's.
    if isLocal { kubernetes.ahead = await kubernetes.measureAhead() }
    namespace = context.namespace
    self.kubernetes = ["endpoint": context.server]
    if let authority = context.certificateAuthorityData { self.kubernetes["certificateAuthority"] = authority }

    guard let aws else {
      source = MixedSource(
        kubernetes: kubernetes,
        aws: RefusedAWS(why: "no AWS region is known", how: "give --region, or set AWS_REGION"))
      self.identity = identity
      return
    }
    let live = LiveAWS(aws)
    let who = Read.aws(AWSRead(.getCallerIdentity))
    options.announce(who)
    async let caller = live.read(who)
    let verified = await LiveSession.verify(
      live, context: context, cluster: cluster, isCertain: options.cluster != nil, announce: options.announce)
    let (name, refusal) = (verified.name, verified.refusal)
    known = [(who, await caller)] + verified.known
    identity.cluster = name ?? cluster
    if let answer = await caller.items.first {
      identity.caller = answer["Arn"].string
      identity.account = identity.account ?? answer["Account"].string
    }
    source = MixedSource(kubernetes: kubernetes, aws: refusal ?? live)
    self.identity = identity
  }

  private static func isLocal(_ server: String) -> Bool {
    let host = AWSEndpoint(server).host.split(separator: ":").first.map(String.init) ?? ""
    return ["localhost", "127.0.0.1", "[", "::1"].contains(host) || server.contains("//[::1]")
  }

  /// One world per answer: the cluster must have this context's endpoint and CA.
  private static func verify(
    _ live: LiveAWS, context: KubeContext, cluster: String?, isCertain: Bool, announce: @Sendable (Read) -> Void
  ) async -> (name: String?, refusal: RefusedAWS?, known: [(Read, Reading)]) {
    var known: [(Read, Reading)] = []
    func ask(_ call: AWSRead) async -> Reading {
      announce(.aws(call))
      let reading = await live.read(.aws(call))
      known.append((.aws(call), reading))
      return reading
    }
    var names: [String] = cluster.map { [$0] } ?? []
    // A name that somebody wrote into the kubeconfig may be wrong; the endpoint tells which it is.
    if let cluster, !isCertain {
      let described = await live.read(.aws(AWSRead(.describeCluster, ["name": cluster])))
      let isOther =
        described.items.first.map {
          ClusterIdentity.mismatch(
            endpoint: context.server, certificateAuthority: context.certificateAuthorityData, described: $0) != nil
        } ?? described.isComplete
      if isOther {
        for name in await ask(AWSRead(.listClusters)).items.compactMap(\.string).prefix(10) where name != cluster {
          let other = await live.read(.aws(AWSRead(.describeCluster, ["name": name]))).items.first
          let isIt =
            other.map {
              ClusterIdentity.mismatch(
                endpoint: context.server, certificateAuthority: context.certificateAuthorityData, described: $0) == nil
            } ?? false
          if isIt { names = [name] }
        }
      }
    }
    if names.isEmpty {
      let listed = await ask(AWSRead(.listClusters))
      guard listed.isComplete else {
        return (
          nil,
          RefusedAWS(
            why: "which EKS cluster \(context.server) is can't be told: \(listed.shortfall ?? "")",
            how: "name it with --cluster"),
          known
        )
      }
      names = Array(listed.items.compactMap(\.string).prefix(10))
    }
    for name in names {
      let described = await ask(AWSRead(.describeCluster, ["name": name]))
      if let why = described.shortfall {
        if cluster == nil { continue }
        return (
          name,
          RefusedAWS(
            why: "eks:DescribeCluster \(name) could not show that it is the cluster of context \(context.name): \(why)",
            how: "allow eks:DescribeCluster, or check --region, --profile and --cluster"),
          known
        )
      }
      guard let item = described.items.first else {
        if cluster == nil { continue }
        return (
          name,
          RefusedAWS(
            why: "these AWS credentials know no cluster \(name); context \(context.name) is at \(context.server)",
            how: "use the credentials and region of the context's own account"),
          known
        )
      }
      let mismatch = ClusterIdentity.mismatch(
        endpoint: context.server, certificateAuthority: context.certificateAuthorityData, described: item)
      guard let mismatch else { return (name, nil, known) }
      if cluster == nil { continue }
      let what =
        switch mismatch {
        case .endpoint(let theirs): "its endpoint is \(theirs), the context's is \(context.server)"
        case .authority: "their CAs differ"
        }
      return (
        name,
        RefusedAWS(
          why: "cluster \(name) of these AWS credentials is not the cluster of context \(context.name): \(what)",
          how: "use the credentials and region of the context's own account"),
        known
      )
    }
    return (
      nil,
      RefusedAWS(
        why: "no EKS cluster of these AWS credentials has the endpoint \(context.server) of context \(context.name)",
        how: "name it with --cluster, and check --region and --profile"),
      known
    )
  }
}
