import Evidence
import Mechanisms
import Testing
import Why
import Wire

/// Clusters that EKS doesn't make, API servers that it replaces, stacks that take their time.
@Suite struct ClusterRefusedTests {
  static let role = "arn:aws:iam::111122223333:role/control"

  private func ask(_ f: Fixture, _ text: String, sourceLocation: SourceLocation = #_sourceLocation) async throws
    -> Answer
  {
    let question = try #require(SymptomQuestion(text))
    return try await f.ask(question, about: question.subject(namespace: nil), sourceLocation: sourceLocation)
  }

  private func refused(_ code: String, _ message: String) -> String {
    "An error occurred (\(code)) when calling the CreateCluster operation: \(message)"
  }

  private func trail(_ f: inout Fixture, _ message: String, _ parameters: JSON) {
    let event: JSON = [
      "eventSource": "eks.amazonaws.com", "eventName": "CreateCluster", "eventTime": "2026-11-22T11:58:00Z",
      "eventID": "e-1", "errorCode": "InvalidParameterException", "errorMessage": .string(message),
      "requestParameters": parameters,
    ]
    f.files["aws/cloudtrail/lookup-events"] = [
      "Events": [
        ["EventName": "CreateCluster", "EventSource": "eks.amazonaws.com", "CloudTrailEvent": .string(event.text())]
      ]
    ]
  }

  private static let unassumed =
    "Role with arn: \(role), could not be assumed because it does not exist or the trusted entity is not correct"

  private func trusting(_ principal: JSON) -> JSON {
    [
      "Role": [
        "RoleName": "control", "Arn": .string(Self.role), "RoleId": "AROACONTROL",
        "AssumeRolePolicyDocument": .string(
          ([
            "Version": "2012-10-17",
            "Statement": [
              ["Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"]
            ],
          ] as JSON).text()),
      ]
    ]
  }

  @Test func theRoleOfACluster() async throws {
    var f = Fixture.healthy()
    trail(&f, Self.unassumed, ["name": "shop", "roleArn": .string(Self.role), "clientRequestToken": "t"])
    let text = refused("InvalidParameterException", Self.unassumed)
    let path = "aws/iam/get-role--rolename=control"
    f.files[path] = ["notFound": true]
    f.files[path] = trusting(["Service": "ec2.amazonaws.com"])
    let other = try await ask(f, text)
    #expect(other.roots.map(\.cause.code) == ["identity/trust-policy-differs"], "\(other.gaps.map(\.gap))")
    #expect(other.roots.first?.cause.statement.contains("it lets in ec2.amazonaws.com") == true)
    let command = try #require(other.roots.first?.cause.fixes.first?.command)
    #expect(command.contains("update-assume-role-policy") && command.contains("create-cluster --cli-input-json"))
    #expect(!command.contains("clientRequestToken"), "a call of its own")
    f.files[path] = trusting(["Service": "eks.amazonaws.com"])
    let well = try await ask(f, text)
    #expect(well.status == .unproven)
    #expect(well.ruledOut.contains { $0.statement.contains("trusts EKS now") })
    f.remove(path)
    #expect(try await ask(f, text).status == .unproven)
  }

  @Test func subnetsVersionsAndNames() async throws {
    var f = Fixture.healthy()
    func subnets(_ zones: [(String, String)]) -> JSON {
      let items = zones.enumerated().map { index, zone -> JSON in
        [
          "SubnetId": .string("subnet-\(index)"), "AvailabilityZone": .string(zone.0),
          "AvailabilityZoneId": .string(zone.1), "VpcId": "vpc-1",
        ]
      }
      return ["Subnets": .array(items)]
    }
    let zone =
      "Cannot create cluster 'shop' because us-east-1e, the targeted availability zone, does not currently have sufficient capacity to support the cluster. Retry and choose from these availability zones: us-east-1a, us-east-1b"
    trail(&f, zone, ["name": "shop", "resourcesVpcConfig": ["subnetIds": ["subnet-0", "subnet-1"]]])
    f.files["aws/ec2/describe-subnets"] = subnets([
      ("us-east-1a", "use1-az4"), ("us-east-1e", "use1-az3"), ("us-east-1b", "use1-az6"),
    ])
    let told = try await ask(f, refused("UnsupportedAvailabilityZoneException", zone))
    #expect(told.roots.map(\.cause.code) == ["identity/cluster-subnets"], "\(told.gaps.map(\.gap))")
    #expect(told.roots.first?.cause.statement.contains("subnet-1 is in us-east-1e (use1-az3)") == true)
    #expect(told.roots.first?.cause.fixes.first?.command?.contains(#""subnetIds":["subnet-0","subnet-2"]"#) == true)
    f.files["aws/ec2/describe-subnets"] = subnets([("us-east-1a", "use1-az4"), ("us-east-1b", "use1-az6")])
    #expect(try await ask(f, refused("UnsupportedAvailabilityZoneException", zone)).status == .unproven)

    trail(&f, "unsupported Kubernetes version", ["name": "shop", "version": "1.12"])
    f.files["aws/eks/describe-cluster-versions"] = [
      "clusterVersions": [
        ["clusterVersion": "1.34", "defaultVersion": true], ["clusterVersion": "1.33", "defaultVersion": false],
      ]
    ]
    let version = try await ask(f, refused("InvalidParameterException", "unsupported Kubernetes version"))
    #expect(version.roots.first?.cause.statement.contains("does not offer Kubernetes 1.12") == true)
    let taken = try await ask(f, refused("ResourceInUseException", "Cluster already exists with name: demo"))
    #expect(taken.roots.map(\.cause.code) == ["identity/cluster-name-taken"], "\(taken.gaps.map(\.gap))")
  }

  private func updated(_ type: String, _ status: String, _ at: String) -> Fixture {
    var f = Fixture.healthy()
    f.edit("aws/eks/describe-cluster--name=demo") { $0["cluster"]["createdAt"] = "2026-11-20T10:00:00Z" }
    f.files["aws/eks/list-updates--name=demo"] = ["updateIds": ["u-1"]]
    f.files["aws/eks/describe-update--name=demo,updateid=u-1"] = [
      "update": ["id": "u-1", "type": .string(type), "status": .string(status), "createdAt": .string(at)]
    ]
    return f
  }

  @Test func replacedAPIServers() async throws {
    let cut = "read tcp 10.0.1.5:40211->10.100.0.1:443: read: connection reset by peer"
    for (type, status, at, isRoot) in [
      ("VersionUpdate", "InProgress", "2026-11-22T11:20:00Z", true),
      ("VersionUpdate", "Successful", "2026-11-22T11:50:00Z", true),
      ("VersionUpdate", "Successful", "2026-11-22T09:50:00Z", false),
      ("LoggingUpdate", "InProgress", "2026-11-22T12:00:00Z", false),
    ] {
      let answer = try await ask(updated(type, status, at), cut)
      #expect(answer.status == (isRoot ? .failing : .unproven), "\(type) \(status) \(at): \(answer.gaps.map(\.gap))")
      #expect(answer.roots.map(\.cause.code) == (isRoot ? ["packets/control-plane-replaced"] : []))
    }
    // The text's own time counts.
    let then = updated("VersionUpdate", "Successful", "2026-11-22T09:50:00Z")
    #expect(try await ask(then, "2026-11-22T09:58:11Z http2: client connection lost").status == .failing)
    // An interface that is younger than the cluster tells of a replacement that nobody asked for.
    var own = updated("LoggingUpdate", "Successful", "2026-11-21T12:00:00Z")
    own.files["aws/ec2/describe-network-interfaces"] = [
      "NetworkInterfaces": [
        [
          "NetworkInterfaceId": "eni-cp", "Description": "Amazon EKS demo", "PrivateIpAddress": "10.0.1.7",
          "Attachment": ["AttachTime": "2026-11-22T11:59:00Z"],
        ]
      ]
    ]
    let alone = try await ask(own, cut)
    #expect(alone.roots.first?.cause.statement.contains("eni-cp was attached") == true, "\(alone.gaps.map(\.gap))")
  }

  private func stack(_ status: String, _ events: [(String, String, String, String, String)]) -> Fixture {
    var f = Fixture.healthy()
    f.files["aws/cloudformation/describe-stacks--stackname=eks"] = [
      "Stacks": [["StackName": "eks", "StackStatus": .string(status)]]
    ]
    let items = events.reversed().map { time, id, type, status, reason -> JSON in
      [
        "Timestamp": .string("2026-11-22T\(time)Z"), "LogicalResourceId": .string(id), "ResourceType": .string(type),
        "ResourceStatus": .string(status), "ResourceStatusReason": .string(reason),
      ]
    }
    f.files["aws/cloudformation/describe-stack-events--stackname=eks"] = ["StackEvents": .array(items)]
    return f
  }

  @Test func stacks() async throws {
    let whole = "AWS::CloudFormation::Stack"
    let cdk = "Custom::AWSCDK-EKS-Cluster"
    let slow = stack(
      "CREATE_COMPLETE",
      [
        ("10:00:00", "eks", whole, "CREATE_IN_PROGRESS", ""), ("10:00:10", "Provider", whole, "CREATE_IN_PROGRESS", ""),
        ("10:02:00", "Provider", whole, "CREATE_COMPLETE", ""), ("10:02:10", "Cluster", cdk, "CREATE_IN_PROGRESS", ""),
        ("10:13:10", "Cluster", cdk, "CREATE_COMPLETE", ""),
        ("10:13:20", "KubectlReadyBarrier", "AWS::SSM::Parameter", "CREATE_IN_PROGRESS", ""),
        ("10:13:25", "KubectlReadyBarrier", "AWS::SSM::Parameter", "CREATE_COMPLETE", ""),
        ("10:14:00", "Chart", "Custom::AWSCDK-EKS-HelmChart", "CREATE_IN_PROGRESS", ""),
        ("10:15:00", "Chart", "Custom::AWSCDK-EKS-HelmChart", "CREATE_COMPLETE", ""),
        ("10:15:30", "eks", whole, "CREATE_COMPLETE", ""),
      ])
    let told = try await slow.ask("stack", "eks")
    #expect(told.status == .healthy)
    let text = told.chain.map(\.statement).joined()
    #expect(text.contains("Cluster (Custom::AWSCDK-EKS-Cluster) 11m"), "\(text)")
    #expect(text.contains("polled once a minute") && text.contains("behind KubectlReadyBarrier"))
    let plain = try await stack(
      "CREATE_COMPLETE",
      [
        ("10:00:00", "eks", whole, "CREATE_IN_PROGRESS", ""),
        ("10:00:10", "ControlPlane", "AWS::EKS::Cluster", "CREATE_IN_PROGRESS", ""),
        ("10:09:10", "ControlPlane", "AWS::EKS::Cluster", "CREATE_COMPLETE", ""),
        ("10:09:30", "eks", whole, "CREATE_COMPLETE", ""),
      ]
    ).ask("stack", "eks")
    #expect(plain.chain.map(\.statement).joined().contains("none of them is a custom resource of CDK"))
    let stuck = try await stack(
      "CREATE_IN_PROGRESS",
      [
        ("10:00:00", "eks", whole, "CREATE_IN_PROGRESS", ""), ("10:02:10", "Cluster", cdk, "CREATE_IN_PROGRESS", ""),
      ]
    ).ask("stack", "eks")
    #expect(stuck.roots.map(\.cause.code) == ["ownership/stack-stuck"])
    let failed = try await stack(
      "ROLLBACK_COMPLETE",
      [
        ("10:00:00", "eks", whole, "CREATE_IN_PROGRESS", ""), ("10:00:10", "Auth", cdk, "CREATE_IN_PROGRESS", ""),
        ("10:00:12", "Other", cdk, "CREATE_IN_PROGRESS", ""),
        (
          "10:02:00", "Auth", cdk, "CREATE_FAILED",
          "Received response status [FAILED] from custom resource. Message returned: error: You must be logged in to the server (Unauthorized)"
        ),
        ("10:02:00", "Other", cdk, "CREATE_FAILED", "Resource creation cancelled"),
        ("10:02:01", "eks", whole, "ROLLBACK_IN_PROGRESS", ""), ("10:04:00", "eks", whole, "ROLLBACK_COMPLETE", ""),
      ]
    ).ask("stack", "eks")
    #expect(failed.roots.map(\.cause.code) == ["ownership/stack-resource-failed"])
    #expect(failed.roots.first?.cause.entity.name == "Auth")
    #expect(failed.notChecked.contains { $0.ask.contains("You must be logged in") })
  }
}
