package import Wire

/// What a node of an instance type offers, and how the kubelet reports it.
package enum NodeCapacity {
  /// `status.capacity`. The kernel keeps some of the memory for itself: 6 % here, as on AL2023's smaller types.
  package static func capacity(_ limits: InstanceLimits, maxPods: Int, diskGiB: Int) -> JSON {
    [
      "cpu": "\(limits.vCPUs)", "ephemeral-storage": "\(diskGiB * 1024 * 1024 - 10_240)Ki", "hugepages-1Gi": "0",
      "hugepages-2Mi": "0", "memory": "\(memoryKiB(limits))Ki", "pods": "\(maxPods)",
    ]
  }

  /// `status.allocatable`: less what is reserved and kept against eviction.
  package static func allocatable(
    _ limits: InstanceLimits, maxPods: Int, reservedFor pods: Int, diskGiB: Int
  ) -> JSON {
    let cpu = limits.vCPUs * 1000 - MaxPods.kubeReservedCPU(vCPUs: limits.vCPUs)
    let memory = memoryKiB(limits) - (MaxPods.kubeReservedMemory(maxPods: pods) + 100) * 1024
    let disk = (diskGiB * 1024 * 1024 - 10_240) * 1024
    let reserved = 1024 * 1024 * 1024
    return [
      "cpu": "\(cpu)m", "ephemeral-storage": "\(disk - reserved - disk / 10)", "hugepages-1Gi": "0",
      "hugepages-2Mi": "0", "memory": "\(memory)Ki", "pods": "\(maxPods)",
    ]
  }

  /// What the node of a Fargate machine reports. The machine is larger than what is sold, by what its own programs
  /// take (observed: two CPUs and 3922564Ki under the smallest pods).
  package static func fargateCapacity(milliCPU: Int, memoryMiB: Int, diskGiB: Int) -> JSON {
    [
      "cpu": "\(max(2, (milliCPU + 999) / 1000))", "ephemeral-storage": "\(diskGiB * 1024 * 1024 * 3 / 2)Ki",
      "hugepages-1Gi": "0", "hugepages-2Mi": "0", "memory": "\(fargateMemoryKiB(memoryMiB))Ki", "pods": "1",
    ]
  }

  package static func fargateAllocatable(milliCPU: Int, memoryMiB: Int, diskGiB: Int) -> JSON {
    var allocatable = fargateCapacity(milliCPU: milliCPU, memoryMiB: memoryMiB, diskGiB: diskGiB)
    allocatable["memory"] = "\(fargateMemoryKiB(memoryMiB) - 100 * 1024)Ki"
    allocatable["ephemeral-storage"] = "\(diskGiB * 1024 * 1024 * 1024)"
    return allocatable
  }

  private static func fargateMemoryKiB(_ memoryMiB: Int) -> Int { max(3_922_564, (memoryMiB * 17 / 16 + 512) * 1024) }

  private static func memoryKiB(_ limits: InstanceLimits) -> Int { limits.memoryMiB * 1024 * 94 / 100 }
}
