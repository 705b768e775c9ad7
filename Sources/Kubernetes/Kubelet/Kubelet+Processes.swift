import Containers
import Mechanisms
import Wire
import World

/// What runs inside a node's containers: how it is set up, and what it tells.
extension Kubelet {
  /// Prefix of the annotation by which a pod says how one of its containers behaves; its name follows.
  static let annotation = "containers.ekswhy.dev/"

  func told(of name: String, _ pod: ObjectView) -> JSON {
    guard let text = pod.annotations[Self.annotation + name].string else { return .null }
    return (try? YAML.parse(text)) ?? .null
  }

  func plan(of name: String, _ pod: ObjectView, environment: [String: String] = [:]) -> ContainerPlan {
    let spec = spec(of: name, pod)
    return ContainerPlan(
      image: spec["image"].string ?? "", command: spec["command"].strings, args: spec["args"].strings,
      told: told(of: name, pod), environment: environment)
  }

  // MARK: - Setting up

  /// With what a container of a pod is made.
  func setup(_ name: String, id: String, _ record: PodRecord, _ pod: ObjectView, _ context: Context) -> ContainerSetup {
    let spec = spec(of: name, pod)
    let bare = plan(of: name, pod)
    let user = spec["securityContext"]["runAsUser"].int ?? pod.spec["securityContext"]["runAsUser"].int ?? bare.user
    var environment = bare.environment
    environment["PATH"] = environment["PATH"] ?? ContainerSetup.path
    environment["HOSTNAME"] = hostname(pod)
    environment["HOME"] = user == 0 ? "/root" : "/"
    for variable in ContainerEnvironment(kubelet: self, record: record, pod: pod, spec: spec, context: context)
      .variables
    {
      environment[variable.name] = variable.value
    }
    func expanded(_ words: [String]) -> [String] { words.map { ContainerEnvironment.expand($0, environment) } }
    let plan = ContainerPlan(
      image: spec["image"].string ?? "", command: expanded(spec["command"].strings),
      args: expanded(spec["args"].strings),
      told: told(of: name, pod), environment: environment)
    var setup = ContainerSetup(
      name: name, image: spec["image"].string ?? "", id: id, hostname: hostname(pod), arguments: plan.arguments,
      environment: environment)
    setup.directory = spec["workingDir"].string ?? plan.directory
    setup.user = user
    setup.group = spec["securityContext"]["runAsGroup"].int ?? pod.spec["securityContext"]["runAsGroup"].int ?? 0
    let security = pod.spec["securityContext"]
    let groups = security["supplementalGroups"].items.compactMap(\.int) + [security["fsGroup"].int].compactMap { $0 }
    if !groups.isEmpty { setup.groups = groups }
    setup.isReadOnly = spec["securityContext"]["readOnlyRootFilesystem"].bool ?? false
    setup.hasInput = spec["stdin"].bool ?? false
    if spec["stdinOnce"].bool == true { setup.takesInputOnce = true }
    setup.hasTerminal = spec["tty"].bool ?? false
    if case .serves = plan.kind { setup.serves = true }
    let volumes = pod.spec["volumes"].items
    for mount in spec["volumeMounts"].items {
      let volume = volumes.first { $0["name"] == mount["name"] } ?? .null
      let isWritten = ["configMap", "secret", "projected", "downwardAPI"].contains { volume.has($0) }
      var subPath =
        mount["subPath"].string ?? mount["subPathExpr"].string.map { ContainerEnvironment.expand($0, environment) }
        ?? ""
      if isWritten, !subPath.isEmpty { subPath = "..data/" + subPath }
      setup.mounts.append(
        .init(
          path: mount["mountPath"].string ?? "/", volume: mount["name"].string ?? "", subPath: subPath,
          isReadOnly: mount["readOnly"].bool ?? false || isWritten))
    }
    func file(_ path: String, _ text: String, mode: Int = 0o644) {
      guard !setup.mounts.contains(where: { $0.path == path }) else { return }
      setup.files.append(.init(path: path, node: FileNode(.bytes(Array(text.utf8)), mode: mode, at: context.now)))
    }
    file("/etc/hosts", hosts(record, pod))
    file("/etc/hostname", hostname(pod) + "\n")
    file("/etc/resolv.conf", resolver(of: pod, context)?.configuration.text ?? "")
    let messagePath = spec["terminationMessagePath"].string ?? "/dev/termination-log"
    file(messagePath, "", mode: 0o666)
    setup.messagePath = messagePath
    return setup
  }

