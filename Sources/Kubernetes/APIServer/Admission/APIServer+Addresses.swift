import Wire
import World

/// The blocks that Services have addresses from, and the IPAddress that stands for each address that is given.
///
/// Source: kubernetes `pkg/registry/core/service/ipallocator`, which keeps them so since 1.33; before, nothing shows
/// which addresses are taken but the Services.
extension APIServer {
  static let serviceBlocks = "servicecidrs.networking.k8s.io"
  static let serviceAddresses = "ipaddresses.networking.k8s.io"

  private var recordsAddresses: Bool { table.resources.contains { $0.qualifiedName == APIServer.serviceAddresses } }

  /// Blocks that may be given from: those of ServiceCIDRs that are ready and stay.
  private var readyPrefixes: [String] {
    guard recordsAddresses else { return [options.serviceCIDR] }
    return read(APIServer.serviceBlocks, namespace: "").filter { block in
      let ready = block["status"]["conditions"].items.first { $0["type"].string == "Ready" }
      return block["metadata"]["deletionTimestamp"].isNull && ready.map { $0["status"].string == "True" } ?? true
    }.flatMap { $0["spec"]["cidrs"].strings }
  }

  var readyBlocks: [CIDR] { readyPrefixes.compactMap { CIDR($0) } }
  var readyIPv6Blocks: [IPv6CIDR] { readyPrefixes.compactMap { IPv6CIDR($0) } }

  /// An address is taken by a Service, and by whoever wrote an IPAddress of that name.
  func isTaken(_ address: IPv4Address) -> Bool {
    addresses.isTaken(address) || recordsAddresses && read(APIServer.serviceAddresses, "", "\(address)") != nil
  }

  func isTaken(_ address: IPv6Address) -> Bool {
    addresses.isTaken(address) || recordsAddresses && read(APIServer.serviceAddresses, "", "\(address)") != nil
  }

  /// Lets a Service's address have its IPAddress, and one that is free none.
  func recordAddress(old: StoredObject?, new: StoredObject?) {
    guard recordsAddresses else { return }
    let before = APIServer.address(of: old)
    let now = APIServer.address(of: new)
    guard before != now else { return }
    if let before {
      let key = ObjectKey(namespace: "", name: before)
      if let kept = store(APIServer.serviceAddresses)[key], isOfAllocator(kept.json) {
        remove(APIServer.serviceAddresses, key, last: kept.json)
      }
    }
    if let now, let new { record(now, of: new.key) }
  }

  /// Gives the Services of a cluster that kept no record until now theirs.
  func recordAddresses() {
    guard recordsAddresses else { return }
    seedServiceBlock()
    for service in store("services").list(namespace: "") {
      if let address = APIServer.address(of: service), read(APIServer.serviceAddresses, "", address) == nil {
        record(address, of: service.key)
      }
    }
  }

  private static func address(of service: StoredObject?) -> String? {
    guard let text = service?.json["spec"]["clusterIP"].string, IPv4Address(text) != nil || IPv6Address(text) != nil
    else { return nil }
    return text
  }

  private func isOfAllocator(_ address: JSON) -> Bool {
    address["metadata"]["labels"][ServiceCIDRController.managedBy].string == ServiceCIDRController.allocator
  }

  private func record(_ address: String, of service: ObjectKey) {
    plant([
      "kind": "IPAddress", "apiVersion": "networking.k8s.io/v1",
      "metadata": [
        "name": .string(address),
        "labels": [
          "ipaddress.kubernetes.io/ip-family": .string(options.ipFamily),
          ServiceCIDRController.managedBy: .string(ServiceCIDRController.allocator),
        ],
      ],
      "spec": [
        "parentRef": [
          "group": "", "resource": "services", "name": .string(service.name), "namespace": .string(service.namespace),
        ]
      ],
    ])
  }
}
