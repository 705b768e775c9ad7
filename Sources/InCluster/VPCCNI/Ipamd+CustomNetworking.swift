import Mechanisms
import Wire
import World

/// Custom networking: pods' interfaces in the subnet, and with the security groups, of the node's ENIConfig.
extension Ipamd {
  private static let path = "/apis/crd.k8s.amazonaws.com/v1alpha1/eniconfigs"

  var client: KubeClient? {
    token.map {
      KubeClient(
        cluster: launch.cluster, credential: .bearer($0), userAgent: "amazon-k8s-agent",
        sourceIP: launch.pod["status"]["hostIP"].string ?? "")
    }
  }

  func nodeObject(_ context: Context) -> JSON? {
    context.world.kube.host?.get(
      ObjectReference(cluster: launch.cluster, resource: "nodes", namespace: "", name: launch.nodeName))
  }

  /// The name of the node's ENIConfig.
  func configurationName(_ context: Context) -> String? {
    ENIConfigName.decide(.init(node: .known(nodeObject(context) ?? .null), settings: .known(pool.settings))).value
  }

  mutating func findConfiguration(_ context: Context) {
    guard let name = configurationName(context), let client else {
      configured(KubeReply(status: 401, body: ["reason": "Unauthorized", "message": "no token"]), context)
      return
    }
    context.submit(client.request("GET", "\(Self.path)/\(name)"), tag: "eniconfig")
  }

  mutating func configured(_ reply: KubeReply, _ context: Context) {
    guard growth != nil else { return }
    guard reply.isSuccess, let subnet = reply.body["spec"]["subnet"].string else {
      log("error", "error while retrieving eniconfig: \(reply.message)", context, caller: "eniconfig/eniconfig.go")
      log("error", "Failed to get pod ENI config", context)
      growth = nil
      finished(.failed(code: "NoENIConfig", message: "Failed to get pod ENI config"), context)
      return
    }
    let groups = reply.body["spec"]["securityGroups"].strings
    log(
      "info", "ipamd: using custom network config: \(groups), \(subnet)", context)
    growth?.subnets = [subnet]
    growth?.groups = groups.isEmpty ? nil : groups
    createInterface(context)
  }
}