  func hostname(_ pod: ObjectView) -> String {
    if pod.spec["hostNetwork"].bool == true { return identity.nodeName }
    return String((pod.spec["hostname"].string ?? pod.name).prefix(63))
  }

  /// Source: kubelet_pods.go, `managedHostsFileContent`.
  private func hosts(_ record: PodRecord, _ pod: ObjectView) -> String {
    if pod.spec["hostNetwork"].bool == true {
      return "# Kubernetes-managed hosts file (host network).\n127.0.0.1   localhost localhost.localdomain\n"
    }
    var text =
      "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
    let host = hostname(pod)
    if let domain = pod.spec["subdomain"].string {
      text += "\(record.address)\t\(host).\(domain).\(pod.namespace).svc.cluster.local\t\(host)\n"
    } else {
      text += "\(record.address)\t\(host)\n"
    }
    let aliases = pod.spec["hostAliases"].items
    if !aliases.isEmpty {
      text += "\n# Entries added by HostAliases.\n"
      for alias in aliases {
        text += "\(alias["ip"].string ?? "")\t\(alias["hostnames"].strings.joined(separator: "\t"))\n"
      }
    }
    return text
  }

  // MARK: - What runs

  /// The pod's inside; made when it isn't there, with the containers that run and only stand there.
  @discardableResult
  func runtime(_ record: PodRecord, _ pod: ObjectView, _ context: Context) -> ComponentID {
    let id = PodRuntime.id(record.uid)
    guard !context.world.exists(id) else { return id }
    context.spawn(
      id,
      PodRuntime(
        cluster: identity.cluster, pod: pod, kubelet: context.id, now: context.now, seed: context.random { $0.next() }))
    for container in record.containers where container.isRunning && container.runs != true {
      begin(container, record, pod, context)
    }
    return id
  }

  /// Lets a container begin in its pod's inside.
  func begin(_ container: ContainerRecord, _ record: PodRecord, _ pod: ObjectView, _ context: Context) {
    let setup = setup(container.name, id: container.id, record, pod, context)
    guard let json = try? JSON(encoding: setup) else { return }
    context.send(
      PodRuntime.id(record.uid), "start", ["setup": json, "attempt": .int(Int64(container.restarts))])
  }

  /// A client wants a session in a container of a pod.
  mutating func openSession(_ value: JSON, _ context: Context) {
    guard let record = pods[value["uid"].string ?? ""], let pod = read("pods", record.namespace, record.name, context)
    else { return }
    let id = runtime(record, pod, context)
    context.send(id, "open", ["request": value["request"]])
  }

  /// A shell in a pod wants to read a token that is projected into it.
  mutating func askForPodToken(_ value: JSON, _ context: Context) {
    guard let uid = value["uid"].string, let record = pods[uid],
      let pod = read("pods", record.namespace, record.name, context)
    else { return }
    let account = pod.spec["serviceAccountName"].string ?? "default"
    let tag = "pod-token \(uid) \(value["volume"].string ?? "") \(value["path"].string ?? "")"
    send(tag, context) { client in
      client.request(
        "POST", "/api/v1/namespaces/\(record.namespace)/serviceaccounts/\(account)/token",
        body: [
          "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
          "spec": [
            "audiences": value["audience"].string.map { [.string($0)] } ?? .null,
            "expirationSeconds": value["seconds"],
            "boundObjectRef": [
              "apiVersion": "v1", "kind": "Pod", "name": .string(record.name), "uid": .string(uid),
            ],
          ],
        ])
    }
  }

  func podTokenAnswered(_ tag: String, _ reply: KubeReply, _ context: Context) {
    let parts = tag.split(separator: " ").map(String.init)
    guard parts.count == 4 else { return }
    context.send(
      PodRuntime.id(parts[1]), "token",
      [
        "volume": .string(parts[2]), "path": .string(parts[3]),
        "token": reply.isSuccess ? reply.body["status"]["token"] : "",
      ])
  }
}

/// The variables of a container, in the order in which the kubelet makes them.
///
/// Source: kubelet_pods.go, `makeEnvironmentVariables`.
struct ContainerEnvironment {
  let kubelet: Kubelet
  let record: PodRecord
  let pod: ObjectView
  let spec: JSON
  let context: Context

