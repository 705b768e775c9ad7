/// A reading operation of an AWS service: where its items stand and how they are filtered.
package struct AWSCall: Hashable, Sendable {
  package var service: String
  package var name: String
  /// Where the items stand in the answer; `*` walks a list, an empty path is the answer itself.
  package var items: [String]
  /// Where in an item the value of a filter stands: `attachment.instance-id` → `Attachment.InstanceId`.
  package var filters: [String: [String]]
  /// Parameters that are lists of ids, and so filters too: `InstanceIds` → `InstanceId`.
  package var idLists: [String: [String]]
  /// Error codes that say no more than that the thing does not exist.
  package var notFound: [String]
  /// Parameters that are numbers.
  package var numbers: [String]

  package init(
    _ service: String, _ name: String, items: [String], filters: [String: [String]] = [:],
    idLists: [String: [String]] = [:], notFound: [String] = [], numbers: [String] = []
  ) {
    self.service = service
    self.name = name
    self.items = items
    self.filters = filters
    self.idLists = idLists
    self.notFound = notFound
    self.numbers = numbers
  }

  package static func == (a: AWSCall, b: AWSCall) -> Bool { a.service == b.service && a.name == b.name }
  package func hash(into hasher: inout Hasher) {
    hasher.combine(service)
    hasher.combine(name)
  }

  /// `describe-network-interfaces`, as the AWS CLI and a bundle spell it.
  package var commandName: String { AWSCall.kebab(name) }

  /// The action that IAM must allow: `ec2:DescribeSubnets`.
  package var action: String { "\(service):\(name)" }

  package static func kebab(_ name: String) -> String {
    let letters = Array(name)
    var out = ""
    for (index, letter) in letters.enumerated() {
      if letter.isUppercase, index > 0 {
        let before = letters[index - 1]
        let beginsWord = index + 1 < letters.count && letters[index + 1].isLowercase
        if before.isLowercase || before.isNumber || (before.isUppercase && beginsWord) { out.append("-") }
      }
      out += letter.lowercased()
    }
    return out
  }
}

extension AWSCall {
  package static let getCallerIdentity = AWSCall("sts", "GetCallerIdentity", items: [])

  package static let describeCluster = AWSCall(
    "eks", "DescribeCluster", items: ["cluster"], notFound: ["ResourceNotFoundException"])
  package static let listClusters = AWSCall("eks", "ListClusters", items: ["clusters", "*"])
  package static let listNodegroups = AWSCall(
    "eks", "ListNodegroups", items: ["nodegroups", "*"], notFound: ["ResourceNotFoundException"])
  package static let describeNodegroup = AWSCall(
    "eks", "DescribeNodegroup", items: ["nodegroup"], notFound: ["ResourceNotFoundException"])
  package static let listAddons = AWSCall("eks", "ListAddons", items: ["addons", "*"])
  package static let describeAddon = AWSCall(
    "eks", "DescribeAddon", items: ["addon"], notFound: ["ResourceNotFoundException"])
  package static let listFargateProfiles = AWSCall(
    "eks", "ListFargateProfiles", items: ["fargateProfileNames", "*"], notFound: ["ResourceNotFoundException"])
  package static let describeFargateProfile = AWSCall(
    "eks", "DescribeFargateProfile", items: ["fargateProfile"], notFound: ["ResourceNotFoundException"])
  package static let listAccessEntries = AWSCall("eks", "ListAccessEntries", items: ["accessEntries", "*"])
  package static let describeAccessEntry = AWSCall(
    "eks", "DescribeAccessEntry", items: ["accessEntry"], notFound: ["ResourceNotFoundException"])
  package static let listAssociatedAccessPolicies = AWSCall(
    "eks", "ListAssociatedAccessPolicies", items: ["associatedAccessPolicies", "*"],
    notFound: ["ResourceNotFoundException"])
  package static let listPodIdentityAssociations = AWSCall(
    "eks", "ListPodIdentityAssociations", items: ["associations", "*"],
    filters: ["namespace": ["namespace"], "serviceAccount": ["serviceAccount"]])
  package static let describePodIdentityAssociation = AWSCall(
    "eks", "DescribePodIdentityAssociation", items: ["association"], notFound: ["ResourceNotFoundException"])

