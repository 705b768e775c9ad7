import ArgumentParser
import Evidence
import Mechanisms
import Why
import Wire

/// The options by which evidence is found, as kubectl and aws have them.
struct EvidenceOptions: ParsableArguments {
  @Option(help: "The kubeconfig to use instead of KUBECONFIG or ~/.kube/config.")
  var kubeconfig: String?
  @Option(help: "The context of the kubeconfig.")
  var context: String?
  @Option(help: "The EKS cluster's name, where the context doesn't tell.")
  var cluster: String?
  @Option(help: "The AWS region.")
  var region: String?
  @Option(help: "The profile of the AWS shared files.")
  var profile: String?
  @Option(name: .customLong("role-arn"), help: "A role to assume for the AWS reads.")
  var roleARN: String?
  @Option(name: .customLong("as"), help: "The Kubernetes user to impersonate.")
  var impersonate: String?
  @Option(name: .customLong("request-timeout"), help: "Seconds that one request may take.")
  var requestTimeout: Int = 10
  @Option(name: .customLong("from"), help: "A bundle, folder or .tar.gz, to read instead of the live APIs.")
  var from: String?
  @Option(name: .customLong("node-logs"), help: "A folder of node logs, such as a log collector's archives.")
  var nodeLogs: String?
  @Option(name: .customLong("max-reads"), help: "The most reads of each kind; 60 Kubernetes and 40 AWS unless given.")
  var maxReads: Int?

  var budget: EvidenceReader.Budget {
    maxReads.map { EvidenceReader.Budget(kubernetes: $0, aws: $0) } ?? EvidenceReader.Budget()
  }

  /// What an answer would be asked of; nothing is asked for it.
  var wouldAsk: String {
    if let from { return "It would ask the bundle \(from)." }
    do {
      let found = try Kubeconfig(path: kubeconfig).context(context)
      var parts = ["context \(found.name)", "at \(found.server)"]
      if let name = cluster ?? found.exec?.clusterName { parts.append("cluster \(name)") }
      let chosen = profile ?? found.exec?.profile
      if let region = region ?? found.exec?.region ?? CredentialChain(profile: chosen).region {
        parts.append("region \(region)")
      }
      if let chosen { parts.append("profile \(chosen)") }
      return "It would ask \(parts.joined(separator: ", ")), reading only."
    } catch { return "It would ask nobody yet: \(error)." }
  }

  /// The evidence that these options name, or the command's end with what keeps it from being read.
  func open(announce: @escaping @Sendable (Read) -> Void = { _ in }) async throws -> Session {
    do { return try await session(announce: announce) } catch let error as ValidationError { throw error } catch {
      Stream.error("ekswhy: \(error)\n")
      throw ExitCode(4)
    }
  }

  /// The evidence that these options name; each read is announced before it is sent.
  func session(announce: @escaping @Sendable (Read) -> Void = { _ in }) async throws -> Session {
    let logs = try nodeLogs.map { try NodeLogs(folder: $0) }
    if let from {
      let bundle = try BundleSource(path: from, region: region)
      let (identity, mismatch) = await bundle.identity(cluster: cluster)
      var source: any EvidenceSource = bundle
      if let mismatch {
        source = MixedSource(
          kubernetes: bundle,
          aws: RefusedAWS(why: mismatch, how: "capture both sides of the same cluster, or name it with --cluster"))
      }
      return Session(
        reader: EvidenceReader(source, budget: budget, announce: announce), identity: identity, namespace: nil,
        kubernetes: bundle.manifest["kubernetes"].stringMap, nodeLogs: logs ?? bundle.nodeLogs)
    }
    var options = LiveSession.Options()
    options.kubeconfig = kubeconfig
    options.context = context
    options.cluster = cluster
    options.region = region
    options.profile = profile
    options.roleARN = roleARN
    options.impersonate = impersonate
    options.timeoutSeconds = requestTimeout
    options.announce = announce
    let live = try await LiveSession(options)
    return Session(
      reader: EvidenceReader(live.source, budget: budget, known: live.known, announce: announce),
      identity: live.identity, namespace: live.namespace,
      kubernetes: live.kubernetes, nodeLogs: logs)
  }
}

/// Evidence at hand, and whose it is.
struct Session {
  var reader: EvidenceReader
  var identity: ClusterIdentity
  /// The namespace of the context.
  var namespace: String?
  /// Endpoint and CA of the Kubernetes side.
  var kubernetes: [String: String] = [:]
  var nodeLogs: NodeLogs?

  func investigation() async -> Investigation {
    Investigation(reader, target: identity, now: await reader.now(), nodeLogs: nodeLogs)
  }
}
