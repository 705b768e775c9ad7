/// A partition of AWS and the domains its regional hosts stand under.
package struct Partition: Sendable, Hashable {
  package var id: String
  package var domain: String
  package var dualStackDomain: String?
  /// What its regions' names begin with.
  package var regionPrefixes: [String]

  package static let all: [Partition] = [
    .init(
      id: "aws", domain: "amazonaws.com", dualStackDomain: "api.aws",
      regionPrefixes: ["us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-"]),
    .init(
      id: "aws-cn", domain: "amazonaws.com.cn", dualStackDomain: "api.amazonwebservices.com.cn",
      regionPrefixes: ["cn-"]),
    .init(id: "aws-us-gov", domain: "amazonaws.com", dualStackDomain: "api.aws", regionPrefixes: ["us-gov-"]),
    .init(id: "aws-iso", domain: "c2s.ic.gov", dualStackDomain: nil, regionPrefixes: ["us-iso-"]),
    .init(id: "aws-iso-b", domain: "sc2s.sgov.gov", dualStackDomain: nil, regionPrefixes: ["us-isob-"]),
    .init(id: "aws-iso-e", domain: "cloud.adc-e.uk", dualStackDomain: nil, regionPrefixes: ["eu-isoe-"]),
    .init(id: "aws-iso-f", domain: "csp.hci.ic.gov", dualStackDomain: nil, regionPrefixes: ["us-isof-", "eu-isof-"]),
    .init(
      id: "aws-eusc", domain: "amazonaws.eu", dualStackDomain: "api.amazonwebservices.eu",
      regionPrefixes: ["eusc-"]),
  ]

  package static func named(_ id: String) -> Partition? { all.first { $0.id == id } }

  /// The partition a region's name belongs to; the commercial one for a name of no known form.
  package static func of(region: String) -> Partition {
    guard isRegionShaped(region) else { return all[0] }
    // The longest prefix: `us-gov-` before `us-`.
    var best: (Partition, Int)?
    for partition in all {
      for prefix in partition.regionPrefixes where region.hasPrefix(prefix) {
        if prefix.utf8.count > best?.1 ?? 0 { best = (partition, prefix.utf8.count) }
      }
    }
    return best?.0 ?? all[0]
  }

  /// Ends in `-⟨letters⟩-⟨digits⟩`.
  private static func isRegionShaped(_ region: String) -> Bool {
    let parts = region.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 3, let last = parts.last, !last.isEmpty else { return false }
    return last.utf8.allSatisfy { (0x30...0x39).contains($0) } && !parts[parts.count - 2].isEmpty
  }
}
