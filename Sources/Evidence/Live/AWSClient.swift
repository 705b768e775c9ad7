package import Wire

/// Reads of AWS: signed requests through the service models, paged, slower when asked to.
package actor AWSClient {
  package struct Failure: Error, CustomStringConvertible, Sendable {
    package var code: String
    package var message: String
    package var description: String { message.isEmpty ? code : "\(code): \(message)" }
  }

  package nonisolated let region: String
  private let chain: CredentialChain
  private let roleARN: String?
  /// Stands for every service; else each service's own endpoint of the region.
  private let endpoint: String?
  private let transport: HTTPTransport
  private var fetching: Task<AWSCredentials, any Error>?
  static let pageLimit = 40

  package init(region: String, chain: CredentialChain, roleARN: String?, endpoint: String?, timeoutSeconds: Int) {
    self.region = region
    self.chain = chain
    self.roleARN = roleARN
    self.endpoint = endpoint
    transport = HTTPTransport(tls: nil, timeoutSeconds: timeoutSeconds)
  }

  package func close() async { await transport.shutdown() }

  /// The credentials, found once.
  package func credentials() async throws -> AWSCredentials {
    if let fetching { return try await fetching.value }
    let task = Task { [chain, roleARN] in
      let own = try await chain.credentials { role, session, token in
        try await self.assumeWithWebIdentity(role: role, session: session, token: token)
      }
      guard let roleARN else { return own }
      return try await self.assume(roleARN, with: own)
    }
    fetching = task
    return try await task.value
  }

  /// The token that `aws eks get-token` would print.
  package func eksToken(cluster: String, region: String) async throws -> String {
    EKSToken.mint(
      cluster: cluster, region: region, credentials: try await credentials(), endpoint: endpoint, now: WallClock.now)
  }

  /// The output of an operation, its pages merged, as the AWS CLI prints it.
  package func call(service name: String, operation: String, input: JSON) async throws -> JSON {
    var input = input
    var merged: JSON = .null
    for _ in 0..<AWSClient.pageLimit {
      let page = try await once(name, operation, input, credentials: try await credentials())
      merged = merged.isNull ? page : AWSClient.merge(merged, page)
      if let token = page["NextToken"].string, !token.isEmpty {
        input["NextToken"] = .string(token)
      } else if let token = page["nextToken"].string, !token.isEmpty {
        input["nextToken"] = .string(token)
      } else if page["IsTruncated"].bool == true, let marker = page["Marker"].string {
        input["Marker"] = .string(marker)
      } else {
        for key in ["NextToken", "nextToken", "Marker", "IsTruncated"] { merged.remove(key) }
        return merged
      }
    }
    return merged
  }

  /// Lists of two pages put together.
  private static func merge(_ first: JSON, _ second: JSON) -> JSON {
    var merged = second
    for field in first.fields {
      if let items = field.value.array { merged[field.key] = .array(items + second[field.key].items) }
    }
    return merged
  }

  private func once(_ name: String, _ operation: String, _ input: JSON, credentials: AWSCredentials?) async throws
    -> JSON
  {
    guard let service = AWSServiceModel.named(name), let model = service.operation(operation) else {
      throw Failure(code: "Unsupported", message: "ekswhy has no model of \(name):\(operation)")
    }
    let base = endpoint ?? AWSEndpoint.of(service, region: region).url
    let request: HTTPRequest
    switch AWSClientCodec.encodeRequest(service, model, input, endpoint: base) {
    case .success(let encoded): request = encoded
    case .failure(let error): throw Failure(code: error.code, message: error.message)
    }
    var delay = Duration.milliseconds(400)
    for attempt in 0..<4 {
      var signed = request
      if let credentials, !model.isUnsigned {
        signed = SigV4.sign(
          request, credentials: credentials, region: AWSEndpoint.signingRegion(of: service, region: region),
          service: service.signingName, now: WallClock.now)
      }
      let response = try await transport.send(signed, to: AWSClient.origin(base))
      switch AWSClientCodec.decodeResponse(response, service, model) {
      case .success(let output):
        return model.output.map { AWSTimes.texts(in: output, $0) } ?? output
      case .failure(let error):
        let throttled =
          error.code.contains("Throttl") || error.code == "RequestLimitExceeded"
          || error.code == "TooManyRequestsException"
        guard throttled || response.status >= 500, attempt < 3 else {
          throw Failure(code: error.code, message: error.message)
        }
        try await Task.sleep(for: delay)
        delay = delay * 2
      }
    }
    throw Failure(code: "Throttling", message: "the service goes on asking to slow down")
  }

  private static func origin(_ url: String) -> String {
    let endpoint = AWSEndpoint(url)
    return "\(endpoint.scheme)://\(endpoint.host)"
  }

  private func assumeWithWebIdentity(role: String, session: String, token: String) async throws -> AWSCredentials {
    let answer = try await once(
      "sts", "AssumeRoleWithWebIdentity",
      ["RoleArn": .string(role), "RoleSessionName": .string(session), "WebIdentityToken": .string(token)],
      credentials: nil)
    return try AWSClient.credentials(in: answer)
  }

  private func assume(_ role: String, with own: AWSCredentials) async throws -> AWSCredentials {
    let answer = try await once(
      "sts", "AssumeRole", ["RoleArn": .string(role), "RoleSessionName": "ekswhy"], credentials: own)
    return try AWSClient.credentials(in: answer)
  }

  private static func credentials(in answer: JSON) throws -> AWSCredentials {
    let found = answer["Credentials"]
    guard let id = found["AccessKeyId"].string, let secret = found["SecretAccessKey"].string else {
      throw Failure(code: "InvalidClientTokenId", message: "STS gave no credentials")
    }
    return AWSCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: found["SessionToken"].string)
  }
}
