import Wire

/// The Pod Security Standards: what each level forbids, with the texts of upstream's checks
/// (`pod-security-admission/policy`).
enum PodSecurityStandard {
  enum Level: String {
    case privileged, baseline, restricted

    var rank: Int { self == .privileged ? 0 : self == .baseline ? 1 : 2 }
  }

  /// One violated check: why, and by what.
  struct Violation: Equatable {
    var reason: String
    var detail: String

    var text: String { detail.isEmpty ? reason : "\(reason) (\(detail))" }
  }

  /// The violations of a level by a pod, in upstream's order.
  static func violations(_ level: Level, minor: Int, metadata: JSON, spec: JSON) -> [Violation] {
    guard level != .privileged else { return [] }
    let pod = Pod(metadata: metadata, spec: spec, minor: minor)
    let isRestricted = level == .restricted
    var found: [Violation?] = [pod.appArmor]
    if !isRestricted || minor < 22 { found.append(pod.capabilities) }
    found.append(pod.hostNamespaces)
    if !isRestricted { found.append(pod.hostPaths) }
    found.append(pod.hostPorts)
    if minor >= 34 { found.append(pod.probeHosts) }
    found += [pod.privileged, pod.procMount, pod.seLinux]
    if !isRestricted || minor < 19 { found.append(pod.seccomp) }
    found += [pod.sysctls, pod.windowsHostProcess]
    if isRestricted {
      found += [
        pod.privilegeEscalation, pod.restrictedCapabilities, pod.volumeTypes, pod.runAsNonRoot, pod.runAsUser,
        pod.restrictedSeccomp,
      ]
    }
    return found.compactMap { $0 }
  }

  private struct Pod {
    var metadata: JSON
    var spec: JSON
    var minor: Int

    var containers: [JSON] {
      spec["initContainers"].items + spec["containers"].items + spec["ephemeralContainers"].items
    }

    private var isWindows: Bool { minor >= 25 && spec["os"]["name"].string == "windows" }

    private func named(_ belongs: (JSON) -> Bool) -> [String] {
      containers.filter(belongs).map { $0["name"].string ?? "" }
    }

    private func quoted(_ names: [String]) -> String { names.map { "\"\($0)\"" }.joined(separator: ", ") }
    private func plural(_ one: String, _ many: String, _ count: Int) -> String { count == 1 ? one : many }
    private func these(_ names: [String]) -> String {
      "\(plural("container", "containers", names.count)) \(quoted(names))"
    }

    /// `pod and container "a"` of who sets something bad.
    private func setters(pod: Bool, _ names: [String]) -> String {
      ((pod ? ["pod"] : []) + (names.isEmpty ? [] : [these(names)])).joined(separator: " and ")
    }

    private func context(_ container: JSON) -> JSON { container["securityContext"] }

    // MARK: Baseline

    var appArmor: Violation? {
      var setters: [String] = []
      var values: Set<String> = []
      func isBad(_ context: JSON) -> Bool {
        guard let type = context["appArmorProfile"]["type"].string, type == "Unconfined" else { return false }
        values.insert(type)
        return true
      }
      if isBad(spec["securityContext"]) { setters.append("pod") }
      let names = named { isBad(context($0)) }
      if !names.isEmpty { setters.append(these(names)) }
      var annotations: [String] = []
      for field in metadata["annotations"].fields
      where field.key.hasPrefix("container.apparmor.security.beta.kubernetes.io/") {
        let value = field.value.string ?? ""
        if value.isEmpty || value == "runtime/default" || value.hasPrefix("localhost/") { continue }
        annotations.append("\(field.key)=\"\(value)\"")
      }
      guard !setters.isEmpty || !annotations.isEmpty else { return nil }
      var details: [String] = []
      if !setters.isEmpty {
        details.append(
          "\(setters.joined(separator: " and ")) must not set securityContext.appArmorProfile.type to "
            + quoted(values.sorted()))
      }
      if !annotations.isEmpty {
        details.append(
          "\(plural("annotation", "annotations", annotations.count)) \(annotations.sorted().joined(separator: ", "))")
      }
      return Violation(
        reason: plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.count + annotations.count),
        detail: details.joined(separator: ", "))
    }

