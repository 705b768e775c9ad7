import Wire
import World

/// CSI drivers of a node: whose plugin runs stands in the CSINode, with the node's place as it sees it.
///
/// Source: kubernetes `pkg/volume/csi/csi_plugin.go`, `nodeinfomanager`.
extension Kubelet {
  /// A driver's plugin has told of itself.
  mutating func registerDriver(_ value: JSON, _ context: Context) {
    guard let driver = value["driver"].string, let program = value["program"].string else { return }
    drivers = drivers ?? [:]
    drivers![driver] = ComponentID(program)
    let node = identity.nodeName
    let topology = value["topology"]
    log(
      "I", "csi_plugin.go:119",
      "Register new plugin with name: \(driver) at endpoint: /var/lib/kubelet/plugins/\(driver)/csi.sock",
      context)
    send("node-labels", context) { $0.patch("nodes", "", node, ["metadata": ["labels": topology]], .merge) }
    send("csi-driver", context) {
      $0.patch(
        "csinodes.storage.k8s.io", "", node,
        [
          "spec": [
            "drivers": [
              [
                "name": .string(driver), "nodeID": value["node"],
                "topologyKeys": JSON(topology.fields.map(\.key).sorted()),
                "allocatable": value["limit"].isNull ? .null : ["count": value["limit"]],
              ]
            ]
          ]
        ])
    }
    // What waits for the driver is looked at again.
    for uid in pods.keys.sorted() where pods[uid]!.volumesSince != nil { context.wake("pod \(uid)", after: .zero) }
  }

  /// Stops the program of a container; a driver that it spoke for is taken from the node.
  mutating func stop(_ program: ComponentID, _ context: Context) {
    context.world.stop(program)
    for (driver, speaker) in (drivers ?? [:]).sorted(by: { $0.key < $1.key }) where speaker == program {
      drivers?[driver] = nil
      let node = identity.nodeName
      send("csi-driver", context) {
        $0.patch(
          "csinodes.storage.k8s.io", "", node,
          ["spec": ["drivers": [["$patch": "delete", "name": .string(driver)]]]])
      }
    }
    if drivers?.isEmpty == true { drivers = nil }
  }
}
