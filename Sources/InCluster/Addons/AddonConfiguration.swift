import Wire
import World

/// What an add-on's configuration values make of its objects.
struct AddonConfiguration {
  private let name: String
  private let values: JSON
  private let roleARN: String
  private let isIPv6: Bool

  init(_ order: AddonOrder) {
    name = order.name
    values = order.configuration.object == nil ? .emptyObject : order.configuration
    roleARN = order.roleARN
    isIPv6 = order.cluster.isIPv6
  }

  /// The service account that stands for the add-on at AWS.
  private var serviceAccount: String? {
    switch name {
    case "vpc-cni": "aws-node"
    case "aws-ebs-csi-driver": "ebs-csi-controller-sa"
    default: nil
    }
  }

  func apply(to objects: inout [JSON]) {
    if !roleARN.isEmpty, let serviceAccount {
      edit(&objects, "ServiceAccount", serviceAccount) {
        $0["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = .string(roleARN)
      }
    }
    switch name {
    case "vpc-cni": vpcCNI(&objects)
    case "coredns": coreDNS(&objects)
    case "kube-proxy": kubeProxy(&objects)
    case "eks-pod-identity-agent":
      edit(&objects, "DaemonSet", name) { set in
        pod(values, &set, container: "eks-pod-identity-agent")
        pod(values["agent"], &set, container: "eks-pod-identity-agent")
        arguments(values["agent"]["additionalArgs"], &set, container: "eks-pod-identity-agent")
      }
    case "aws-ebs-csi-driver": ebsDriver(&objects)
    case "metrics-server":
      edit(&objects, "Deployment", name) { deployment in
        replicas(values["replicas"], &deployment)
        pod(values, &deployment, container: "metrics-server")
        for argument in values["args"].items { change(&deployment, container: name) { $0["args"].append(argument) } }
      }
    case "snapshot-controller":
      edit(&objects, "Deployment", name) { deployment in
        replicas(values["replicaCount"], &deployment)
        pod(values, &deployment, container: "snapshot-controller")
      }
    case "eks-node-monitoring-agent":
      edit(&objects, "DaemonSet", name) { set in
        pod(values["nodeAgent"], &set, container: "eks-node-monitoring-agent")
        for argument in values["nodeAgent"]["additionalArgs"].items {
          change(&set, container: name) { $0["args"].append(argument) }
        }
      }
    default: break
    }
  }

  // MARK: - The add-ons

  private func vpcCNI(_ objects: inout [JSON]) {
    edit(&objects, "DaemonSet", "aws-node") { set in
      if isIPv6 {
        environment(
          ["ENABLE_IPv4": "false", "ENABLE_IPv6": "true", "ENABLE_PREFIX_DELEGATION": "true"], &set,
          container: "aws-node")
        environment(["ENABLE_IPv6": "true"], &set, container: "aws-vpc-cni-init")
      }
      pod(values, &set, container: "aws-node")
      environment(values["env"], &set, container: "aws-node")
      environment(values["init"]["env"], &set, container: "aws-vpc-cni-init")
      for (member, probe) in [
        ("livenessProbeTimeoutSeconds", "livenessProbe"), ("readinessProbeTimeoutSeconds", "readinessProbe"),
      ] where !values[member].isNull {
        change(&set, container: "aws-node") { $0[probe]["timeoutSeconds"] = values[member] }
      }
      let agent = values["nodeAgent"]
      for (value, flag) in [
        (values["enableNetworkPolicy"], "--enable-network-policy"),
        (agent["enableCloudWatchLogs"], "--enable-cloudwatch-logs"),
        (agent["enablePolicyEventLogs"], "--enable-policy-event-logs"),
        (agent["conntrackCacheCleanupPeriod"], "--conntrack-cache-cleanup-period"),
        (agent["conntrackCacheTableSize"], "--conntrack-cache-table-size"),
      ] {
        guard let text = value.string else { continue }
        change(&set, container: "aws-eks-nodeagent") { container in
          container["args"] = .array(
            container["args"].items.map { argument in
              argument.string?.hasPrefix("\(flag)=") == true ? .string("\(flag)=\(text)") : argument
            })
        }
      }
      resources(agent["resources"], &set, container: "aws-eks-nodeagent")
    }
    edit(&objects, "ConfigMap", "amazon-vpc-cni") { map in
      for (member, key) in [
        ("enableNetworkPolicy", "enable-network-policy-controller"), ("enableWindowsIpam", "enable-windows-ipam"),
        ("enableWindowsPrefixDelegation", "enable-windows-prefix-delegation"),
        ("branchENICooldown", "branch-eni-cooldown"), ("minimumWindowsIPTarget", "minimum-ip-target"),
        ("warmWindowsIPTarget", "warm-ip-target"), ("warmWindowsPrefixTarget", "warm-prefix-target"),
      ] where !values[member].isNull {
        map["data"][key] = .string(values[member].string ?? values[member].text())
      }
    }
    guard values["eniConfig"]["create"].bool == true else { return }
    for subnet in values["eniConfig"]["subnets"].fields {
      objects.append([
        "apiVersion": "crd.k8s.amazonaws.com/v1alpha1", "kind": "ENIConfig", "metadata": ["name": .string(subnet.key)],
        "spec": ["subnet": subnet.value["id"], "securityGroups": subnet.value["securityGroups"]],
      ])
    }
  }

  private func coreDNS(_ objects: inout [JSON]) {
    edit(&objects, "ConfigMap", "coredns") { map in
      if let text = values["corefile"].string { map["data"]["Corefile"] = .string(text) }
    }
    edit(&objects, "Deployment", "coredns") { deployment in
      replicas(values["replicaCount"], &deployment)
      // The autoscaler's range counts, not a fixed number.
      if values["autoScaling"]["enabled"].bool == true, let least = values["autoScaling"]["minReplicas"].int {
        deployment["spec"]["replicas"] = JSON(least)
      }
      if let type = values["computeType"].string {
        deployment["spec"]["template"]["metadata"]["annotations"]["eks.amazonaws.com/compute-type"] = .string(type)
      }
      pod(values, &deployment, container: "coredns")
    }
    let budget = values["podDisruptionBudget"]
    if budget["enabled"].bool == false {
      objects.removeAll { $0["kind"].string == "PodDisruptionBudget" }
    }
    edit(&objects, "PodDisruptionBudget", "coredns") { object in
      for member in ["maxUnavailable", "minAvailable"] where !budget[member].isNull {
        object["spec"]["maxUnavailable"] = .null
        object["spec"][member] = budget[member]
      }
    }
  }

  private func kubeProxy(_ objects: inout [JSON]) {
    edit(&objects, "DaemonSet", "kube-proxy") { pod(values, &$0, container: "kube-proxy") }
    edit(&objects, "ConfigMap", "kube-proxy-config") { map in
      var text = map["data"]["config"].string ?? ""
      if let mode = values["mode"].string {
        text = text.replacing("mode: \"iptables\"", with: "mode: \"\(mode)\"")
      }
      if let scheduler = values["ipvs"]["scheduler"].string {
        text = text.replacing("scheduler: \"\"", with: "scheduler: \"\(scheduler)\"")
      }
      map["data"]["config"] = .string(text)
    }
  }

  private func ebsDriver(_ objects: inout [JSON]) {
    edit(&objects, "Deployment", "ebs-csi-controller") { deployment in
      let wanted = values["controller"]
      replicas(wanted["replicaCount"], &deployment)
      pod(wanted, &deployment, container: "ebs-plugin")
      if !wanted["updateStrategy"].isNull { deployment["spec"]["strategy"] = wanted["updateStrategy"] }
      change(&deployment, container: "ebs-plugin") { container in
        flag("--batching", wanted["batching"], &container)
        flag("--logging-format", wanted["loggingFormat"], &container)
        flag("--k8s-tag-cluster-id", wanted["k8sTagClusterId"], &container)
        flag("--v", wanted["logLevel"], &container)
        let tags = wanted["extraVolumeTags"].fields.map { "\($0.key)=\($0.value.string ?? "")" }
        if !tags.isEmpty { flag("--extra-tags", .string(tags.joined(separator: ",")), &container) }
        for argument in wanted["additionalArgs"].items { container["args"].append(argument) }
        for variable in wanted["env"].items { container["env"].append(variable) }
      }
      change(&deployment, container: "csi-provisioner") { flag("--default-fstype", wanted["defaultFsType"], &$0) }
    }
    edit(&objects, "DaemonSet", "ebs-csi-node") { set in
      let wanted = values["node"]
      pod(wanted, &set, container: "ebs-plugin")
      if !wanted["updateStrategy"].isNull { set["spec"]["updateStrategy"] = wanted["updateStrategy"] }
      if !wanted["hostNetwork"].isNull { set["spec"]["template"]["spec"]["hostNetwork"] = wanted["hostNetwork"] }
      if wanted["tolerateAllTaints"].bool == false, wanted["tolerations"].isNull {
        set["spec"]["template"]["spec"]["tolerations"] = []
      }
      change(&set, container: "ebs-plugin") { container in
        flag("--logging-format", wanted["loggingFormat"], &container)
        flag("--v", wanted["logLevel"], &container)
        flag("--volume-attach-limit", wanted["volumeAttachLimit"], &container)
        flag("--reserved-volume-attachments", wanted["reservedVolumeAttachments"], &container)
        for argument in wanted["additionalArgs"].items { container["args"].append(argument) }
        for variable in wanted["env"].items { container["env"].append(variable) }
      }
    }
    for (member, account) in [("controller", "ebs-csi-controller-sa"), ("node", "ebs-csi-node-sa")] {
      edit(&objects, "ServiceAccount", account) { object in
        for field in values[member]["serviceAccount"]["annotations"].fields {
          object["metadata"]["annotations"][field.key] = field.value
        }
      }
    }
    guard values["defaultStorageClass"]["enabled"].bool == true else { return }
    objects.append([
      "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
      "metadata": [
        "name": "ebs-csi-default-sc", "annotations": ["storageclass.kubernetes.io/is-default-class": "true"],
      ],
      "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true,
    ])
  }

  // MARK: - What they share

  private func edit(_ objects: inout [JSON], _ kind: String, _ name: String, _ change: (inout JSON) -> Void) {
    for index in objects.indices
    where objects[index]["kind"].string == kind && objects[index]["metadata"]["name"].string == name {
      change(&objects[index])
    }
  }

  private func change(_ workload: inout JSON, container: String, _ change: (inout JSON) -> Void) {
    var spec = workload["spec"]["template"]["spec"]
    for list in ["containers", "initContainers"] where !spec[list].isNull {
      spec[list] = .array(
        spec[list].items.map { item in
          guard item["name"].string == container else { return item }
          var item = item
          change(&item)
          return item
        })
    }
    workload["spec"]["template"]["spec"] = spec
  }

  private func replicas(_ count: JSON, _ workload: inout JSON) {
    if !count.isNull { workload["spec"]["replicas"] = count }
  }

  /// The values that most add-ons take for their pods.
  private func pod(_ values: JSON, _ workload: inout JSON, container: String) {
    for member in ["affinity", "tolerations", "nodeSelector", "topologySpreadConstraints", "priorityClassName"]
    where !values[member].isNull {
      workload["spec"]["template"]["spec"][member] = values[member]
    }
    for (member, field) in [("podAnnotations", "annotations"), ("podLabels", "labels")] {
      for value in values[member].fields {
        workload["spec"]["template"]["metadata"][field][value.key] = value.value
      }
    }
    resources(values["resources"], &workload, container: container)
  }

  private func resources(_ values: JSON, _ workload: inout JSON, container: String) {
    guard !values.isNull else { return }
    change(&workload, container: container) { item in
      for part in ["limits", "requests"] where !values[part].isNull { item["resources"][part] = values[part] }
    }
  }

  private func environment(_ values: JSON, _ workload: inout JSON, container: String) {
    guard !values.fields.isEmpty else { return }
    change(&workload, container: container) { item in
      var variables = item["env"].items
      for value in values.fields {
        let variable: JSON = ["name": .string(value.key), "value": value.value]
        if let at = variables.firstIndex(where: { $0["name"].string == value.key }) {
          variables[at] = variable
        } else {
          variables.append(variable)
        }
      }
      item["env"] = .array(variables)
    }
  }

  private func arguments(_ values: JSON, _ workload: inout JSON, container: String) {
    change(&workload, container: container) { item in
      for value in values.fields {
        item["args"].append(.string(value.key))
        if let text = value.value.string, !text.isEmpty { item["args"].append(.string(text)) }
      }
    }
  }

  /// Sets `--flag=value`, where it stands or at the end.
  private func flag(_ name: String, _ value: JSON, _ container: inout JSON) {
    guard !value.isNull else { return }
    let text = "\(name)=\(value.string ?? value.text())"
    var arguments = container["args"].strings
    if let at = arguments.firstIndex(where: { $0.hasPrefix("\(name)=") }) {
      arguments[at] = text
    } else {
      arguments.append(text)
    }
    container["args"] = JSON(arguments)
  }
}
