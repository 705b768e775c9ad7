import Wire

/// Paths of a node that pods mount: what there is of them on Amazon Linux.
///
/// Source: kubernetes `pkg/volume/hostpath/host_path.go`.
enum HostPaths {
  /// Directories that are there; all below these as well.
  private static let trees = [
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin", "/sys",
    "/tmp",
    "/usr", "/var",
  ]
  private static let sockets = [
    "/run/containerd/containerd.sock", "/var/run/containerd/containerd.sock", "/run/dbus/system_bus_socket",
    "/var/lib/kubelet/device-plugins/kubelet.sock",
  ]
  private static let files = [
    "/etc/hostname", "/etc/hosts", "/etc/localtime", "/etc/machine-id", "/etc/os-release", "/etc/passwd", "/etc/group",
    "/etc/resolv.conf", "/run/xtables.lock", "/var/lib/kubelet/kubeconfig", "/var/lib/kubelet/config.yaml",
  ]

  /// Why a path cannot be mounted as what it is said to be; nil when it can. Nobody can say what lies below the
  /// directories of the system, so that it is taken to be there.
  static func fault(_ source: JSON) -> String? {
    guard let given = source["path"].string, let type = source["type"].string, !type.isEmpty else { return nil }
    let path = given.count > 1 && given.hasSuffix("/") ? String(given.dropLast()) : given
    let isThere = path == "/" || trees.contains { path == $0 || path.hasPrefix($0 + "/") }
    let isFile = files.contains(path)
    let isSocket = sockets.contains(path) || path.hasSuffix(".sock") && isThere
    let isDirectory = isThere && !isFile && !isSocket
    func refused(_ what: String) -> String { "hostPath type check failed: \(given) is not a \(what)" }
    switch type {
    case "Directory" where !isDirectory: return refused("directory")
    case "DirectoryOrCreate" where isFile || isSocket: return refused("directory")
    case "File" where !isThere || isSocket: return refused("file")
    case "Socket" where !isSocket: return refused("socket file")
    case "CharDevice" where !path.hasPrefix("/dev/"): return refused("character device")
    case "BlockDevice" where !path.hasPrefix("/dev/"): return refused("block device")
    default: return nil
    }
  }
}
