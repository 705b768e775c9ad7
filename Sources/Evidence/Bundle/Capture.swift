import Foundation
package import Wire

/// Writes the evidence of a cluster as a bundle.
package struct Capture: Sendable {
  package enum Problem: Error, CustomStringConvertible {
    case exists(String)
    case notWritable(String, String)

    package var description: String {
      switch self {
      case .exists(let path): "\(path) is there already, and a capture overwrites nothing"
      case .notWritable(let path, let why): "\(path) can't be written: \(why)"
      }
    }
  }

  package struct Summary: Sendable {
    package var files = 0
    package var denied: [String] = []
    package var dropped: [String] = []
    package var isComplete: Bool { denied.isEmpty }
  }

  /// Containers whose logs are kept.
  static let logLimit = 100

  private let source: any EvidenceSource
  private let identity: ClusterIdentity
  private let target: [String: String]

  /// `kubernetes` names the endpoint and CA of the Kubernetes side, so that the two sides can be compared later.
  package init(_ source: any EvidenceSource, identity: ClusterIdentity, kubernetes: [String: String]) {
    self.source = source
    self.identity = identity
    target = kubernetes
  }

  /// Captures to a folder, or to a `.tar.gz` when the path ends so.
  package func write(to path: String, at: Timestamp) async throws -> Summary {
    guard !FileManager.default.fileExists(atPath: path) else { throw Problem.exists(path) }
    let isArchive = path.hasSuffix(".tar.gz") || path.hasSuffix(".tgz")
    let folder = isArchive ? NSTemporaryDirectory() + "ekswhy-capture-\(UUID().uuidString)/bundle" : path
    defer {
      if isArchive { try? FileManager.default.removeItem(atPath: (folder as NSString).deletingLastPathComponent) }
    }
    var writer = Writer(folder: folder)
    try await kubernetes(&writer)
    try await aws(&writer)
    var manifest = JSON.emptyObject
    manifest["version"] = 1
    manifest["capturedAt"] = .string(at.rfc3339)
    manifest["target"] = identity.json
    manifest["kubernetes"] = JSON(target)
    manifest["denied"] = .array(writer.denied.map { ["read": .string($0.path), "why": .string($0.why)] })
    manifest["notFound"] = .array(writer.notFound.sorted().map { .string($0) })
    manifest["dropped"] = .array(writer.dropped.sorted().map { .string($0) })
    if writer.removedValues > 0 {
      manifest["droppedEnvironmentValues"] = .int(Int64(writer.removedValues))
    }
    try writer.write("bundle", manifest)
    if isArchive {
      try BundleArchive.pack(folder: folder, to: path)
      try? FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }
    return Summary(
      files: writer.files, denied: writer.denied.map { "\($0.path): \($0.why)" }, dropped: writer.dropped.sorted())
  }

  // MARK: - Kubernetes

  private func kubernetes(_ writer: inout Writer) async throws {
    var pods: [JSON] = []
    for resource in KubernetesResource.all {
      // Of ConfigMaps only those that rules know are read whole; of the others metadata.
      let read = Read.kubernetes(KubernetesRead(resource))
      let reading = await source.read(read)
      guard reading.isComplete else {
        writer.refuse(read.bundlePath, reading)
        continue
      }
      if resource == .pods { pods = reading.items }
      let allowed = resource.allowList
      var items: [JSON] = []
      for item in reading.items {
        var dropped: Set<String> = []
        var kept = allowed.filter(item, dropped: &dropped)
        writer.dropped.formUnion(dropped.map { "\(resource.fileName): \($0)" })
        kept = KnownEnvironment.strip(kept, removed: &writer.removedValues)
        if resource == .configMaps, !["aws-auth", "coredns"].contains(item["metadata"]["name"].string) {
          kept.remove("data")
        }
        if kept["kind"].isNull { kept["kind"] = .string(resource.kind) }
        if kept["apiVersion"].isNull {
          kept["apiVersion"] = .string(
            resource.group.isEmpty ? resource.version : "\(resource.group)/\(resource.version)")
        }
        items.append(kept)
      }
      try writer.write(
        read.bundlePath, ["apiVersion": "v1", "kind": "List", "metadata": [:], "items": .array(items)])
    }
    try await logs(pods, &writer)
  }

  /// The ends of the logs of containers that ended badly, or are not ready.
  private func logs(_ pods: [JSON], _ writer: inout Writer) async throws {
    var left = Capture.logLimit
    for pod in pods {
      let status = pod["status"]
      for container in status["initContainerStatuses"].items + status["containerStatuses"].items {
        let hasEnded = !container["lastState"]["terminated"].isNull
        guard hasEnded || container["state"]["terminated"]["exitCode"].int ?? 0 != 0, left > 0 else { continue }
        left -= 1
        // A run that is over and not begun again is the present one.
        let isPrevious = hasEnded && container["state"]["terminated"].isNull
        let read = Read.kubernetes(
          .log(
            namespace: pod["metadata"]["namespace"].string ?? "", pod: pod["metadata"]["name"].string ?? "",
            container: container["name"].string ?? "", previous: isPrevious))
        let reading = await source.read(read)
        guard reading.isComplete else {
          writer.refuse(read.bundlePath, reading)
          continue
        }
        guard let text = reading.items.first?.string else {
          writer.notFound.append(read.bundlePath)
          continue
        }
        try writer.write(read.bundlePath, log: text)
      }
    }
  }

  // MARK: - AWS

  /// EKS lists them in no order: which are the last ones only they tell.
  private func updates(_ scope: [String: String], _ writer: inout Writer) async throws {
    for id in try await keep(AWSRead(.listUpdates, scope), &writer).compactMap(\.string).prefix(30) {
      _ = try await keep(AWSRead(.describeUpdate, scope.merging(["updateId": id]) { $1 }), &writer)
    }
  }

  private func aws(_ writer: inout Writer) async throws {
    _ = try await keep(AWSRead(.getCallerIdentity), &writer)
    guard let name = identity.cluster else { return }
    let cluster = try await keep(AWSRead(.describeCluster, ["name": name]), &writer).first
    let scope = ["clusterName": name]
    // In mode CONFIG_MAP there are none, and the call is refused.
    if cluster?["accessConfig"]["authenticationMode"].string != "CONFIG_MAP" {
      for entry in try await keep(AWSRead(.listAccessEntries, scope), &writer).compactMap(\.string) {
        let parameters = ["clusterName": name, "principalArn": entry]
        _ = try await keep(AWSRead(.describeAccessEntry, parameters), &writer)
        _ = try await keep(AWSRead(.listAssociatedAccessPolicies, parameters), &writer)
        try await principal(entry, &writer)
      }
    }
    try await updates(["name": name], &writer)
    var roles: Set<String> = []
    var groups: [String] = []
    for group in try await keep(AWSRead(.listNodegroups, scope), &writer).compactMap(\.string) {
      let items = try await keep(
        AWSRead(.describeNodegroup, ["clusterName": name, "nodegroupName": group]), &writer)
      for item in items {
        if let arn = item["nodeRole"].string { roles.insert(arn) }
        groups += item["resources"]["autoScalingGroups"].items.compactMap { $0["name"].string }
      }
      try await updates(["name": name, "nodegroupName": group], &writer)
    }
    for addon in try await keep(AWSRead(.listAddons, scope), &writer).compactMap(\.string) {
      _ = try await keep(AWSRead(.describeAddon, ["addonName": addon, "clusterName": name]), &writer)
      try await updates(["addonName": addon, "name": name], &writer)
    }
    for profile in try await keep(AWSRead(.listFargateProfiles, scope), &writer).compactMap(\.string) {
      let items = try await keep(
        AWSRead(.describeFargateProfile, ["clusterName": name, "fargateProfileName": profile]), &writer)
      for arn in items.compactMap({ $0["podExecutionRoleArn"].string }) { roles.insert(arn) }
    }
    for association in try await keep(AWSRead(.listPodIdentityAssociations, scope), &writer) {
      guard let id = association["associationId"].string else { continue }
      let items = try await keep(
        AWSRead(.describePodIdentityAssociation, ["associationId": id, "clusterName": name]), &writer)
      for item in items {
        for arn in [item["roleArn"], item["targetRoleArn"]].compactMap(\.string) { roles.insert(arn) }
      }
    }
    try await issuer(cluster, &writer)
    try await controlPlaneLogs(cluster, &writer)
    let vpc = cluster?["resourcesVpcConfig"]["vpcId"].string
    let inVPC = vpc.map { ["vpc-id": [$0]] } ?? [:]
    let instances = try await keep(AWSRead(.describeInstances, filters: inVPC), &writer)
    let networks: [AWSCall] = [
      .describeNetworkInterfaces, .describeSubnets, .describeRouteTables, .describeNetworkAcls, .describeSecurityGroups,
      .describeNatGateways,
    ]
    for call in networks {
      _ = try await keep(AWSRead(call, filters: inVPC), &writer)
    }
    if let vpc { try await network(vpc, &writer) }
    let types = Set(instances.compactMap { $0["InstanceType"].string }).sorted()
    if !types.isEmpty {
      _ = try await keep(AWSRead(.describeInstanceTypes, filters: ["InstanceTypes": types]), &writer)
    }
    let profiles = Set(
      instances.compactMap { $0["IamInstanceProfile"]["Arn"].string?.split(separator: "/").last.map(String.init) })
    for profile in profiles.sorted() {
      let items = try await keep(AWSRead(.getInstanceProfile, ["InstanceProfileName": profile]), &writer)
      for arn in items.flatMap({ $0["Roles"].items }).compactMap({ $0["Arn"].string }) { roles.insert(arn) }
    }
    for account in await source.read(.kubernetes(KubernetesRead(.serviceAccounts))).items {
      if let arn = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].string { roles.insert(arn) }
    }
    for role in Set(roles.compactMap { $0.split(separator: "/").last.map(String.init) }).sorted() {
      try await self.role(role, &writer)
    }
    if !groups.isEmpty {
      _ = try await keep(
        AWSRead(.describeAutoScalingGroups, filters: ["AutoScalingGroupNames": groups]), &writer)
      for group in groups {
        _ = try await keep(AWSRead(.describeScalingActivities, ["AutoScalingGroupName": group]), &writer)
      }
    }
  }

  /// What the resolver of a VPC goes by.
  private func network(_ vpc: String, _ writer: inout Writer) async throws {
    let items = try await keep(AWSRead(.describeVpcs, filters: ["VpcIds": [vpc]]), &writer)
    for name in ["enableDnsSupport", "enableDnsHostnames"] {
      _ = try await keep(AWSRead(.describeVpcAttribute, ["VpcId": vpc, "Attribute": name]), &writer)
    }
    if let options = items.first?["DhcpOptionsId"].string {
      _ = try await keep(AWSRead(.describeDhcpOptions, filters: ["DhcpOptionsIds": [options]]), &writer)
    }
    _ = try await keep(AWSRead(.describeVpcEndpoints, filters: ["vpc-id": [vpc]]), &writer)
  }

  /// The last hour of the logs by which refusals are explained, where they are on: of the authenticator its lines, of
  /// the audit log what was refused, or done with a stale token, and of that nothing that a request or an answer held.
  private func controlPlaneLogs(_ cluster: JSON?, _ writer: inout Writer) async throws {
    guard let name = identity.cluster else { return }
    let since = String((await source.now().time - .seconds(3600)).microseconds / 1000)
    for (type, stream) in [("authenticator", "authenticator"), ("audit", "kube-apiserver-audit")] {
      let isOn = cluster?["logging"]["clusterLogging"].items.contains {
        $0["enabled"].bool == true && $0["types"].strings.contains(type)
      }
      guard isOn == true else { continue }
      let parameters = ["logGroupName": "/aws/eks/\(name)/cluster", "logStreamNamePrefix": "\(stream)-"]
      let reading = await source.read(
        .aws(AWSRead(.filterLogEvents, parameters, filters: ["startTime": [since]])))
      let path = AWSRead(.filterLogEvents, parameters).bundlePath
      guard reading.isComplete else {
        writer.refuse(path, reading)
        continue
      }
      let events = reading.items.compactMap { type == "audit" ? AuditLine.reduced($0) : $0 }
      try writer.write(path, AWSCall.filterLogEvents.output(of: events))
    }
  }

  /// The OpenID Connect provider of the cluster's issuer, and who made the cluster.
  private func issuer(_ cluster: JSON?, _ writer: inout Writer) async throws {
    let issuer = cluster?["identity"]["oidc"]["issuer"].string ?? ""
    let host = issuer.hasPrefix("https://") ? String(issuer.dropFirst(8)) : issuer
    for provider in try await keep(AWSRead(.listOpenIDConnectProviders), &writer) {
      guard let arn = provider["Arn"].string, !host.isEmpty, arn.hasSuffix("/\(host)") else { continue }
      _ = try await keep(AWSRead(.getOpenIDConnectProvider, ["OpenIDConnectProviderArn": arn]), &writer)
    }
    // Only in mode CONFIG_MAP does the creator have rights that no entry shows.
    guard cluster?["accessConfig"]["authenticationMode"].string == "CONFIG_MAP" else { return }
    let read = AWSRead(.lookupEvents, filters: ["EventName": ["CreateCluster"]])
    _ = try await keep(read, &writer)
  }

  /// A user or role that an access entry names: its id and age decide whether the entry is still its own.
  private func principal(_ arn: String, _ writer: inout Writer) async throws {
    guard let name = arn.split(separator: "/").last.map(String.init), writer.isNew("principal \(arn)") else { return }
    let isUser = arn.contains(":user/")
    _ = try await keep(AWSRead(isUser ? .getUser : .getRole, [isUser ? "UserName" : "RoleName": name]), &writer)
  }

  private func role(_ name: String, _ writer: inout Writer) async throws {
    _ = try await keep(AWSRead(.getRole, ["RoleName": name]), &writer)
    for policy in try await keep(AWSRead(.listAttachedRolePolicies, ["RoleName": name]), &writer) {
      guard let arn = policy["PolicyArn"].string, writer.isNew("policy \(arn)") else { continue }
      let items = try await keep(AWSRead(.getPolicy, ["PolicyArn": arn]), &writer)
      guard let version = items.first?["DefaultVersionId"].string else { continue }
      _ = try await keep(AWSRead(.getPolicyVersion, ["PolicyArn": arn, "VersionId": version]), &writer)
    }
    for policy in try await keep(AWSRead(.listRolePolicies, ["RoleName": name]), &writer).compactMap(\.string) {
      _ = try await keep(AWSRead(.getRolePolicy, ["PolicyName": policy, "RoleName": name]), &writer)
    }
  }

  /// Reads, writes what is allowed of the items, and gives the items.
  private func keep(_ read: AWSRead, _ writer: inout Writer) async throws -> [JSON] {
    let reading = await source.read(.aws(read))
    let path = read.bundlePath
    guard writer.isNew(path) else { return reading.items }
    guard reading.isComplete else {
      writer.refuse(path, reading)
      return []
    }
    if reading.items.isEmpty, !read.operation.items.contains("*") {
      writer.notFound.append(path)
      return []
    }
    var dropped: Set<String> = []
    let allowed = read.operation.allowList
    let items = reading.items.map { allowed?.filter($0, dropped: &dropped) ?? $0 }
    writer.dropped.formUnion(dropped.map { "\(read.operation.service)/\(read.operation.commandName): \($0)" })
    try writer.write(path, read.operation.output(of: items))
    // What was asked of one VPC answers for that VPC.
    for term in read.filters {
      writer.filtered[path, default: [:]][term.name] = .array(term.values.map { .string($0) })
    }
    return reading.items
  }
}

