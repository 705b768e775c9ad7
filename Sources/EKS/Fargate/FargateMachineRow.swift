import Mechanisms
import Wire
import World

/// A machine that Fargate has for one pod, from the choice of its subnet on.
struct FargateMachineRow: Codable, Sendable {
  var id: String
  var cluster: String
  var profile: String
  /// Of the pod.
  var namespace: String
  var name: String
  var uid: String
  var role: String
  var profileARN: String
  var interface: String
  var address: String
  var subnet: String
  var zone: String
  var nodeName: String
  var milliCPU: Int
  var memoryMiB: Int
  var diskGiB: Int
  var isBound = false

  var pod: String { "\(namespace)/\(name)" }
}

extension EKSService {
  /// Credentials of the pod execution role, in a session named as the node; nil when it can't be assumed.
  func credentials(of machine: FargateMachineRow) -> AWSCredentials? {
    let reply = assumeExecutionRole(machine.role, session: machine.nodeName, profileARN: machine.profileARN)
    guard let credentials = reply.output?["Credentials"] else { return nil }
    return AWSCredentials(
      accessKeyID: credentials["AccessKeyId"].string ?? "",
      secretAccessKey: credentials["SecretAccessKey"].string ?? "",
      sessionToken: credentials["SessionToken"].string)
  }

  func assumeExecutionRole(_ role: String, session: String, profileARN: String) -> AWSReply {
    call(
      "sts", "AssumeRole", ["RoleArn": .string(role), "RoleSessionName": .string(session)], by: .fargatePods,
      for: profileARN)
  }

  /// Whether a role's trust lets the machines of a profile have it; false too for a role that isn't there.
  func executionRoleIsTrusted(_ role: String, profileARN: String) -> Bool {
    let name = ARN.parse(role)?.name ?? role
    guard let found = call("iam", "GetRole", ["RoleName": .string(name)], by: .plain).output?["Role"],
      found["Arn"].string == role
    else { return false }
    return ExecutionRole.isTrusted(
      trust: found["AssumeRolePolicyDocument"].string ?? "", role: role, profileARN: profileARN)
  }

  /// Whether the cluster's authenticator takes a session of the role for a node.
  func executionRoleIsMapped(_ role: String, _ row: ClusterRow) -> Bool {
    let name = ARN.parse(role)?.name ?? ""
    let session = "fargate-ip-0-0-0-0"
    let caller = STSIdentity(
      arn: "arn:aws:sts::\(world.account):assumed-role/\(name)/\(session)",
      canonicalARN: "arn:aws:iam::\(world.account):role/\(name)", account: world.account,
      principalID: principalID(role) ?? "", sessionName: session)
    let configMap = world.kube.host?.get(
      ObjectReference(cluster: row.id, resource: "configmaps", namespace: "kube-system", name: "aws-auth"))
    let verdict = MappingChain.decide(
      .init(
        caller: .known(caller), mode: .known(AuthenticationMode(rawValue: row.mode) ?? .configMap),
        entries: .known(accessEntries(row.name)),
        awsAuth: .known(AWSAuth(configMap: configMap, parseYAML: { try YAML.parse($0) })),
        privateDNSName: .known(nil)))
    return ExecutionRole.isNode(verdict)
  }
}
