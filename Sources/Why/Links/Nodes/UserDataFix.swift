import Evidence
import Mechanisms
import Wire

/// Writes user data that joins the cluster into a new version of what launched an instance.
enum UserDataFix {
  /// Nil where it can't be told what the instance was given, or by what it was launched.
  static func of(_ id: String, _ world: Investigation) async -> Fix? {
    let found = await world.instance(id)
    guard let instance = found.first, let cluster = await world.cluster().first,
      let corrected = CorrectedUserData(describe: cluster)
    else { return nil }
    let given = await world.aws(.describeInstanceAttribute, ["InstanceId": id, "Attribute": "userData"])
    guard given.gap == nil else { return nil }
    let old = given.first?["UserData"]["Value"].string.flatMap { Base64.decode($0) }
      .map { String(decoding: $0, as: UTF8.self) }
    guard let system = await world.system(of: instance, userData: old ?? "") else { return nil }
    let text = corrected.text(of: old ?? "", system: system)
    let tags = TagReading(instance["Tags"])
    if let group = tags["eks:nodegroup-name"] { return await managed(group, id, text, world) }
    guard let scaling = tags["aws:autoscaling:groupName"] else { return nil }
    let group = await world.aws(.describeAutoScalingGroups, filters: ["AutoScalingGroupNames": [scaling]])
    let source = [
      group.first?["LaunchTemplate"],
      group.first?["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"],
    ].compactMap { $0 }.first { !$0["LaunchTemplateId"].isNull || !$0["LaunchTemplateName"].isNull }
    guard let template = source?["LaunchTemplateId"].string ?? source?["LaunchTemplateName"].string else { return nil }
    let key = template.hasPrefix("lt-") ? "LaunchTemplateId" : "LaunchTemplateName"
    let version = source?["Version"].string ?? "$Default"
    let aws = world.target.awsOptions
    return Fix(
      "puts user data that joins this cluster into a new version of \(template), and lets the Auto Scaling group replace the instance",
      command: newVersion(template, version, text, world)
        + " && aws autoscaling update-auto-scaling-group --auto-scaling-group-name \(Shell.quote(scaling)) --launch-template \(key)=\(Shell.quote(template)),Version=$V\(aws)"
        + " && aws ec2 terminate-instances --instance-ids \(id)\(aws)",
      owner: "hand", touches: [template, "autoscalinggroup/\(scaling)", "instance/\(id)"], restarts: true,
      undo:
        "aws autoscaling update-auto-scaling-group --auto-scaling-group-name \(Shell.quote(scaling)) --launch-template \(key)=\(Shell.quote(template)),Version=\(Shell.quote(version))\(aws)",
      verify: "ekswhy overview", expectWithin: "5m")
  }

  /// Of a managed group by its own template; EKS replaces the instances itself.
  private static func managed(_ group: String, _ id: String, _ text: String, _ world: Investigation) async -> Fix? {
    let cluster = world.target.cluster ?? "CLUSTER"
    let found = await world.aws(.describeNodegroup, ["clusterName": cluster, "nodegroupName": group])
    guard let source = found.first?["launchTemplate"], let template = source["id"].string,
      let version = source["version"].string
    else { return nil }
    let aws = world.target.awsOptions
    let update =
      "aws eks update-nodegroup-version --cluster-name \(Shell.quote(cluster)) --nodegroup-name \(Shell.quote(group)) --force --launch-template id=\(template),version="
    return Fix(
      "puts user data that joins this cluster into a new version of \(template), by which EKS replaces the instances; a group that is CREATE_FAILED must be made anew with it",
      command: "\(newVersion(template, version, text, world)) && \(update)$V\(aws)", owner: "hand",
      touches: [template, "nodegroup/\(group)"], restarts: true, undo: "\(update)\(version)\(aws)",
      verify: "ekswhy nodegroup/\(group)", expectWithin: "10m")
  }

  private static func newVersion(_ template: String, _ version: String, _ text: String, _ world: Investigation)
    -> String
  {
    let data: JSON = ["UserData": .string(Base64.encode(Array(text.utf8)))]
    let which = template.hasPrefix("lt-") ? "id" : "name"
    return
      "V=$(aws ec2 create-launch-template-version --launch-template-\(which) \(Shell.quote(template)) --source-version \(Shell.quote(version)) --launch-template-data \(Shell.quote(data.text())) --query LaunchTemplateVersion.VersionNumber --output text\(world.target.awsOptions))"
  }
}

/// Tags as EC2 lists them, by key.
struct TagReading {
  private let tags: JSON

  init(_ tags: JSON) { self.tags = tags }

  subscript(key: String) -> String? { tags.items.first { $0["Key"].string == key }?["Value"].string }
}
