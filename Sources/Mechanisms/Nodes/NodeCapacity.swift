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

  private static func memoryKiB(_ limits: InstanceLimits) -> Int { limits.memoryMiB * 1024 * 94 / 100 }
}