  var variables: [(name: String, value: String)] {
    var found: [(name: String, value: String)] = []
    func set(_ name: String, _ value: String) {
      if let at = found.firstIndex(where: { $0.name == name }) {
        found[at].value = value
      } else {
        found.append((name, value))
      }
    }
    let services = services()
    for source in spec["envFrom"].items {
      let prefix = source["prefix"].string ?? ""
      for (field, resource) in [("configMapRef", "configmaps"), ("secretRef", "secrets")] {
        guard let name = source[field]["name"].string, let object = kubelet.read(resource, pod.namespace, name, context)
        else { continue }
        for entry in object["data"].fields.sorted(by: { $0.key < $1.key }) {
          set(prefix + entry.key, text(entry.value, isSecret: resource == "secrets"))
        }
      }
    }
    for variable in spec["env"].items {
      let name = variable["name"].string ?? ""
      if let value = variable["value"].string {
        var known = Dictionary(services, uniquingKeysWith: { $1 })
        for item in found { known[item.name] = item.value }
        set(name, Self.expand(value, known))
      } else if !variable["valueFrom"].isNull {
        if let value = value(variable["valueFrom"]) { set(name, value) }
      } else {
        set(name, "")
      }
    }
    for service in services where !found.contains(where: { $0.name == service.0 }) {
      found.append((service.0, service.1))
    }
    return found
  }

  private func text(_ value: JSON, isSecret: Bool) -> String {
    let text = value.string ?? ""
    return isSecret ? String(decoding: Base64.decode(text) ?? [], as: UTF8.self) : text
  }

  private func value(_ source: JSON) -> String? {
    for (field, resource) in [("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")] {
      guard let name = source[field]["name"].string else { continue }
      let value =
        kubelet.read(resource, pod.namespace, name, context)?["data"][source[field]["key"].string ?? ""] ?? .null
      return value.isNull ? nil : text(value, isSecret: resource == "secrets")
    }
    if let path = source["fieldRef"]["fieldPath"].string {
      switch path {
      case "status.podIP", "status.podIPs": return record.address
      case "status.hostIP", "status.hostIPs": return kubelet.identity.address
      default: return DownwardAPI.field(path, pod)
      }
    }
    return DownwardAPI.resource(
      source["resourceFieldRef"], pod, container: spec,
      node: kubelet.read("nodes", "", kubelet.identity.nodeName, context)?.json)
  }

  /// Services that are there when the container starts, as Docker's links had them.
  private func services() -> [(String, String)] {
    let host = context.world.kube.host
    func list(_ namespace: String) -> [JSON] {
      host?.list(cluster: kubelet.identity.cluster, resource: "services", namespace: namespace) ?? []
    }
    var services = list("default").filter { $0["metadata"]["name"].string == "kubernetes" }
    if pod.spec["enableServiceLinks"].bool ?? true {
      services += list(pod.namespace).filter {
        $0["metadata"]["name"].string != "kubernetes" || pod.namespace != "default"
      }
    }
    var variables: [(String, String)] = []
    for service in services {
      guard let address = service["spec"]["clusterIP"].string, address != "None", !address.isEmpty,
        let first = service["spec"]["ports"].items.first
      else { continue }
      let name = (service["metadata"]["name"].string ?? "").uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
      variables.append(("\(name)_SERVICE_HOST", address))
      variables.append(("\(name)_SERVICE_PORT", String(first["port"].int ?? 0)))
      for port in service["spec"]["ports"].items {
        guard let label = port["name"].string, !label.isEmpty else { continue }
        let suffix = label.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
        variables.append(("\(name)_SERVICE_PORT_\(suffix)", String(port["port"].int ?? 0)))
      }
      for (index, port) in service["spec"]["ports"].items.enumerated() {
        let kind = port["protocol"].string ?? "TCP"
        let number = port["port"].int ?? 0
        let url = "\(kind.lowercased())://\(address):\(number)"
        if index == 0 { variables.append(("\(name)_PORT", url)) }
        let prefix = "\(name)_PORT_\(number)_\(kind)"
        variables += [
          (prefix, url), ("\(prefix)_PROTO", kind.lowercased()), ("\(prefix)_PORT", String(number)),
          ("\(prefix)_ADDR", address),
        ]
      }
    }
    return variables
  }

  /// Puts the values of `$(NAME)`; `$$(NAME)` stands for itself.
  static func expand(_ text: String, _ values: [String: String]) -> String {
    guard text.contains("$") else { return text }
    var out = ""
    var rest = text[...]
    while let letter = rest.popFirst() {
      guard letter == "$", let next = rest.first else {
        out.append(letter)
        continue
      }
      if next == "$" {
        rest.removeFirst()
        out.append("$")
      } else if next == "(", let end = rest.firstIndex(of: ")") {
        let name = String(rest[rest.index(after: rest.startIndex)..<end])
        out += values[name] ?? "$(\(name))"
        rest = rest[rest.index(after: end)...]
      } else {
        out.append("$")
      }
    }
    return out
  }
}