  package static let describeInstances = AWSCall(
    "ec2", "DescribeInstances", items: ["Reservations", "*", "Instances", "*"],
    filters: [
      "vpc-id": ["VpcId"], "private-dns-name": ["PrivateDnsName"], "private-ip-address": ["PrivateIpAddress"],
      "instance-id": ["InstanceId"], "tag-key": ["Tags"], "instance-state-name": ["State", "Name"],
    ], idLists: ["InstanceIds": ["InstanceId"]],
    notFound: ["InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"])
  package static let describeInstanceAttribute = AWSCall(
    "ec2", "DescribeInstanceAttribute", items: [],
    notFound: ["InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"])
  package static let describeImages = AWSCall(
    "ec2", "DescribeImages", items: ["Images", "*"], idLists: ["ImageIds": ["ImageId"]],
    notFound: ["InvalidAMIID.NotFound", "InvalidAMIID.Malformed"])
  package static let describeNetworkInterfaces = AWSCall(
    "ec2", "DescribeNetworkInterfaces", items: ["NetworkInterfaces", "*"],
    filters: [
      "vpc-id": ["VpcId"], "subnet-id": ["SubnetId"], "attachment.instance-id": ["Attachment", "InstanceId"],
      "status": ["Status"],
    ], idLists: ["NetworkInterfaceIds": ["NetworkInterfaceId"]], notFound: ["InvalidNetworkInterfaceID.NotFound"])
  package static let describeSubnets = AWSCall(
    "ec2", "DescribeSubnets", items: ["Subnets", "*"],
    filters: ["vpc-id": ["VpcId"], "subnet-id": ["SubnetId"], "availability-zone": ["AvailabilityZone"]],
    idLists: ["SubnetIds": ["SubnetId"]], notFound: ["InvalidSubnetID.NotFound"])
  package static let describeRouteTables = AWSCall(
    "ec2", "DescribeRouteTables", items: ["RouteTables", "*"], filters: ["vpc-id": ["VpcId"]],
    idLists: ["RouteTableIds": ["RouteTableId"]], notFound: ["InvalidRouteTableID.NotFound"])
  package static let describeVpcEndpoints = AWSCall(
    "ec2", "DescribeVpcEndpoints", items: ["VpcEndpoints", "*"], filters: ["vpc-id": ["VpcId"]],
    idLists: ["VpcEndpointIds": ["VpcEndpointId"]], notFound: ["InvalidVpcEndpointId.NotFound"])
  package static let describeVpcs = AWSCall(
    "ec2", "DescribeVpcs", items: ["Vpcs", "*"], filters: ["vpc-id": ["VpcId"]], idLists: ["VpcIds": ["VpcId"]],
    notFound: ["InvalidVpcID.NotFound"])
  package static let describeNetworkAcls = AWSCall(
    "ec2", "DescribeNetworkAcls", items: ["NetworkAcls", "*"], filters: ["vpc-id": ["VpcId"]],
    idLists: ["NetworkAclIds": ["NetworkAclId"]])
  package static let describeSecurityGroups = AWSCall(
    "ec2", "DescribeSecurityGroups", items: ["SecurityGroups", "*"], filters: ["vpc-id": ["VpcId"]],
    idLists: ["GroupIds": ["GroupId"]], notFound: ["InvalidGroup.NotFound"])
  package static let describeNatGateways = AWSCall(
    "ec2", "DescribeNatGateways", items: ["NatGateways", "*"], filters: ["vpc-id": ["VpcId"]],
    idLists: ["NatGatewayIds": ["NatGatewayId"]], notFound: ["NatGatewayNotFound"])
  package static let describeVpcAttribute = AWSCall(
    "ec2", "DescribeVpcAttribute", items: [], notFound: ["InvalidVpcID.NotFound"])
  package static let describeDhcpOptions = AWSCall(
    "ec2", "DescribeDhcpOptions", items: ["DhcpOptions", "*"], idLists: ["DhcpOptionsIds": ["DhcpOptionsId"]],
    notFound: ["InvalidDhcpOptionID.NotFound"])
  package static let describeInstanceTypes = AWSCall(
    "ec2", "DescribeInstanceTypes", items: ["InstanceTypes", "*"], idLists: ["InstanceTypes": ["InstanceType"]],
    notFound: ["InvalidInstanceType"])

  package static let describeOrganization = AWSCall(
    "organizations", "DescribeOrganization", items: ["Organization"], notFound: ["AWSOrganizationsNotInUseException"])
  package static let listParents = AWSCall("organizations", "ListParents", items: ["Parents", "*"])
  package static let listPoliciesForTarget = AWSCall(
    "organizations", "ListPoliciesForTarget", items: ["Policies", "*"])
  package static let describePolicy = AWSCall("organizations", "DescribePolicy", items: ["Policy"])

  package static let getInstanceProfile = AWSCall(
    "iam", "GetInstanceProfile", items: ["InstanceProfile"], notFound: ["NoSuchEntity"])
  package static let getRole = AWSCall("iam", "GetRole", items: ["Role"], notFound: ["NoSuchEntity"])
  package static let listOpenIDConnectProviders = AWSCall(
    "iam", "ListOpenIDConnectProviders", items: ["OpenIDConnectProviderList", "*"])
  package static let getOpenIDConnectProvider = AWSCall(
    "iam", "GetOpenIDConnectProvider", items: [], notFound: ["NoSuchEntity"])
  package static let listAttachedRolePolicies = AWSCall(
    "iam", "ListAttachedRolePolicies", items: ["AttachedPolicies", "*"], notFound: ["NoSuchEntity"])
  package static let listRolePolicies = AWSCall(
    "iam", "ListRolePolicies", items: ["PolicyNames", "*"], notFound: ["NoSuchEntity"])
  package static let getRolePolicy = AWSCall("iam", "GetRolePolicy", items: [], notFound: ["NoSuchEntity"])
  package static let getPolicy = AWSCall("iam", "GetPolicy", items: ["Policy"], notFound: ["NoSuchEntity"])
  package static let getPolicyVersion = AWSCall(
    "iam", "GetPolicyVersion", items: ["PolicyVersion"], notFound: ["NoSuchEntity"])

