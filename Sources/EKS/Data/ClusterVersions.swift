import Mechanisms
import Wire

/// The Kubernetes versions that EKS offers: release, end of standard and of extended support by the EKS
/// release calendar. Dates of 1.35 and 1.36 are uncertain.
struct ClusterVersion: Sendable {
  var version: String
  var platform: String
  var released: String
  var standardUntil: String
  var extendedUntil: String

  static let all: [ClusterVersion] = [
    .init(
      version: "1.32", platform: "eks.35", released: "2025-01-23", standardUntil: "2026-03-23",
      extendedUntil: "2027-03-23"),
    .init(
      version: "1.33", platform: "eks.28", released: "2025-05-29", standardUntil: "2026-07-29",
      extendedUntil: "2027-07-29"),
    .init(
      version: "1.34", platform: "eks.19", released: "2025-10-02", standardUntil: "2026-12-02",
      extendedUntil: "2027-12-02"),
    .init(
      version: "1.35", platform: "eks.9", released: "2026-01-28", standardUntil: "2027-03-28",
      extendedUntil: "2028-03-28"),
    .init(
      version: "1.36", platform: "eks.3", released: "2026-06-03", standardUntil: "2027-08-03",
      extendedUntil: "2028-08-03"),
  ]

  /// What `CreateCluster` takes when no version is named.
  static let standard = "1.34"

  static func named(_ version: String) -> ClusterVersion? { all.first { $0.version == version } }

  private static func time(_ day: String) -> Timestamp { Timestamp(rfc3339: "\(day)T00:00:00Z")! }

  /// As `DescribeClusterVersions` shows it.
  func document(now: Timestamp) -> JSON {
    let extended = now >= Self.time(standardUntil)
    let over = now >= Self.time(extendedUntil)
    let status = over ? "UNSUPPORTED" : extended ? "EXTENDED_SUPPORT" : "STANDARD_SUPPORT"
    return [
      "clusterVersion": .string(version), "clusterType": "eks", "defaultPlatformVersion": .string(platform),
      "defaultVersion": .bool(version == Self.standard), "releaseDate": .int(Self.time(released).seconds),
      "endOfStandardSupportDate": .int(Self.time(standardUntil).seconds),
      "endOfExtendedSupportDate": .int(Self.time(extendedUntil).seconds),
      "status": .string(status.lowercased().replacing("_", with: "-")), "versionStatus": .string(status),
      "kubernetesPatchVersion": .string(KubernetesRelease.patch(of: version)),
    ]
  }
}
