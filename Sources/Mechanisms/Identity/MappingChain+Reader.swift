package import Wire

extension AuthenticationMode {
  /// From `cluster` of DescribeCluster; a cluster older than the setting has only the ConfigMap.
  package init(cluster: JSON) {
    self = AuthenticationMode(rawValue: cluster["accessConfig"]["authenticationMode"].string ?? "") ?? .configMap
  }
}

extension STSIdentity {
  /// From an answer of GetCallerIdentity.
  package init?(callerIdentity answer: JSON) {
    guard let arn = answer["Arn"].string, let id = answer["UserId"].string else { return nil }
    self.init(arn: arn, userID: id, account: answer["Account"].string)
  }

  /// From the `user` of an audit event that the EKS authenticator filled.
  package init?(auditUser user: JSON) {
    let extra = user["extra"]
    guard let arn = extra["arn"][0].string, let principal = try? CanonicalARN.of(arn), let parsed = ARN.parse(arn)
    else { return nil }
    let uid = user["uid"].string ?? ""
    let id = extra["principalId"][0].string ?? uid.split(separator: ":").last.map(String.init) ?? ""
    self.init(
      arn: arn, canonicalARN: principal.arn, account: parsed.account, principalID: id,
      sessionName: extra["sessionName"][0].string ?? "", accessKeyID: extra["accessKeyId"][0].string ?? "")
  }
}
