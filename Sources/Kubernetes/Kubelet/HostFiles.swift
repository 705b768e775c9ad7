import Containers
import Mechanisms
import Wire
import World

/// The files of a node that a pod may mount and read: what its network and its kubelet keep there.
struct HostFiles {
  let cluster: String
  let node: String
  let instance: String
  let world: World

  /// Bytes of a log that are shown, its last ones.
  private static let logLimit = 256 << 10

  /// All below a path, as a volume has it.
  func tree(below path: String) -> FileTree {
    var out = FileTree()
    let base = path == "/" ? "" : path
    for (file, text) in files where file.hasPrefix(base + "/") {
      out.put(String(file.dropFirst(base.count)), FileNode(.bytes(Array(text.utf8)), mode: 0o644, at: world.now))
    }
    guard path == "/" else { return out }
    for program in ImageCatalogue.hostPrograms { out.put(program, FileNode(.program, mode: 0o755, at: world.now)) }
    out.put("/bin", FileNode(.link("usr/bin"), at: world.now))
    out.put("/sbin", FileNode(.link("usr/sbin"), at: world.now))
    return out
  }

  private var files: [(path: String, text: String)] {
    let object = world.kube.host?.get(
      ObjectReference(cluster: cluster, resource: "nodes", namespace: "", name: node))
    let region = String((object?["metadata"]["labels"]["topology.kubernetes.io/region"].string ?? world.region))
    var files = [
      ("/etc/hostname", node + "\n"), ("/etc/hosts", "127.0.0.1 localhost localhost.localdomain\n"),
      ("/etc/resolv.conf", world.ports.resolver(ofInstance: instance, region: region).text),
      ("/etc/os-release", "PRETTY_NAME=\"\(object?["status"]["nodeInfo"]["osImage"].string ?? "")\"\n"),
    ]
    // aws-node writes it last, once its daemon answers.
    if world.nodes.askAgent(instance, 61679, "/v1/enis") != nil {
      files.append(("/etc/cni/net.d/10-aws.conflist", conflist))
    }
    for name in ["ipamd", "network-policy-agent"] {
      let log = world.logs.read("node/\(cluster)/\(instance)/\(name)").map(\.text)
      guard !log.isEmpty else { continue }
      var text = log.joined(separator: "\n") + "\n"
      if text.utf8.count > Self.logLimit {
        text = String(decoding: Array(text.utf8).suffix(Self.logLimit), as: UTF8.self)
      }
      files.append(("/var/log/aws-routed-eni/\(name).log", text))
    }
    return files
  }

  private var conflist: String {
    let pods = world.kube.host?.list(cluster: cluster, resource: "pods", namespace: "kube-system") ?? []
    let agent = pods.map { ObjectView($0) }.first {
      $0.nodeName == node && $0.labels["k8s-app"].string == "aws-node"
    }
    let settings = agent.map { CNISettings(podSpec: $0.spec) } ?? CNISettings()
    let plugins: [JSON] = [
      [
        "name": "aws-cni", "type": "aws-cni", "vethPrefix": .string(settings.vethPrefix), "mtu": "9001",
        "podSGEnforcingMode": settings.isStrict ? "strict" : "standard",
        "pluginLogFile": "/var/log/aws-routed-eni/plugin.log", "pluginLogLevel": "DEBUG",
        "capabilities": ["io.kubernetes.cri.pod-annotations": true],
      ],
      [
        "name": "egress-cni", "type": "egress-cni", "mtu": "9001", "enabled": "false", "randomizeSNAT": "prng",
        "nodeIP": "",
        "ipam": [
          "type": "host-local", "ranges": [[["subnet": "fd00::ac:00/118"]]], "routes": [["dst": "::/0"]],
          "dataDir": "/run/cni/v4pd/egress-v6-ipam",
        ],
        "pluginLogFile": "/var/log/aws-routed-eni/egress-v6-plugin.log", "pluginLogLevel": "DEBUG",
      ],
      ["type": "portmap", "capabilities": ["portMappings": true], "snat": true],
    ]
    let list: JSON = [
      "cniVersion": "0.4.0", "name": "aws-cni", "disableCheck": true, "plugins": .array(plugins),
    ]
    return list.text(.pretty) + "\n"
  }
}
