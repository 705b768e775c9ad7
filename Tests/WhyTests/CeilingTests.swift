import Evidence
import Mechanisms
import Testing
import Why
import Wire

/// What stands above the account's own policies: control policies of its organisation, policies of VPC endpoints.
@Suite struct CeilingTests {
  private static let deed = "s3:GetObject arn:aws:s3:::photos/cat"

  private static func text(_ statements: String) -> JSON {
    .string(#"{"Version":"2012-10-17","Statement":[\#(statements)]}"#)
  }

  /// A role that may everything in S3, in an account of a unit of an organisation.
  private static func member(unit statements: String, type: String = "SERVICE_CONTROL_POLICY") -> Fixture {
    var f = AccessTests.cluster()
    AccessTests.allow(&f, ["Effect": "Allow", "Action": "s3:*", "Resource": "*"])
    f.files["aws/organizations/describe-organization"] = [
      "Organization": ["Id": "o-1", "MasterAccountId": "999999999999"]
    ]
    for (child, parent) in [("111122223333", "ou-1"), ("ou-1", "r-1")] {
      f.files["aws/organizations/list-parents--childid=\(child)"] = ["Parents": [["Id": .string(parent)]]]
    }
    let all = #"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#
    for (id, content) in [("p-all", text(all.replacing(#""Principal":"*","#, with: ""))), ("p-own", text(statements))] {
      f.files["aws/organizations/describe-policy--policyid=\(id)"] = ["Policy": ["Content": content]]
    }
    for kind in ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"] {
      for target in ["r-1", "ou-1", "111122223333"] {
        var attached: [JSON] = []
        if kind == type {
          // Where a type allows by a list, AWS's own policy is taken off.
          if target != "ou-1" || statements.contains("Deny") {
            attached.append(["Id": "p-all", "Name": "FullAWSAccess"])
          }
          if target == "ou-1" {
            attached.append([
              "Id": "p-own", "Name": "guard", "Arn": "arn:aws:organizations::999999999999:policy/o-1/x/p-own",
            ])
          }
        }
        f.files["aws/organizations/list-policies-for-target--filter=\(kind),targetid=\(target)"] = [
          "Policies": .array(attached)
        ]
      }
    }
    return f
  }

  @Test(arguments: [
    (
      "SERVICE_CONTROL_POLICY", #"{"Sid":"NoS3","Effect":"Deny","Action":"s3:*","Resource":"*"}"#,
      "identity/service-control-policy", "service control policy guard (p-own) at ou-1 denies s3:GetObject"
    ),
    (
      "SERVICE_CONTROL_POLICY", #"{"Effect":"Allow","Action":"ec2:*","Resource":"*"}"#,
      "identity/service-control-policy", "no service control policy allows s3:GetObject"
    ),
    (
      "RESOURCE_CONTROL_POLICY", #"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}"#,
      "identity/resource-control-policy", "resource control policy guard (p-own) at ou-1 denies s3:GetObject"
    ),
  ])
  func controlPolicies(type: String, statement: String, code: String, text: String) async throws {
    let answer = try await AccessTests.ask(Self.member(unit: statement, type: type), "role/dev", Self.deed)
    #expect(answer.verdict == "no", "\(answer.summary) \(answer.gaps.map(\.gap))")
    let root = try #require(answer.roots.first?.cause)
    #expect(root.code == code)
    #expect(root.statement.contains(text), "\(root.statement)")
  }

  @Test func whatTheOrganisationAllowsNeedsNoFurtherRead() async throws {
    let f = Self.member(unit: #"{"Effect":"Deny","Action":"ec2:*","Resource":"*"}"#)
    let answer = try await AccessTests.ask(f, "role/dev", Self.deed)
    #expect(answer.verdict == "nothing-readable-denies-it", "\(answer.summary)")
    #expect(!answer.gaps.contains { $0.gap.read == "service control policies" })
  }

  @Test(arguments: [("Allow", "ecr:*", false), ("Deny", "s3:Get*", false), ("Allow", "s3:Get*", true)])
  func aPodsCallsGoThroughTheEndpoint(effect: String, action: String, may: Bool) async throws {
    var f = CredentialTests.irsa()
    AccessTests.allow(&f, ["Effect": "Allow", "Action": "s3:*", "Resource": "*"], role: "cart")
    let statement = #"{"Effect":"\#(effect)","Principal":"*","Action":"\#(action)","Resource":"*"}"#
    f.files["aws/ec2/describe-vpc-endpoints"] = [
      "VpcEndpoints": [
        [
          "VpcEndpointId": "vpce-1", "VpcId": "vpc-1", "State": "available", "VpcEndpointType": "Interface",
          "ServiceName": "com.amazonaws.us-east-1.s3", "PrivateDnsEnabled": true, "RouteTableIds": [],
          "PolicyDocument": Self.text(statement),
        ]
      ]
    ]
    let answer = try await AccessTests.ask(f, "pod/cart-1", Self.deed)
    #expect(answer.verdict == (may ? "nothing-readable-denies-it" : "no"), "\(answer.summary)")
    if !may {
      let root = try #require(answer.roots.first { $0.cause.code == "identity/endpoint-policy" }?.cause)
      #expect(root.statement.contains("vpce-1"))
    }
  }
}
