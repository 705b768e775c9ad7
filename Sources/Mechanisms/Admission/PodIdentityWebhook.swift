package import Wire

/// What the pod identity webhook adds to a pod at its creation: the token and the variables by which an SDK finds
/// it, for IRSA or for EKS Pod Identity (aws/amazon-eks-pod-identity-webhook, `pkg/handler`).
package enum PodIdentityWebhook: Rule {
  package static let name = "admission/pod-identity"

  /// How the webhook is started.
  package struct Settings: Sendable, Equatable {
    package var region: String
    package var audience: String
    /// Whether containers are told to use the regional STS where the service account does not say.
    package var regionalSTS: Bool
    package var expiration: Int
    /// Of a Pod Identity token that would live for the default; EKS spreads it over 79200 … 86400.
    package var identityExpiration: Int
    package var isIPv6: Bool

    package init(
      region: String = "", audience: String = "sts.amazonaws.com", regionalSTS: Bool = false,
      expiration: Int = 86_400, identityExpiration: Int = 86_400, isIPv6: Bool = false
    ) {
      self.region = region
      self.audience = audience
      self.regionalSTS = regionalSTS
      self.expiration = expiration
      self.identityExpiration = identityExpiration
      self.isIPv6 = isIPv6
    }
  }

  package struct Facts: FactSet {
    package var pod: Fact<JSON>
    /// As the webhook's cache has it at that moment; null where it is not there.
    package var serviceAccount: Fact<JSON>
    /// EKS ListPodIdentityAssociations: one is there for the namespace and the account, and has reached the webhook.
    package var hasAssociation: Fact<Bool>
    package var settings: Fact<Settings>

    package init(
      pod: Fact<JSON>, serviceAccount: Fact<JSON>, hasAssociation: Fact<Bool> = .known(false),
      settings: Fact<Settings> = .known(Settings())
    ) {
      self.pod = pod
      self.serviceAccount = serviceAccount
      self.hasAssociation = hasAssociation
      self.settings = settings
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.pod), hider(\.serviceAccount), hider(\.hasAssociation), hider(\.settings),
    ]
  }

  package static let prefix = "eks.amazonaws.com"
  package static let tokenVolume = "aws-iam-token"
  package static let identityVolume = "eks-pod-identity-token"
  package static let minimumExpiration = 600
  static let defaultExpiration = 86_400

  /// A `yes` gives the JSON patch; a `no` leaves the pod as it is.
  package static func decide(_ facts: Facts) -> Verdict<JSON, Because> {
    guard let pod = facts.pod.value else { return .open([facts.pod.gap!]) }
    guard let association = facts.hasAssociation.value else { return .open([facts.hasAssociation.gap!]) }
    guard let account = facts.serviceAccount.value else { return .open([facts.serviceAccount.gap!]) }
    guard let settings = facts.settings.value else { return .open([facts.settings.gap!]) }
    let evidence = [facts.serviceAccount.citation, facts.hasAssociation.citation]
    let annotations = account["metadata"]["annotations"]
    let role = annotations["\(prefix)/role-arn"].string ?? ""
    guard association || !role.isEmpty else {
      return .no([
        Because(
          "\(name)/no-role",
          account.isNull
            ? "the webhook does not know the service account" : "the service account names no role", evidence: evidence)
      ])
    }
    let mutation = Mutation(
      pod: pod, annotations: annotations, settings: settings, isKnown: !account.isNull, role: association ? nil : role)
    guard let patch = mutation.patch else {
      return .no([
        Because(
          "\(name)/already", "required volume mounts and env variables were already present",
          evidence: [facts.pod.citation])
      ])
    }
    return .yes(
      patch,
      [
        Because(
          association ? "\(name)/association" : "\(name)/irsa",
          association ? "a Pod Identity association covers it" : "its service account names \(role)",
          evidence: evidence)
      ])
  }
}

extension PodIdentityWebhook {
  /// One pod's patch.
  private struct Mutation {
    var pod: JSON
    var annotations: JSON
    var settings: Settings
    /// Whether the webhook knows the service account.
    var isKnown: Bool
    /// Nil for Pod Identity.
    var role: String?

    private var volume: String { role == nil ? identityVolume : tokenVolume }
    private var isWindows: Bool {
      let selector = pod["spec"]["nodeSelector"]
      return selector["kubernetes.io/os"].string == "windows" || selector["beta.kubernetes.io/os"].string == "windows"
    }

    private var mountPath: String {
      role == nil
        ? "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount" : "/var/run/secrets/eks.amazonaws.com/serviceaccount"
    }

    private var tokenFile: String {
      let path = "\(mountPath)/\(role == nil ? identityVolume : "token")"
      return isWindows ? "C:" + path.replacing("/", with: "\\") : path
    }

