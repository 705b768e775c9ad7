import Mechanisms
import Wire

/// A pod with what the pod identity webhook added to it, and as it was before.
struct MutatedPod {
  private static let volumes = [PodIdentityWebhook.tokenVolume, PodIdentityWebhook.identityVolume]
  private static let identity = [
    "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
  ]
  private static let variables = identity + ["AWS_STS_REGIONAL_ENDPOINTS", "AWS_DEFAULT_REGION", "AWS_REGION"]

  let pod: JSON

  init(_ pod: JSON) { self.pod = pod }

  var entity: Entity {
    Entity(
      "Pod", pod["metadata"]["name"].string ?? "", namespace: pod["metadata"]["namespace"].string ?? "default")
  }

  var isMutated: Bool {
    pod["spec"]["volumes"].items.contains { Self.volumes.contains($0["name"].string ?? "") }
  }

  var identityExpiration: Int? {
    pod["spec"]["volumes"].items.first { $0["name"].string == PodIdentityWebhook.identityVolume }?["projected"][
      "sources"][0]["serviceAccountToken"]["expirationSeconds"].int
  }

  var isIPv6: Bool { Self.told(pod).contains("http://[fd00:ec2::23]") }

  /// The pod without the volume, its mounts and the variables, where a container has the mount.
  var before: JSON {
    var pod = pod
    for list in ["containers", "initContainers"] where pod["spec"].has(list) {
      pod["spec"][list] = .array(pod["spec"][list].items.map(Self.without))
    }
    let volumes = pod["spec"]["volumes"].items.filter { !Self.volumes.contains($0["name"].string ?? "") }
    pod["spec"]["volumes"] = volumes.isEmpty ? .null : .array(volumes)
    pod["metadata"]["labels"]["\(PodIdentityWebhook.prefix)/pod-identity"] = .null
    return pod
  }

  private static func without(_ container: JSON) -> JSON {
    let mounts = container["volumeMounts"].items
    guard mounts.contains(where: { volumes.contains($0["name"].string ?? "") }) else { return container }
    var container = container
    container["volumeMounts"] = .array(mounts.filter { !volumes.contains($0["name"].string ?? "") })
    container["env"] = .array(container["env"].items.filter { !variables.contains($0["name"].string ?? "") })
    return container
  }

  /// What a webhook decides about a pod, as one line: token, mounts and variables, whatever their order.
  static func told(_ pod: JSON) -> String {
    var parts: [String] = []
    for volume in pod["spec"]["volumes"].items where volumes.contains(volume["name"].string ?? "") {
      let token = volume["projected"]["sources"][0]["serviceAccountToken"]
      parts.append(
        "\(volume["name"].string ?? ""):\(token["audience"].string ?? ""),\(token["expirationSeconds"].int ?? 0),\(token["path"].string ?? "")"
      )
    }
    for container in pod["spec"]["containers"].items + pod["spec"]["initContainers"].items {
      let mounts = container["volumeMounts"].items.filter { volumes.contains($0["name"].string ?? "") }
      guard !mounts.isEmpty else { continue }
      let environment = container["env"].items.filter { variables.contains($0["name"].string ?? "") }
        .map { "\($0["name"].string ?? "")=\($0["value"].string ?? "")" }.sorted()
      let paths = mounts.map { "\($0["mountPath"].string ?? "")\($0["readOnly"].bool == true ? ":ro" : "")" }
      parts.append("\(container["name"].string ?? "")[\((paths + environment).joined(separator: " "))]")
    }
    return parts.joined(separator: " ")
  }
}
