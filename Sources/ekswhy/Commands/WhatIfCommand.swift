import ArgumentParser
import Evidence
import Mechanisms
import Why
import Wire

struct WhatIfCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "whatif", abstract: "What would come of something that is not there yet.",
    subcommands: [FitCommand.self])
}

struct FitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit", abstract: "How many pods get an address: ekswhy whatif fit m5.large --nodes 3 --mode prefix",
    discussion: """
      Nothing is made. The pools of such nodes are run by the VPC CNI's own rules, against the subnets as full as \
      they are. What isn't said is as the cluster has it.
      Exit status: 0 all fit, 1 fewer than --pods, 2 something that decides could not be read, 3 no such object.
      """)

  enum Mode: String, ExpressibleByArgument, CaseIterable { case secondary, prefix }

  @Argument(help: "The instance type; that of the cluster's nodes unless given.")
  var type: String?
  @Option(help: "How many nodes.")
  var nodes = 1
  @Option(help: "How many pods are wanted; as many as fit unless given.")
  var pods: Int?
  @Option(help: "secondary or prefix: single addresses, or whole /28 prefixes.")
  var mode: Mode?
  @Flag(name: .customLong("custom-networking"), help: "Pods' ENIs stand in the subnets of ENIConfigs.")
  var customNetworking = false
  @Flag(name: .customLong("security-groups"), help: "One ENI is the trunk for pods with security groups of their own.")
  var securityGroups = false
  @Option(help: "A subnet for the nodes; may be given several times.")
  var subnet: [String] = []
  @Option(name: .customLong("max-pods"), help: "What the kubelet is started with.")
  var maxPods: Int?
  @Option(name: .customLong("set"), help: "A variable of aws-node: --set WARM_IP_TARGET=2; may be given several times.")
  var set: [String] = []
  @OptionGroup var evidence: EvidenceOptions
  @Option(name: .shortAndLong, help: "text, json or yaml.")
  var output: WhyCommand.Output = .text

  private static let variables = [
    "WARM_ENI_TARGET", "WARM_IP_TARGET", "MINIMUM_IP_TARGET", "WARM_PREFIX_TARGET", "MAX_ENI",
  ]

  func validate() throws {
    guard (1...PodFit.nodeLimit).contains(nodes) else {
      throw ValidationError("--nodes \(nodes) is not between 1 and \(PodFit.nodeLimit)")
    }
    for pair in set {
      let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, Self.variables.contains(parts[0]), Int(parts[1]) != nil else {
        throw ValidationError("--set \(pair) is none of \(Self.variables.joined(separator: ", ")) with a number")
      }
    }
  }

  func run() async throws {
    let session = try await evidence.open()
    var wish = FitQuestion.Wish()
    wish.type = type
    wish.nodes = nodes
    wish.pods = pods
    wish.maxPods = maxPods
    wish.subnets = subnet
    wish.prefixes = mode.map { $0 == .prefix }
    wish.customNetworking = customNetworking ? true : nil
    wish.podENI = securityGroups ? true : nil
    for pair in set {
      let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
      wish.variables[parts[0]] = parts[1]
    }
    let report: FitReport
    do {
      report = try await FitQuestion(await session.investigation()).ask(wish)
    } catch {
      Stream.error("ekswhy: \(error)\n")
      throw ExitCode(error.exitStatus)
    }
    try output.show(report.text, report.json, exitStatus: report.exitStatus)
  }
}