    private static let defaultCapabilities: Set<String> = [
      "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
      "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    ]

    var capabilities: Violation? {
      var bad: Set<String> = []
      let names = named { container in
        let added = context(container)["capabilities"]["add"].strings.filter { !Pod.defaultCapabilities.contains($0) }
        bad.formUnion(added)
        return !added.isEmpty
      }
      guard !names.isEmpty else { return nil }
      return Violation(
        reason: "non-default capabilities",
        detail: "\(these(names)) must not include \(quoted(bad.sorted())) in securityContext.capabilities.add")
    }

    var hostNamespaces: Violation? {
      let set = ["hostNetwork", "hostPID", "hostIPC"].filter { spec[$0].bool == true }.map { "\($0)=true" }
      return set.isEmpty ? nil : Violation(reason: "host namespaces", detail: set.joined(separator: ", "))
    }

    var hostPaths: Violation? {
      let names = spec["volumes"].items.filter { !$0["hostPath"].isNull }.map { $0["name"].string ?? "" }
      guard !names.isEmpty else { return nil }
      return Violation(
        reason: "hostPath volumes", detail: "\(plural("volume", "volumes", names.count)) \(quoted(names))")
    }

    var hostPorts: Violation? {
      var ports: Set<Int> = []
      let names = named { container in
        let own = container["ports"].items.compactMap { $0["hostPort"].int }.filter { $0 != 0 }
        ports.formUnion(own)
        return !own.isEmpty
      }
      guard !names.isEmpty else { return nil }
      let word = plural("hostPort", "hostPorts", ports.count)
      // Upstream orders them as text.
      let list = ports.map(String.init).sorted().joined(separator: ", ")
      return Violation(reason: word, detail: "\(these(names)) \(plural("uses", "use", names.count)) \(word) \(list)")
    }

    var probeHosts: Violation? {
      var hosts: Set<String> = []
      let names = named { container in
        var own: [String] = []
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
          own += [container[probe]["httpGet"]["host"].string, container[probe]["tcpSocket"]["host"].string]
            .compactMap { $0 }
        }
        for hook in ["postStart", "preStop"] {
          let action = container["lifecycle"][hook]
          own += [action["httpGet"]["host"].string, action["tcpSocket"]["host"].string].compactMap { $0 }
        }
        own = own.filter { !["", "127.0.0.1", "::1"].contains($0) }
        hosts.formUnion(own)
        return !own.isEmpty
      }
      guard !names.isEmpty else { return nil }
      let word = plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.count)
      return Violation(
        reason: "probe or lifecycle host",
        detail: "\(these(names)) \(plural("uses", "use", names.count)) \(word) \(quoted(hosts.sorted()))")
    }

    var privileged: Violation? {
      let names = named { context($0)["privileged"].bool == true }
      guard !names.isEmpty else { return nil }
      return Violation(
        reason: "privileged", detail: "\(these(names)) must not set securityContext.privileged=true")
    }

    var procMount: Violation? {
      var values: Set<String> = []
      let names = named { container in
        guard let mount = context(container)["procMount"].string, mount != "Default" else { return false }
        values.insert(mount)
        return true
      }
      guard !names.isEmpty else { return nil }
      return Violation(
        reason: "procMount",
        detail: "\(these(names)) must not set securityContext.procMount to \(quoted(values.sorted()))")
    }

    var seLinux: Violation? {
      let allowed: Set<String> = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"]
      var types: Set<String> = []
      var (hasUser, hasRole) = (false, false)
      func isBad(_ context: JSON) -> Bool {
        let options = context["seLinuxOptions"]
        guard !options.isNull else { return false }
        var isBad = false
        if let type = options["type"].string, !allowed.contains(type) {
          types.insert(type)
          isBad = true
        }
        if !(options["user"].string ?? "").isEmpty { (hasUser, isBad) = (true, true) }
        if !(options["role"].string ?? "").isEmpty { (hasRole, isBad) = (true, true) }
        return isBad
      }
      let podSets = isBad(spec["securityContext"])
      let names = named { isBad(context($0)) }
      guard podSets || !names.isEmpty else { return nil }
      var bad: [String] = []
      if !types.isEmpty { bad.append("\(plural("type", "types", types.count)) \(quoted(types.sorted()))") }
      if hasUser { bad.append("user may not be set") }
      if hasRole { bad.append("role may not be set") }
      return Violation(
        reason: "seLinuxOptions",
        detail: "\(setters(pod: podSets, names)) set forbidden securityContext.seLinuxOptions: "
          + bad.joined(separator: "; "))
    }

    var seccomp: Violation? {
      func isBad(_ context: JSON) -> Bool { context["seccompProfile"]["type"].string == "Unconfined" }
      let podSets = isBad(spec["securityContext"])
      let names = named { isBad(context($0)) }
      guard podSets || !names.isEmpty else { return nil }
      return Violation(
        reason: "seccompProfile",
        detail: "\(setters(pod: podSets, names)) must not set securityContext.seccompProfile.type to \"Unconfined\"")
    }

    private var safeSysctls: Set<String> {
      var safe: Set<String> = [
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
      ]
      if minor >= 27 { safe.insert("net.ipv4.ip_local_reserved_ports") }
      if minor >= 29 {
        safe.formUnion([
          "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
          "net.ipv4.tcp_keepalive_probes",
        ])
      }
      if minor >= 32 { safe.formUnion(["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"]) }
      return safe
    }

    var sysctls: Violation? {
      let safe = safeSysctls
      let names = spec["securityContext"]["sysctls"].items.compactMap { $0["name"].string }.filter {
        !safe.contains($0)
      }
      return names.isEmpty ? nil : Violation(reason: "forbidden sysctls", detail: names.joined(separator: ", "))
    }

    var windowsHostProcess: Violation? {
      func isBad(_ context: JSON) -> Bool { context["windowsOptions"]["hostProcess"].bool == true }
      let podSets = isBad(spec["securityContext"])
      let names = named { isBad(context($0)) }
      guard podSets || !names.isEmpty else { return nil }
      return Violation(
        reason: "hostProcess",
        detail: "\(setters(pod: podSets, names)) must not set securityContext.windowsOptions.hostProcess=true")
    }

    // MARK: Restricted

    var privilegeEscalation: Violation? {
      if isWindows { return nil }
      let names = named { context($0)["allowPrivilegeEscalation"].bool != false }
      guard !names.isEmpty else { return nil }
      return Violation(
        reason: "allowPrivilegeEscalation != false",
        detail: "\(these(names)) must set securityContext.allowPrivilegeEscalation=false")
    }

    var restrictedCapabilities: Violation? {
      if isWindows { return nil }
      let undropped = named { !context($0)["capabilities"]["drop"].strings.contains("ALL") }
      var added: Set<String> = []
      let adding = named { container in
        let bad = context(container)["capabilities"]["add"].strings.filter { $0 != "NET_BIND_SERVICE" }
        added.formUnion(bad)
        return !bad.isEmpty
      }
      var details: [String] = []
      if !undropped.isEmpty {
        details.append("\(these(undropped)) must set securityContext.capabilities.drop=[\"ALL\"]")
      }
      if !adding.isEmpty {
        details.append(
          "\(these(adding)) must not include \(quoted(added.sorted())) in securityContext.capabilities.add")
      }
      guard !details.isEmpty else { return nil }
      return Violation(reason: "unrestricted capabilities", detail: details.joined(separator: "; "))
    }

    private static let allowedVolumes: Set<String> = [
      "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
      "secret",
    ]

    var volumeTypes: Violation? {
      var names: [String] = []
      var types: Set<String> = []
      for volume in spec["volumes"].items {
        let sources = volume.fields.map(\.key).filter { $0 != "name" }
        guard let source = sources.first, !Pod.allowedVolumes.contains(source) else { continue }
        names.append(volume["name"].string ?? "")
        types.insert(source)
      }
      guard !names.isEmpty else { return nil }
      return Violation(
        reason: "restricted volume types",
        detail: "\(plural("volume", "volumes", names.count)) \(quoted(names)) \(plural("uses", "use", names.count)) "
          + "restricted volume \(plural("type", "types", types.count)) \(quoted(types.sorted()))")
    }

    var runAsNonRoot: Violation? {
      let whole = spec["securityContext"]["runAsNonRoot"].bool
      let explicit = named { context($0)["runAsNonRoot"].bool == false }
      let implicit = whole == true ? [] : named { context($0)["runAsNonRoot"].isNull }
      let podIsBad = whole == false
      if !explicit.isEmpty || podIsBad {
        return Violation(
          reason: "runAsNonRoot != true",
          detail: "\(setters(pod: podIsBad, explicit)) must not set securityContext.runAsNonRoot=false")
      }
      guard !implicit.isEmpty else { return nil }
      return Violation(
        reason: "runAsNonRoot != true", detail: "pod or \(these(implicit)) must set securityContext.runAsNonRoot=true")
    }

    var runAsUser: Violation? {
      let podSets = spec["securityContext"]["runAsUser"].int == 0
      let names = named { context($0)["runAsUser"].int == 0 }
      guard podSets || !names.isEmpty else { return nil }
      return Violation(reason: "runAsUser=0", detail: "\(setters(pod: podSets, names)) must not set runAsUser=0")
    }

    var restrictedSeccomp: Violation? {
      if isWindows { return nil }
      func type(_ context: JSON) -> String? { context["seccompProfile"]["type"].string }
      func isValid(_ type: String) -> Bool { type == "RuntimeDefault" || type == "Localhost" }
      var values: Set<String> = []
      let whole = type(spec["securityContext"])
      let podIsBad = whole.map { !isValid($0) } ?? false
      if podIsBad, let whole { values.insert(whole) }
      let explicit = named { container in
        guard let own = type(context(container)), !isValid(own) else { return false }
        values.insert(own)
        return true
      }
      let implicit = whole.map(isValid) == true ? [] : named { type(context($0)) == nil }
      if podIsBad || !explicit.isEmpty {
        return Violation(
          reason: "seccompProfile",
          detail: "\(setters(pod: podIsBad, explicit)) must not set securityContext.seccompProfile.type to "
            + quoted(values.sorted()))
      }
      guard !implicit.isEmpty else { return nil }
      return Violation(
        reason: "seccompProfile",
        detail: "pod or \(these(implicit)) must set securityContext.seccompProfile.type to \"RuntimeDefault\" or "
          + "\"Localhost\"")
    }
  }
}