    /// The pod's annotation, the account's, the flag; raised to ten minutes.
    private var expiration: Int {
      let key = "\(prefix)/token-expiration"
      let asked = [pod["metadata"]["annotations"][key], annotations[key]].compactMap { $0.string.flatMap { Int($0) } }
      let seconds = max(asked.first ?? settings.expiration, minimumExpiration)
      return role == nil && seconds == defaultExpiration ? settings.identityExpiration : seconds
    }

    private var usesRegionalSTS: Bool {
      switch annotations["\(prefix)/sts-regional-endpoints"].string {
      case "1", "t", "T", "TRUE", "true", "True": true
      case "0", "f", "F", "FALSE", "false", "False": false
      default: isKnown && settings.regionalSTS
      }
    }

    private var skipped: [String] {
      CommaSeparated.firstRecord(pod["metadata"]["annotations"]["\(prefix)/skip-containers"].string ?? "") ?? []
    }

    var patch: JSON? {
      let spec = pod["spec"]
      var changed = false
      func changing(_ list: JSON) -> JSON {
        .array(
          list.items.map { container in
            guard !skipped.contains(container["name"].string ?? ""), let new = mutated(container) else {
              return container
            }
            changed = true
            return new
          })
      }
      let containers = changing(spec["containers"])
      let inits = changing(spec["initContainers"])
      let hasVolume = spec["volumes"].items.contains { $0["name"].string == volume }
      guard changed || role == nil || !hasVolume else { return nil }
      var patch: [JSON] = []
      if role == nil {
        patch.append(
          pod["metadata"]["labels"].isNull
            ? add("/metadata/labels", ["\(prefix)/pod-identity": "enabled"])
            : add("/metadata/labels/\(prefix)~1pod-identity", "enabled"))
      }
      if spec["volumes"].isNull {
        patch.append(add("/spec/volumes", [projected]))
      } else if !hasVolume {
        patch.append(add("/spec/volumes/0", projected))
      }
      patch.append(add("/spec/containers", containers))
      if !inits.items.isEmpty { patch.append(add("/spec/initContainers", inits)) }
      return .array(patch)
    }

    private func add(_ path: String, _ value: JSON) -> JSON {
      ["op": "add", "path": .string(path), "value": value]
    }

    private var projected: JSON {
      let audience =
        role == nil ? "pods.eks.amazonaws.com" : annotations["\(prefix)/audience"].string ?? settings.audience
      var token: JSON = [:]
      if !audience.isEmpty { token["audience"] = .string(audience) }
      token["expirationSeconds"] = JSON(expiration)
      token["path"] = .string(role == nil ? identityVolume : "token")
      return ["name": .string(volume), "projected": ["sources": [["serviceAccountToken": token]]]]
    }

    /// The container with what it lacks; nil where it lacks nothing.
    private func mutated(_ container: JSON) -> JSON? {
      var container = container
      var changed = false
      let names = container["env"].items.compactMap { $0["name"].string }
      func has(_ wanted: String...) -> Bool { wanted.contains(where: names.contains) }
      func set(_ name: String, _ value: String) {
        container["env"].append(["name": .string(name), "value": .string(value)])
        changed = true
      }
      let wantsSTS = usesRegionalSTS && !has("AWS_STS_REGIONAL_ENDPOINTS")
      let hasRegion = has("AWS_DEFAULT_REGION", "AWS_REGION")
      let wantsRegion = !settings.region.isEmpty && !hasRegion
      let wantsIdentity =
        role == nil
        ? !has("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        : !has("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
      // Nothing is looked at where all that could be set is, the choice of STS endpoints included.
      guard !hasRegion || wantsIdentity || !has("AWS_STS_REGIONAL_ENDPOINTS") else { return nil }
      if wantsSTS { set("AWS_STS_REGIONAL_ENDPOINTS", "regional") }
      if wantsRegion {
        set("AWS_DEFAULT_REGION", settings.region)
        set("AWS_REGION", settings.region)
      }
      if wantsIdentity {
        if let role {
          set("AWS_ROLE_ARN", role)
          set("AWS_WEB_IDENTITY_TOKEN_FILE", tokenFile)
        } else {
          set(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            settings.isIPv6 ? "http://[fd00:ec2::23]/v1/credentials" : "http://169.254.170.23/v1/credentials")
          set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", tokenFile)
        }
      }
      if !container["volumeMounts"].items.contains(where: { $0["name"].string == volume }) {
        container["volumeMounts"].append([
          "name": .string(volume), "readOnly": true, "mountPath": .string(mountPath),
        ])
        changed = true
      }
      if container["resources"].isNull { container["resources"] = .emptyObject }
      return changed ? container : nil
    }
  }
}
