import Mechanisms
import Wire
import World

/// What `/etc/eks/bootstrap.sh` of Amazon Linux 2 does and nodeadm doesn't: it asks EKS for what it wasn't given.
extension NodeBoot {
  /// What the script writes to standard error stands in the output of cloud-init.
  func writeScript(_ text: String, _ context: Context) {
    let time = context.now.rfc3339.dropLast(context.now.rfc3339.hasSuffix("Z") ? 1 : 0)
    write("cloud-init-output", BootstrapScript.logLine(text, at: "\(time)+0000"), context)
  }

  func failScript(_ message: String, _ context: Context) {
    // Where no script is called there is nobody to say it.
    guard message != BootstrapScript.missing else { return }
    writeScript(message, context)
  }

  /// `aws eks wait cluster-active`, as the instance's role.
  mutating func askForCluster(_ context: Context) {
    phase = .describing
    guard let script = BootstrapScript(userData: userData(context)) else { return }
    if unreached("eks", context) != nil {
      write(
        "cloud-init-output",
        "Waiter ClusterActive failed: Connect timeout on endpoint URL: \"https://eks.\(region).amazonaws.com/clusters/\(script.clusterName)\"",
        context)
      askAgain(script, context)
      return
    }
    guard let credentials = context.world.ports.instanceCredentials(instanceID) else {
      write(
        "cloud-init-output",
        "Unable to locate credentials. You can configure credentials by running \"aws configure\".", context)
      askAgain(script, context)
      return
    }
    context.submit(
      AWSCall(
        service: "eks", operation: "DescribeCluster", input: ["name": .string(script.clusterName)], region: region,
        caller: .credential(accessKeyID: credentials.accessKeyID), sourceIP: metadata("local-ipv4", context),
        userAgent: "aws-cli/1.18"), tag: "cluster", weight: asked ?? 0 > 1 ? .background : .foreground)
  }

  mutating func clusterTold(_ reply: AWSReply, _ context: Context) {
    guard let script = BootstrapScript(userData: userData(context)) else { return }
    if let error = reply.error {
      write(
        "cloud-init-output", "Waiter ClusterActive failed: An error occurred (\(error.code)): \(error.message)", context
      )
      askAgain(script, context)
      return
    }
    let cluster = reply.output?["cluster"] ?? .null
    switch cluster["status"].string {
    case "ACTIVE", "UPDATING":
      learned = [
        "endpoint": cluster["endpoint"], "certificateAuthority": cluster["certificateAuthority"]["data"],
        "serviceIPv4CIDR": cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"],
        "serviceIPv6CIDR": cluster["kubernetesNetworkConfig"]["serviceIpv6Cidr"],
      ]
      describe(context)
    case "CREATING":
      // The waiter's interval.
      context.wake("cluster", after: .seconds(30))
    default:
      write(
        "cloud-init-output", "Waiter ClusterActive failed: Waiter encountered a terminal failure state", context)
      askAgain(script, context)
    }
  }

  private mutating func askAgain(_ script: BootstrapScript, _ context: Context) {
    let attempt = asked ?? 0
    asked = attempt + 1
    guard attempt < script.attempts else { return fail(BootstrapScript.exhausted, context) }
    let jitter = context.random { Int($0.next() % 10) + 1 }
    context.wake(
      "cluster", after: .seconds(BootstrapScript.pause(afterAttempt: attempt) + jitter),
      attempt > 1 ? .background : .foreground)
  }
}
