import Wire

/// How large a Fargate machine a pod gets: what it asks for and 256 MiB for the node's own programs, rounded up to
/// the next size that is sold (EKS user guide, Fargate pod configuration).
package enum FargateSize: Rule {
  package static let name = "scheduling/fargate-size"

  package struct Facts: FactSet {
    /// `spec.containers[*].resources.requests` and those of the init containers: thousandths, by resource name.
    package var requests: Fact<[String: Int64]>

    package init(requests: Fact<[String: Int64]>) { self.requests = requests }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.requests)]
  }

  /// A machine.
  package struct Size: Sendable, Equatable {
    package var milliCPU: Int
    package var memoryMiB: Int
    package var diskGiB: Int

    /// As the annotation `CapacityProvisioned` says it: `0.25vCPU 0.5GB`.
    package var text: String { "\(Self.cpu(milliCPU))vCPU \(Self.gigabytes(memoryMiB))GB" }

    private static func cpu(_ milli: Int) -> String {
      milli % 1000 == 0 ? "\(milli / 1000)" : milli == 250 ? "0.25" : "0.5"
    }

    private static func gigabytes(_ mebibytes: Int) -> String { mebibytes == 512 ? "0.5" : "\(mebibytes / 1024)" }
  }

  /// What a machine's own programs take.
  package static let overheadMiB = 256
  package static let reason = "POD_CPU_MEM_EXCEEDS_MAX_FARGATE_SIZE"
  package static let message = "Your pod's cpu/memory requirements exceed the max Fargate configuration"
  package static let diskLimitGiB = 175

  /// vCPU in thousandths, and the GB that go with it.
  private static let rows: [(milliCPU: Int, memory: [Int])] = [
    (250, [512, 1024, 2048]), (500, steps(1, 4, 1)), (1000, steps(2, 8, 1)), (2000, steps(4, 16, 1)),
    (4000, steps(8, 30, 1)), (8000, steps(16, 60, 4)), (16000, steps(32, 120, 8)),
  ]

  private static func steps(_ from: Int, _ to: Int, _ by: Int) -> [Int] {
    stride(from: from, through: to, by: by).map { $0 * 1024 }
  }

  package static func decide(_ facts: Facts) -> Verdict<Size, Because> {
    guard let requests = facts.requests.value else { return .open([facts.requests.gap!]) }
    let cpu = Int(requests["cpu"] ?? 0)
    let mebibyte: Int64 = 1024 * 1024 * 1000
    let memory = Int(((requests["memory"] ?? 0) + mebibyte - 1) / mebibyte) + overheadMiB
    let gibibyte = mebibyte * 1024
    let disk = Int(((requests["ephemeral-storage"] ?? 0) + gibibyte - 1) / gibibyte)
    let evidence = [facts.requests.citation]
    guard disk <= diskLimitGiB else {
      return .no([
        Because(
          "scheduling/fargate-size/disk",
          "it asks for \(disk) GiB of ephemeral storage, and \(diskLimitGiB) GiB is the most",
          evidence: evidence)
      ])
    }
    for row in rows where cpu <= row.milliCPU {
      guard let fitting = row.memory.first(where: { memory <= $0 }) else { continue }
      // Some of the disk is the machine's own.
      let size = Size(milliCPU: row.milliCPU, memoryMiB: fitting, diskGiB: max(20, disk == 0 ? 0 : disk * 115 / 100))
      return .yes(
        size,
        [
          Because(
            "scheduling/fargate-size/fits",
            "it asks for \(cpu)m CPU and \(memory - overheadMiB) MiB; with \(overheadMiB) MiB for the machine that is \(size.text)",
            evidence: evidence)
        ])
    }
    return .no([
      Because(
        "scheduling/fargate-size/exceeds", message, evidence: evidence,
        details: ["milliCPU": .int(Int64(cpu)), "memoryMiB": .int(Int64(memory))])
    ])
  }
}