  package static let getUser = AWSCall("iam", "GetUser", items: ["User"], notFound: ["NoSuchEntity"])
  package static let listAttachedUserPolicies = AWSCall(
    "iam", "ListAttachedUserPolicies", items: ["AttachedPolicies", "*"], notFound: ["NoSuchEntity"])
  package static let listUserPolicies = AWSCall(
    "iam", "ListUserPolicies", items: ["PolicyNames", "*"], notFound: ["NoSuchEntity"])
  package static let getUserPolicy = AWSCall("iam", "GetUserPolicy", items: [], notFound: ["NoSuchEntity"])
  package static let listGroupsForUser = AWSCall(
    "iam", "ListGroupsForUser", items: ["Groups", "*"], notFound: ["NoSuchEntity"])
  package static let listAttachedGroupPolicies = AWSCall(
    "iam", "ListAttachedGroupPolicies", items: ["AttachedPolicies", "*"], notFound: ["NoSuchEntity"])
  package static let listGroupPolicies = AWSCall(
    "iam", "ListGroupPolicies", items: ["PolicyNames", "*"], notFound: ["NoSuchEntity"])
  package static let getGroupPolicy = AWSCall("iam", "GetGroupPolicy", items: [], notFound: ["NoSuchEntity"])

  /// Newest first; `LookupAttributes` takes one attribute, which stands as a filter here.
  package static let lookupEvents = AWSCall(
    "cloudtrail", "LookupEvents", items: ["Events", "*"],
    filters: ["EventName": ["EventName"], "Username": ["Username"], "EventSource": ["EventSource"]])
  /// What a pattern lets through and since when stand as filters here: who asks looks at the lines anyway.
  package static let filterLogEvents = AWSCall(
    "logs", "FilterLogEvents", items: ["events", "*"], notFound: ["ResourceNotFoundException"],
    numbers: ["startTime"])

  /// Sums of a metric of an instance: `Namespace`, `MetricName`, `InstanceId`, `StartTime`, `EndTime`, `Period`.
  package static let getMetricStatistics = AWSCall("cloudwatch", "GetMetricStatistics", items: ["Datapoints", "*"])

  package static let describeAutoScalingGroups = AWSCall(
    "autoscaling", "DescribeAutoScalingGroups", items: ["AutoScalingGroups", "*"],
    idLists: ["AutoScalingGroupNames": ["AutoScalingGroupName"]])
  package static let describeScalingActivities = AWSCall(
    "autoscaling", "DescribeScalingActivities", items: ["Activities", "*"])

  package static let describeStacks = AWSCall(
    "cloudformation", "DescribeStacks", items: ["Stacks", "*"], notFound: ["ValidationError"])
  /// Newest first.
  package static let describeStackEvents = AWSCall(
    "cloudformation", "DescribeStackEvents", items: ["StackEvents", "*"], notFound: ["ValidationError"])
  package static let describeClusterVersions = AWSCall(
    "eks", "DescribeClusterVersions", items: ["clusterVersions", "*"])
  package static let listUpdates = AWSCall(
    "eks", "ListUpdates", items: ["updateIds", "*"], notFound: ["ResourceNotFoundException"])
  package static let describeUpdate = AWSCall(
    "eks", "DescribeUpdate", items: ["update"], notFound: ["ResourceNotFoundException"])

  /// Every operation that some link reads.
  package static let all: [AWSCall] = [
    .getCallerIdentity, .describeCluster, .listClusters, .listNodegroups, .describeNodegroup, .listAddons,
    .describeAddon, .listUpdates, .describeUpdate, .describeClusterVersions, .describeStacks,
    .describeStackEvents, .listFargateProfiles,
    .describeFargateProfile, .listAccessEntries,
    .describeAccessEntry,
    .listAssociatedAccessPolicies,
    .listPodIdentityAssociations,
    .describePodIdentityAssociation, .describeInstances, .describeInstanceAttribute, .describeImages,
    .describeNetworkInterfaces,
    .describeSubnets, .describeRouteTables, .describeNetworkAcls, .describeSecurityGroups, .describeNatGateways,
    .describeVpcEndpoints, .describeVpcs, .describeVpcAttribute, .describeDhcpOptions,
    .describeInstanceTypes, .getInstanceProfile, .getRole, .listOpenIDConnectProviders,
    .getOpenIDConnectProvider, .listAttachedRolePolicies, .listRolePolicies,
    .getRolePolicy, .getPolicy, .getPolicyVersion, .getUser, .listAttachedUserPolicies, .listUserPolicies,
    .getUserPolicy, .listGroupsForUser, .listAttachedGroupPolicies, .listGroupPolicies, .getGroupPolicy,
    .lookupEvents, .filterLogEvents, .getMetricStatistics, .describeAutoScalingGroups, .describeScalingActivities,
    .describeOrganization,
    .listParents, .listPoliciesForTarget, .describePolicy,
  ]
}
