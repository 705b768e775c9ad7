import Wire
import World

extension IAMService {
  static var providerOperations: [String: Operation<IAMService>] {
    [
      "CreateOpenIDConnectProvider": createProvider, "GetOpenIDConnectProvider": getProvider,
      "ListOpenIDConnectProviders": listProviders, "DeleteOpenIDConnectProvider": deleteProvider,
      "UpdateOpenIDConnectProviderThumbprint": updateThumbprint,
      "AddClientIDToOpenIDConnectProvider": addClientID,
      "RemoveClientIDFromOpenIDConnectProvider": removeClientID, "TagOpenIDConnectProvider": tagProvider,
      "UntagOpenIDConnectProvider": untagProvider, "ListOpenIDConnectProviderTags": listProviderTags,
    ]
  }

  private func existingProvider(_ request: AWSRequest) throws(AWSError) -> OpenIDProvider {
    let arn = request.input["OpenIDConnectProviderArn"].string ?? ""
    guard let provider = providers[arn] else {
      throw .noSuchEntity("OpenIDConnect Provider not found for arn \(arn)")
    }
    return provider
  }

  /// The thumbprints of a request, each once: SHA-1 digests in hexadecimal, at most five.
  private func thumbprints(_ request: AWSRequest) throws(AWSError) -> [String] {
    let given = request.input["ThumbprintList"].strings
    guard given.count <= 5 else { throw .invalidProvider("Thumbprint list must contain fewer than 5 entries.") }
    for thumbprint in given {
      guard thumbprint.utf8.count == 40 else { throw .invalidProvider("Thumbprint must be exactly 40 characters.") }
      guard thumbprint.allSatisfy(\.isHexDigit) else { throw .invalidProvider("Thumbprint must be hexadecimal.") }
    }
    return given.map { $0.lowercased() }.uniqued()
  }

  private func checkCount(_ clientIDs: [String]) throws(AWSError) {
    guard clientIDs.count <= 100 else {
      throw AWSError(
        code: "LimitExceeded", message: "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100", status: 409)
    }
  }

  private func createProvider(_ request: AWSRequest) throws(AWSError) -> JSON {
    let url = request.input["Url"].string ?? ""
    guard url.contains("://") else {
      throw AWSError(code: "ValidationError", message: "Invalid Open ID Connect Provider URL", status: 400)
    }
    guard url.hasPrefix("https://") else {
      throw .invalidProvider("Invalid Open ID Connect Provider URL. The URL must begin with https://.")
    }
    guard !url.dropFirst("https://".count).contains(where: { "?:#".contains($0) }) else {
      throw .invalidProvider("Invalid Open ID Connect Provider URL.")
    }
    var bare = String(url.dropFirst("https://".count))
    while bare.hasSuffix("/") { bare.removeLast() }
    let arn = "arn:aws:iam::\(world.account):oidc-provider/\(bare)"
    if providers[arn] != nil {
      throw AWSError(
        code: "EntityAlreadyExists", message: "Provider with url \(url) already exists.", status: 409)
    }
    guard providers.count < 100 else {
      throw AWSError(
        code: "LimitExceeded", message: "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100", status: 409)
    }
    var thumbprints = try thumbprints(request)
    let clientIDs = request.input["ClientIDList"].strings
    try checkCount(clientIDs)
    // IAM looks the certificate up itself where the caller names none.
    if thumbprints.isEmpty { thumbprints = [String(repeating: "0", count: 40)] }
    providers[arn] = OpenIDProvider(
      arn: arn, url: bare, clientIDs: clientIDs.uniqued(), thumbprints: thumbprints, createdAt: request.now,
      tags: Tags(request.input["Tags"]))
    return ["OpenIDConnectProviderArn": .string(arn)]
  }

  private func getProvider(_ request: AWSRequest) throws(AWSError) -> JSON {
    let provider = try existingProvider(request)
    return [
      "Url": .string(provider.url), "ClientIDList": JSON(provider.clientIDs),
      "ThumbprintList": JSON(provider.thumbprints), "CreateDate": .time(provider.createdAt),
      "Tags": provider.tags.json,
    ]
  }

  private func listProviders(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["OpenIDConnectProviderList": .array(providers.keys.map { ["Arn": .string($0)] })]
  }

  private func deleteProvider(_ request: AWSRequest) throws(AWSError) -> JSON {
    providers[try existingProvider(request).arn] = nil
    return .emptyObject
  }

  private func updateThumbprint(_ request: AWSRequest) throws(AWSError) -> JSON {
    let provider = try existingProvider(request)
    let thumbprints = try thumbprints(request)
    guard !thumbprints.isEmpty else { throw .invalidProvider("Thumbprint list must contain at least one entry.") }
    providers.update(provider.arn) { $0.thumbprints = thumbprints }
    return .emptyObject
  }

  private func addClientID(_ request: AWSRequest) throws(AWSError) -> JSON {
    let provider = try existingProvider(request)
    let id = request.input["ClientID"].string ?? ""
    try checkCount(provider.clientIDs + (provider.clientIDs.contains(id) ? [] : [id]))
    providers.update(provider.arn) { if !$0.clientIDs.contains(id) { $0.clientIDs.append(id) } }
    return .emptyObject
  }

  private func removeClientID(_ request: AWSRequest) throws(AWSError) -> JSON {
    let provider = try existingProvider(request)
    providers.update(provider.arn) { $0.clientIDs.removeAll { $0 == request.input["ClientID"].string } }
    return .emptyObject
  }

  private func tagProvider(_ request: AWSRequest) throws(AWSError) -> JSON {
    let provider = try existingProvider(request)
    providers.update(provider.arn) { $0.tags.add(request.input["Tags"]) }
    return .emptyObject
  }

  private func untagProvider(_ request: AWSRequest) throws(AWSError) -> JSON {
    let provider = try existingProvider(request)
    providers.update(provider.arn) { $0.tags.remove(keys: request.input["TagKeys"].strings) }
    return .emptyObject
  }

  private func listProviderTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["Tags": try existingProvider(request).tags.jsonOrEmpty, "IsTruncated": false]
  }
}

extension AWSError {
  static func invalidProvider(_ message: String) -> AWSError {
    AWSError(code: "InvalidInput", message: message, status: 400)
  }
}

extension [String] {
  /// Each element once, at its first place.
  fileprivate func uniqued() -> [String] {
    var seen: Set<String> = []
    return filter { seen.insert($0).inserted }
  }
}
