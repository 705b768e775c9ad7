import Mechanisms
package import Wire
package import World

/// AWS CloudTrail: who did what, when, and how it ended.
package final class CloudTrailService: AWSService {
  package let name = "cloudtrail"
  package let modelled: Set<String> = ["LookupEvents"]
  private unowned let world: World

  /// Id of the VPC endpoint that a call came through. Registered by EC2.
  var endpoint: (_ call: AWSCall) -> String? = { _ in nil }

  /// Stream of the world's log store.
  static let stream = "cloudtrail"

  init(world: World) { self.world = world }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    try lookupEvents(request)
  }

  // MARK: - Writing

  /// What happens too often, or is no management event.
  private static func isSilent(_ request: AWSRequest) -> Bool {
    switch (request.call.service, request.operation) {
    case ("logs", "PutLogEvents"), ("logs", "GetLogEvents"), ("logs", "FilterLogEvents"),
      ("cloudtrail", "LookupEvents"):
      true
    default: false
    }
  }

  static func isRead(_ operation: String) -> Bool {
    ["Describe", "Get", "List", "Lookup", "Simulate", "Filter"].contains { operation.hasPrefix($0) }
  }

  func record(_ request: AWSRequest, _ reply: AWSReply) {
    guard !Self.isSilent(request) else { return }
    let call = request.call
    let isRead = Self.isRead(call.operation)
    var event: JSON = [
      "eventVersion": "1.11", "userIdentity": Self.identity(request, reply),
      "eventTime": .string(request.now.rfc3339), "eventSource": .string("\(Self.source(call.service)).amazonaws.com"),
      "eventName": .string(call.operation),
      "awsRegion": .string(
        ["iam", "organizations"].contains(call.service) ? "us-east-1" : call.region),
      "sourceIPAddress": .string(call.sourceIP.isEmpty ? "AWS Internal" : call.sourceIP),
      "userAgent": .string(call.userAgent.isEmpty ? "AWS Internal" : call.userAgent),
    ]
    if let error = reply.error {
      event["errorCode"] = .string(
        call.service == "ec2" && error.code == "UnauthorizedOperation" ? "Client.UnauthorizedOperation" : error.code)
      event["errorMessage"] = .string(error.message)
    }
    let input = Self.told(call.input, isEC2: call.service == "ec2")
    // A field that is null is told as null, not left out.
    guard case .object(var object) = event else { return }
    object.append("requestParameters", input.fields.isEmpty ? .null : input)
    let output = isRead || reply.error != nil ? .null : Self.told(reply.output ?? .null, isEC2: call.service == "ec2")
    object.append("responseElements", output.fields.isEmpty ? .null : output)
    object.append("requestID", .string(call.requestID))
    object.append("eventID", .string(world.newID { $0.uuid() }))
    object.append("readOnly", .bool(isRead))
    object.append("eventType", "AwsApiCall")
    object.append("managementEvent", true)
    object.append("recipientAccountId", .string(request.account))
    if let endpoint = endpoint(call) { object.append("vpcEndpointId", .string(endpoint)) }
    object.append("eventCategory", "Management")
    world.logs.append(Self.stream, at: request.now, JSON.object(object).text())
  }

  private static func source(_ service: String) -> String { service }

  private static func identity(_ request: AWSRequest, _ reply: AWSReply) -> JSON {
    let principal = request.principal
    // A service that goes on in its caller's name stands beside the caller.
    let agent = request.call.userAgent
    let service = request.call.isInside && agent.hasSuffix(".amazonaws.com") ? agent : nil
    switch principal.kind {
    case .service: return ["type": "AWSService", "invokedBy": .string(principal.service ?? principal.arn)]
    case .root:
      return [
        "type": "Root", "principalId": .string(principal.userID), "arn": .string(principal.arn),
        "accountId": .string(principal.account), "accessKeyId": .string(principal.accessKeyID),
        "invokedBy": JSON(service),
      ]
    case .user:
      return [
        "type": "IAMUser", "principalId": .string(principal.userID), "arn": .string(principal.arn),
        "accountId": .string(principal.account), "accessKeyId": .string(principal.accessKeyID),
        "userName": .string(principal.arn.split(separator: "/").last.map(String.init) ?? ""),
        "invokedBy": JSON(service),
      ]
    case .assumedRole, .federatedUser:
      let role = principal.roleARN ?? ""
      return [
        "type": "AssumedRole", "principalId": .string(principal.userID), "arn": .string(principal.arn),
        "accountId": .string(principal.account),
        "accessKeyId": principal.accessKeyID.isEmpty ? .null : .string(principal.accessKeyID),
        "sessionContext": [
          "sessionIssuer": [
            "type": "Role", "principalId": .string(String(principal.userID.prefix { $0 != ":" })),
            "arn": .string(role), "accountId": .string(principal.account),
            "userName": .string(role.split(separator: "/").last.map(String.init) ?? ""),
          ],
          "webIdFederationData": principal.provider.map {
            ["federatedProvider": .string($0), "attributes": .emptyObject] as JSON
          } ?? .null,
          "attributes": [
            "creationDate": principal.issuedAt.map { .string($0.rfc3339) } ?? .null, "mfaAuthenticated": "false",
          ],
        ],
        "invokedBy": JSON(principal.service ?? service),
      ]
    case .anonymous: return webIdentity(request, reply)
    }
  }

  /// Who handed a web identity's token in: as STS says when it took it, else as the token itself says.
  private static func webIdentity(_ request: AWSRequest, _ reply: AWSReply) -> JSON {
    var provider = reply.output?["Provider"].string
    var subject = reply.output?["SubjectFromWebIdentityToken"].string
    var audience = reply.output?["Audience"].string
    if reply.output == nil, let token = JSONWebToken(request.input["WebIdentityToken"].string ?? ""),
      let claims = WebIdentityToken.Claims(token.claims)
    {
      let issuer = claims.issuer.hasPrefix("https://") ? String(claims.issuer.dropFirst(8)) : claims.issuer
      provider = "arn:aws:iam::\(request.account):oidc-provider/\(issuer)"
      subject = claims.subject
      audience = claims.audience?.first
    }
    guard let provider, let subject else { return ["type": "WebIdentityUser"] }
    return [
      "type": "WebIdentityUser", "principalId": .string("\(provider):\(audience ?? ""):\(subject)"),
      "userName": .string(subject), "identityProvider": .string(provider),
    ]
  }

  /// Never told: secrets and tokens; user data may hold some.
  private static var hidden: Set<String> {
    [
      "SecretAccessKey", "SessionToken", "WebIdentityToken", "Password", "UserData", "secretAccessKey", "sessionToken",
      "token", "webIdentityToken",
    ]
  }

  /// Names begin small; EC2's lists are sets of items.
  private static func told(_ value: JSON, isEC2: Bool) -> JSON {
    switch value {
    case .object(let object):
      var out = JSONObject()
      for field in object.fields {
        let small = field.key.prefix(1).lowercased() + field.key.dropFirst()
        if hidden.contains(field.key) {
          if field.key.lowercased() == "userdata" { out.append(small, "<sensitiveDataRemoved>") }
        } else if isEC2, case .array(let items) = field.value {
          let name = small.hasSuffix("Set") ? small : (small.hasSuffix("s") ? String(small.dropLast()) : small) + "Set"
          out.append(name, ["items": .array(items.map { told($0, isEC2: true) })])
        } else {
          out.append(small, told(field.value, isEC2: isEC2))
        }
      }
      return .object(out)
    case .array(let items): return .array(items.map { told($0, isEC2: isEC2) })
    default: return value
    }
  }

  // MARK: - Reading

  private func lookupEvents(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let from = input["StartTime"].double.map { Timestamp(microseconds: Int64($0 * 1_000_000)) }
    let until = input["EndTime"].double.map { Timestamp(microseconds: Int64($0 * 1_000_000)) }
    if let from, let until, from > until {
      throw AWSError(
        code: "InvalidTimeRangeException", message: "Start time is after end time.", status: 400)
    }
    let wanted = input["LookupAttributes"].items.map {
      ($0["AttributeKey"].string ?? "", $0["AttributeValue"].string ?? "")
    }
    var found: [JSON] = []
    let oldest = request.now - .seconds(90 * 86_400)
    for record in world.logs.read(Self.stream).reversed() {
      guard record.at >= max(oldest, from ?? oldest), until.map({ record.at <= $0 }) ?? true else { continue }
      guard let event = try? JSON.parse(Array(record.text.utf8)) else { continue }
      let told = Self.lookedUp(event, record)
      if wanted.allSatisfy({ Self.has(told, event, $0.0, $0.1) }) { found.append(told) }
    }
    var start = 0
    if let token = input["NextToken"].string {
      guard let place = Int(token) else {
        throw AWSError(code: "InvalidNextTokenException", message: "Invalid token.", status: 400)
      }
      start = min(place, found.count)
    }
    let end = min(found.count, start + (input["MaxResults"].int ?? 50))
    return [
      "Events": .array(Array(found[start..<end])), "NextToken": end < found.count ? .string(String(end)) : .null,
    ]
  }

  private static func lookedUp(_ event: JSON, _ record: LogStore.Record) -> JSON {
    let identity = event["userIdentity"]
    let user =
      identity["userName"].string ?? identity["principalId"].string?.split(separator: ":").last.map(String.init)
    return [
      "EventId": event["eventID"], "EventName": event["eventName"],
      "ReadOnly": event["readOnly"].bool == true ? "true" : "false", "AccessKeyId": identity["accessKeyId"],
      "EventTime": .time(record.at), "EventSource": event["eventSource"], "Username": JSON(user),
      "Resources": .array(resources(event["requestParameters"])), "CloudTrailEvent": .string(record.text),
    ]
  }

  /// What a request names, by the fields that say what they are.
  private static func resources(_ parameters: JSON) -> [JSON] {
    let kinds: [(field: String, type: String)] = [
      ("roleName", "AWS::IAM::Role"), ("policyArn", "AWS::IAM::Policy"), ("userName", "AWS::IAM::User"),
      ("networkInterfaceId", "AWS::EC2::NetworkInterface"), ("instanceId", "AWS::EC2::Instance"),
      ("subnetId", "AWS::EC2::Subnet"), ("vpcId", "AWS::EC2::VPC"), ("groupId", "AWS::EC2::SecurityGroup"),
      ("autoScalingGroupName", "AWS::AutoScaling::AutoScalingGroup"), ("roleArn", "AWS::IAM::Role"),
      ("clusterName", "AWS::EKS::Cluster"), ("nodegroupName", "AWS::EKS::Nodegroup"),
    ]
    return kinds.compactMap { kind in
      parameters[kind.field].string.map {
        ["ResourceType": .string(kind.type), "ResourceName": .string($0)]
      }
    }
  }

  private static func has(_ told: JSON, _ event: JSON, _ key: String, _ value: String) -> Bool {
    switch key {
    case "EventId": told["EventId"].string == value
    case "EventName": told["EventName"].string == value
    case "ReadOnly": told["ReadOnly"].string == value
    case "Username": told["Username"].string == value
    case "EventSource": told["EventSource"].string == value
    case "AccessKeyId": told["AccessKeyId"].string == value
    case "ResourceName": told["Resources"].items.contains { $0["ResourceName"].string == value }
    case "ResourceType": told["Resources"].items.contains { $0["ResourceType"].string == value }
    default: false
    }
  }
}
