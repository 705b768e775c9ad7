import Mechanisms
import Wire
import World

extension EC2Service {
  /// Interfaces, and addresses on each, that an instance type may have; nil for a type that isn't known.
  func limits(of type: String) -> (interfaces: Int, addresses: Int)? {
    InstanceLimits.named(type).map { ($0.maxENIs, $0.ipv4PerENI) }
  }

  func architecture(of type: String) -> String {
    let family = type.prefix { $0 != "." }
    let generation = family.drop { !$0.isNumber }
    return generation.dropFirst().contains("g") || family == "a1" ? "arm64" : "x86_64"
  }

  func describeInstanceTypes(_ request: AWSRequest) throws(AWSError) -> JSON {
    let wanted = request.input["InstanceTypes"].strings
    let unknown = wanted.filter { InstanceLimits.named($0) == nil }
    guard unknown.isEmpty else {
      throw AWSError(
        code: "InvalidInstanceType",
        message: "The following supplied instance types do not exist: [\(unknown.joined(separator: ", "))]")
    }
    let types = InstanceLimits.all.filter { wanted.isEmpty || wanted.contains($0.type) }
    let what = Description(list: "InstanceTypes", ids: "-", id: "InstanceType", kind: "instance-type")
    return try describe(what, types.map(document(of:)), request)
  }

  private func document(of limits: InstanceLimits) -> JSON {
    [
      "InstanceType": .string(limits.type), "CurrentGeneration": true,
      "BareMetal": .bool(limits.hypervisor == "metal"),
      "Hypervisor": limits.hypervisor == "metal" ? .null : .string(limits.hypervisor),
      "VCpuInfo": ["DefaultVCpus": JSON(limits.vCPUs)], "MemoryInfo": ["SizeInMiB": JSON(limits.memoryMiB)],
      "ProcessorInfo": ["SupportedArchitectures": [.string(architecture(of: limits.type))]],
      "NetworkInfo": [
        "MaximumNetworkInterfaces": JSON(limits.maxENIs), "Ipv4AddressesPerInterface": JSON(limits.ipv4PerENI),
        "Ipv6AddressesPerInterface": JSON(limits.ipv4PerENI), "Ipv6Supported": true,
      ],
    ]
  }

  func describeInstanceTypeOfferings(_ request: AWSRequest) throws(AWSError) -> JSON {
    let kind = request.input["LocationType"].string ?? "region"
    let zones = Set(subnets.all.map(\.zone)).sorted()
    let locations = kind == "region" ? [request.region] : zones
    let offered = InstanceLimits.all.flatMap { type in
      locations.map { place -> JSON in
        ["InstanceType": .string(type.type), "LocationType": .string(kind), "Location": .string(place)]
      }
    }
    let what = Description(list: "InstanceTypeOfferings", ids: "-", id: "InstanceType", kind: "instance-type")
    return try describe(what, offered, request)
  }
}