extension Capture {
  /// Files of the bundle, each readable by this user alone.
  fileprivate struct Writer {
    let folder: String
    var files = 0
    var denied: [(path: String, why: String)] = []
    var notFound: [String] = []
    var dropped: Set<String> = []
    var removedValues = 0
    var filtered: [String: JSON] = [:]
    private var seen: Set<String> = []

    init(folder: String) { self.folder = folder }

    mutating func isNew(_ what: String) -> Bool { seen.insert(what).inserted }

    mutating func refuse(_ path: String, _ reading: Reading) {
      denied.append((path, reading.shortfall ?? ""))
    }

    mutating func write(_ path: String, _ value: JSON) throws {
      var value = value
      if path == "bundle", !filtered.isEmpty {
        var scopes = JSON.emptyObject
        for (path, scope) in filtered.sorted(by: { $0.key < $1.key }) { scopes[path] = scope }
        value["filtered"] = scopes
      }
      try put(value.text(.pretty) + "\n", at: "\(folder)/\(path).json")
    }

    mutating func write(_ path: String, log: String) throws { try put(log, at: "\(folder)/\(path).log") }

    private mutating func put(_ text: String, at file: String) throws {
      let parent = (file as NSString).deletingLastPathComponent
      do {
        try FileManager.default.createDirectory(
          atPath: parent, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      } catch { throw Problem.notWritable(parent, "\(error)") }
      guard !FileManager.default.fileExists(atPath: file) else { throw Problem.exists(file) }
      guard
        FileManager.default.createFile(
          atPath: file, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
      else { throw Problem.notWritable(file, "no permission, or no space left") }
      files += 1
    }
  }
}

extension AWSCall {
  /// An answer with these items, as the AWS CLI would print it.
  func output(of items: [JSON]) -> JSON {
    var value: JSON
    var path = self.items
    if path.isEmpty { return items.first ?? .emptyObject }
    if path.last == "*" {
      path.removeLast()
      value = .array(items)
    } else {
      value = items.first ?? .emptyObject
    }
    // Reservations.*.Instances: one reservation around all.
    for key in path.reversed() { value = key == "*" ? [value] : [key: value] }
    return value
  }

  /// The fields of an item that a capture keeps; nil keeps all, of calls whose answers hold nothing else.
  var allowList: FieldAllowList? {
    switch name {
    case "DescribeInstances":
      FieldAllowList([
        "InstanceId", "InstanceType", "State", "StateReason", "StateTransitionReason", "PrivateDnsName",
        "PrivateIpAddress", "SubnetId", "VpcId", "LaunchTime", "IamInstanceProfile", "Tags", "Placement",
        "SecurityGroups", "ImageId", "Platform", "NetworkInterfaces.*.NetworkInterfaceId", "MetadataOptions",
      ])
    case "DescribeNetworkInterfaces":
      FieldAllowList([
        "NetworkInterfaceId", "SubnetId", "VpcId", "Status", "Description", "InterfaceType", "Attachment",
        "PrivateIpAddresses", "PrivateIpAddress", "Ipv4Prefixes", "TagSet", "Groups", "AvailabilityZone",
        "RequesterManaged", "OwnerId", "SourceDestCheck",
      ])
    case "DescribeSubnets":
      FieldAllowList([
        "SubnetId", "VpcId", "CidrBlock", "AvailabilityZone", "AvailableIpAddressCount", "MapPublicIpOnLaunch",
        "Tags", "State",
      ])
    case "LookupEvents": FieldAllowList(["EventName", "EventTime", "CloudTrailEvent"])
    case "GetUser": FieldAllowList(["UserName", "UserId", "Arn", "CreateDate", "Tags", "PermissionsBoundary"])
    case "DescribeVpcs": FieldAllowList(["VpcId", "CidrBlock", "CidrBlockAssociationSet", "Tags", "IsDefault"])
    case "DescribeInstanceTypes":
      FieldAllowList(["InstanceType", "Hypervisor", "VCpuInfo", "MemoryInfo", "NetworkInfo"])
    default: nil
    }
  }
}

extension ClusterIdentity {
  fileprivate var json: JSON {
    var out = JSON.emptyObject
    for (name, value) in [
      ("cluster", cluster), ("account", account), ("region", region), ("context", context), ("caller", caller),
    ] {
      if let value { out[name] = .string(value) }
    }
    if let client { out["client"] = client.json }
    return out
  }
}
