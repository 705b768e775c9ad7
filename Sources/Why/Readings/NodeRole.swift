import Evidence
import Mechanisms
import Wire

/// The identity a node's kubelet authenticates with: instance → instance profile → role.
struct NodeRole: Sendable {
  var instanceID: String
  /// nil when there is no such instance.
  var instance: Fact<JSON?>
  var arn: Fact<String>
  /// The role's unique id and when it was created.
  var id: Fact<(id: String, created: Timestamp)>
  /// The way from instance to role, as evidence.
  var evidence: [Exhibit]

  var roleName: String? { arn.value.flatMap { ARN.parse($0)?.name } }

  /// What STS says of a kubelet that signs with this role.
  var caller: Fact<STSIdentity> {
    guard let arn = arn.value, let parsed = ARN.parse(arn) else {
      return .unknown(self.arn.gap ?? Gap(read: "iam:GetInstanceProfile", why: "no role in it"))
    }
    let session = "arn:\(parsed.partition):sts::\(parsed.account):assumed-role/\(parsed.name)/\(instanceID)"
    guard
      let identity = STSIdentity(
        arn: session, userID: "\(id.value?.id ?? "(not read)"):\(instanceID)", account: parsed.account)
    else { return .unknown(Gap(read: "iam:GetInstanceProfile", why: "\(arn) is no role")) }
    return .known(identity, self.arn.source ?? .world)
  }
}

extension Investigation {
  /// The role of a node or instance: by id, or by the node's private DNS name.
  func role(ofNode node: JSON?, instance idOrName: String) async -> NodeRole {
    let found = await instance(idOrName)
    let instanceID = found.first?["InstanceId"].string ?? idOrName
    var evidence: [Exhibit] = []
    var role = NodeRole(
      instanceID: instanceID, instance: .unknown(Gap(read: "", why: "")), arn: .unknown(Gap(read: "", why: "")),
      id: .unknown(Gap(read: "iam:GetRole", why: "not read")), evidence: [])
    let citation = Cite.aws(.describeInstances, instanceID, at: found.at)
    if let gap = found.gap {
      role.instance = .unknown(gap)
      role.arn = .unknown(gap)
    } else if let instance = found.first {
      role.instance = .known(instance, .read(citation))
      if let profile = instance["IamInstanceProfile"]["Arn"].string, let name = ARN.parse(profile)?.name {
        evidence.append(
          Exhibit(
            Cite.aws(.describeInstances, instanceID, field: "IamInstanceProfile.Arn", value: profile, at: found.at)))
        let read = await aws(.getInstanceProfile, ["InstanceProfileName": name])
        if let gap = read.gap {
          role.arn = .unknown(gap)
        } else if let first = read.first?["Roles"].items.first, let arn = first["Arn"].string {
          let citation = Cite.aws(.getInstanceProfile, name, field: "Roles[0].Arn", value: arn, at: read.at)
          evidence.append(Exhibit(citation))
          role.arn = .known(arn, .read(citation))
          if let id = first["RoleId"].string, let created = first["CreateDate"].time {
            role.id = .known((id, created), .read(citation))
          }
        } else {
          role.arn = .unknown(Gap(read: "iam:GetInstanceProfile \(name)", why: "the profile holds no role"))
        }
      } else {
        role.arn = .unknown(
          Gap(read: "ec2:DescribeInstances \(instanceID)", why: "the instance has no instance profile"))
      }
    } else {
      role.instance = .known(nil, .read(citation))
      role.arn = .unknown(Gap(read: "ec2:DescribeInstances \(instanceID)", why: "there is no such instance"))
    }
    // A managed node group names the role too.
    let group =
      node?["metadata"]["labels"]["eks.amazonaws.com/nodegroup"].string
      ?? role.instance.value??["Tags"].items.first { $0["Key"].string == "eks:nodegroup-name" }?["Value"].string
    if role.arn.value == nil, let group, let cluster = target.cluster {
      let read = await aws(.describeNodegroup, ["clusterName": cluster, "nodegroupName": group])
      if let arn = read.first?["nodeRole"].string {
        let citation = Cite.aws(.describeNodegroup, group, field: "nodeRole", value: arn, at: read.at)
        role.arn = .known(arn, .read(citation))
        evidence = [Exhibit(citation)]
      }
    }
    if role.id.value == nil, let name = role.roleName {
      let read = await aws(.getRole, ["RoleName": name])
      if let gap = read.gap {
        role.id = .unknown(gap)
      } else if let found = read.first, let id = found["RoleId"].string, let created = found["CreateDate"].time {
        role.id = .known((id, created), .read(Cite.aws(.getRole, name, field: "RoleId", value: id, at: read.at)))
      }
    }
    role.evidence = evidence
    return role
  }
}
