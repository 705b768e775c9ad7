import Foundation
import Testing
import Wire

/// The real `terraform` with the AWS provider: what it makes is what it then finds, a change is one, and nothing stays.
///
/// `Tests/Golden/terraform/main.tf` is the configuration. The provider comes from a mirror on this machine:
/// `EKSWHY_TERRAFORM_MIRROR`, or one of the folders where terraform or its packages look.
@Suite(.serialized, .enabled(if: TerraformMirror.isThere))
struct TerraformTests {
  private let eks: LocalEKSProcess
  private let folder: String
  private let environment: [String: String]

  init() throws {
    eks = try LocalEKSProcess()
    folder = "\(eks.state)/terraform"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Golden/terraform/main.tf")
    try FileManager.default.copyItem(atPath: golden.path, toPath: "\(folder)/main.tf")
    let settings = """
      disable_checkpoint = true
      provider_installation {
        filesystem_mirror { path = "\(TerraformMirror.folder ?? "")" }
      }
      """
    try settings.write(toFile: "\(folder)/terraformrc", atomically: true, encoding: .utf8)
    environment = eks.environment.merging([
      "TF_CLI_CONFIG_FILE": "\(folder)/terraformrc", "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1",
      "AWS_EC2_METADATA_DISABLED": "true",
    ]) { $1 }
  }

  private func terraform(_ arguments: String...) throws -> Outcome {
    try Shell.run(
      "terraform", ["-chdir=\(folder)", arguments[0], "-no-color"] + arguments.dropFirst(), environment: environment,
      limit: 300)
  }

  private func succeed(_ outcome: Outcome, _ location: SourceLocation = #_sourceLocation) throws {
    try #require(outcome.status == 0, "\(outcome.all.suffix(6000))", sourceLocation: location)
  }

  /// A second plan that finds nothing to do ends with 0, one that does with 2.
  private func expectNothingToDo(_ variables: [String], _ location: SourceLocation = #_sourceLocation) throws {
    let plan = try Shell.run(
      "terraform", ["-chdir=\(folder)", "plan", "-no-color", "-detailed-exitcode", "-parallelism=30"] + variables,
      environment: environment)
    #expect(plan.status == 0, "\(plan.all.suffix(6000))", sourceLocation: location)
  }

  private static let change = ["-var=desired=2", "-var=team=cart", #"-var=extra_labels={"tier":"a"}"#]

  @Test func appliesIsFoundChangesAndGoes() throws {
    try succeed(terraform("init"))
    try succeed(terraform("apply", "-auto-approve", "-parallelism=30"))
    try expectNothingToDo([])
    let group = try eks.aws("eks describe-nodegroup --cluster-name tf --nodegroup-name main")["nodegroup"]
    #expect(group["status"] == "ACTIVE")

    try succeed(
      terraform("apply", "-auto-approve", "-parallelism=30", Self.change[0], Self.change[1], Self.change[2]))
    try expectNothingToDo(Self.change)
    let changed = try eks.aws("eks describe-nodegroup --cluster-name tf --nodegroup-name main")["nodegroup"]
    #expect(changed["scalingConfig"]["desiredSize"] == 2)
    #expect(changed["labels"]["tier"] == "a")
    #expect(changed["tags"]["team"] == "cart")

    try destroy()
    #expect(try eks.aws("eks list-clusters")["clusters"].items.isEmpty)
    #expect(try eks.aws(#"iam list-roles --query Roles[?starts_with(RoleName,`"tf-"`)]"#).items.isEmpty)
    #expect(try eks.aws("ec2 describe-vpcs --filters Name=tag:Name,Values=tf")["Vpcs"].items.isEmpty)
    #expect(try eks.aws("autoscaling describe-auto-scaling-groups")["AutoScalingGroups"].items.isEmpty)
    #expect(
      try eks.aws("ec2 describe-launch-templates")["LaunchTemplates"].items.isEmpty)
  }

  /// Terraform waits up to a minute by chance before it deletes a cluster, and half a minute afterwards. Unless
  /// `EKSWHY_TERRAFORM_DESTROY` asks for it all, what stands in the cluster is destroyed by it, the cluster by the
  /// CLI, and the rest by terraform again.
  private func destroy() throws {
    if ProcessInfo.processInfo.environment["EKSWHY_TERRAFORM_DESTROY"] == nil {
      let inside = [
        "node_group.main", "addon.agent", "access_entry.admin", "access_policy_association.admin",
        "fargate_profile.main", "pod_identity_association.pod", "identity_provider_config.corp",
      ]
      let targets = inside.map { "-target=aws_eks_\($0)" }
      try succeed(
        Shell.run(
          "terraform", ["-chdir=\(folder)", "destroy", "-no-color", "-auto-approve", "-parallelism=30"] + targets,
          environment: environment))
      try eks.aws("eks delete-cluster --name tf")
      try eks.aws("eks wait cluster-deleted --name tf")
    }
    try succeed(terraform("destroy", "-auto-approve", "-parallelism=30"))
  }
}

/// Where the provider is.
enum TerraformMirror {
  private static let candidates: [String] = {
    let named = ProcessInfo.processInfo.environment["EKSWHY_TERRAFORM_MIRROR"]
    let usual = ["/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/tf-plugins"]
    return named.map { [$0] } ?? usual
  }()
  static var folder: String? {
    candidates.first { FileManager.default.fileExists(atPath: "\($0)/registry.terraform.io/hashicorp/aws/5.100.0") }
  }
  static var isThere: Bool {
    guard Clients.both else { return false }
    if Shell.find("terraform") == nil { print("SKIPPED: terraform is not installed") }
    if folder == nil { print("SKIPPED: no mirror with version 5.100.0 of terraform's AWS provider") }
    return Shell.find("terraform") != nil && folder != nil
  }
}
