import Wire
import World

/// How a program of the cluster turns its pod's token into a session, as the AWS SDK does: by STS for IRSA, by EKS Auth
/// for Pod Identity.
enum ProgramSession {
  /// Until a session has to be made anew.
  static let lifetime = Duration.seconds(3600)

  /// The call that hands in a token of that audience.
  static func call(
    _ token: String, audience: String?, of launch: NodeHooks.Launch, sourceIP: String, userAgent: String,
    _ context: Context
  ) -> AWSCall {
    let isWebIdentity = audience == "sts.amazonaws.com"
    let cluster = context.world.ports.clusterStatus().first { $0["id"].string == launch.cluster }?["name"].string
    return AWSCall(
      service: isWebIdentity ? "sts" : "eks-auth",
      operation: isWebIdentity ? "AssumeRoleWithWebIdentity" : "AssumeRoleForPodIdentity",
      input: isWebIdentity
        ? [
          "RoleArn": JSON(launch.variable("AWS_ROLE_ARN")), "WebIdentityToken": .string(token),
          "RoleSessionName": .string(context.random { $0.letters(19, from: "0123456789") }),
        ] : ["clusterName": JSON(cluster), "token": .string(token)],
      region: launch.region, caller: .anonymous, sourceIP: sourceIP, userAgent: userAgent)
  }

  /// The access key of the session; nil where it was refused.
  static func accessKey(_ reply: AWSReply) -> String? {
    let output = reply.output ?? .null
    return output["Credentials"]["AccessKeyId"].string ?? output["credentials"]["accessKeyId"].string
  }

  /// Why there is none, in the words of the AWS SDK.
  static func refusal(_ error: AWSError?, _ context: Context) -> String {
    "failed to retrieve credentials, operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: \(error?.status ?? 400), RequestID: \(context.random { $0.uuid() }), api error \(error?.code ?? ""): \(error?.message ?? "")"
  }
}

extension NodeHooks.Launch {
  /// Whose token the program exchanges for a role's credentials; nil where it has the node's role.
  var audience: String? {
    if variable("AWS_ROLE_ARN") != nil, variable("AWS_WEB_IDENTITY_TOKEN_FILE") != nil { return "sts.amazonaws.com" }
    return variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") != nil ? "pods.eks.amazonaws.com" : nil
  }

  /// The value of a variable of the program's container.
  func variable(_ name: String) -> String? {
    pod["spec"]["containers"].items.first { $0["name"].string == container }?["env"].items
      .first { $0["name"].string == name }?["value"].string
  }
}
