import Wire
import World

extension EC2Service {
  /// Interfaces, and addresses on each, that an instance type may have; nil for a type that isn't known.
  func limits(of type: String) -> (interfaces: Int, addresses: Int)? { type == "" ? nil : (3, 10) }

  func architecture(of type: String) -> String {
    let family = type.prefix { $0 != "." }
    let generation = family.drop { !$0.isNumber }
    return generation.dropFirst().contains("g") || family == "a1" ? "arm64" : "x86_64"
  }

  func describeInstanceTypes(_ request: AWSRequest) throws(AWSError) -> JSON { ["InstanceTypes": []] }

  func describeInstanceTypeOfferings(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["InstanceTypeOfferings": []]
  }
}
