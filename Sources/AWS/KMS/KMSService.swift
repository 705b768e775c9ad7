import Mechanisms
package import Wire
package import World

/// AWS Key Management Service: keys with their policies, grants and states; no key encrypts anything.
package final class KMSService: AWSService {
  package let name = "kms"
  unowned let world: World
  let iam: IAMService
  let keys: Table<KMSKey>
  let aliases: Table<KMSAlias>

  private let operations: [String: Operation<KMSService>]
  package let modelled: Set<String>

  init(world: World, iam: IAMService) {
    self.world = world
    self.iam = iam
    keys = Table("kms-key", in: world)
    aliases = Table("kms-alias", in: world)
    operations = .joined([Self.keyOperations, Self.aliasOperations, Self.grantOperations, Self.tagOperations])
    modelled = Set(operations.keys)
  }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    guard let operation = operations[request.operation] else {
      throw .unsupported(service: name, operation: request.operation)
    }
    if let key = try? key(of: request) { try authorize(request, on: key) }
    return try operation(self)(request)
  }

  /// Where a key is named, its own policy decides first, in ``authorize(_:on:)``.
  package func requirements(_ request: AWSRequest) -> [AWSRequirement] {
    (try? key(of: request)) == nil ? [requirement(request, nil)] : []
  }

  private func requirement(_ request: AWSRequest, _ key: KMSKey?) -> AWSRequirement {
    let input = request.input
    var context: [String: [String]] = [:]
    for tag in input["Tags"].items {
      if let name = tag["TagKey"].string { context["aws:RequestTag/\(name)"] = [tag["TagValue"].string ?? ""] }
    }
    if let grantee = input["GranteePrincipal"].string { context["kms:GranteePrincipal"] = [grantee] }
    for (name, value) in key?.tags ?? [:] { context["aws:ResourceTag/\(name)"] = [value] }
    return AWSRequirement("kms:\(request.operation)", resources: [key?.arn ?? "*"], context: context)
  }

  /// A key's policy must allow the caller: by name, or its account, whose identity policies decide then.
  private func authorize(_ request: AWSRequest, on key: KMSKey) throws(AWSError) {
    guard let facts = iam.policyFacts(of: request.principal), let policy = iam.document(key.policy) else { return }
    let needed = requirement(request, key)
    let around = iam.surroundings(of: request)
    let asked = IAMRequest(principal: facts.principal, action: needed.action, resource: key.arn)
    let verdict = TrustedUse.decide(
      .init(
        trust: .known(NamedPolicy(key.arn, policy)),
        policies: iam.facts(asked, iam.context(of: request, needed, around), facts, around)))
    guard verdict.isYes else {
      throw AWSError(
        code: "AccessDeniedException", message: AccessDenied.message(asked, verdict.reasons), status: 400)
    }
  }

  func arn(_ rest: String) -> String { "arn:aws:kms:\(world.region):\(world.account):\(rest)" }

  /// The key of an id, an ARN, or an alias by name or ARN.
  func key(named name: String?) throws(AWSError) -> KMSKey {
    var id = name ?? ""
    if id.hasPrefix("arn:") { id = id.split(separator: ":", maxSplits: 5).last.map(String.init) ?? id }
    if id.hasPrefix("alias/") {
      guard let alias = aliases[id] else { throw .kms("NotFound", "Alias \(arn(id)) is not found.") }
      id = alias.key
    }
    if id.hasPrefix("key/") { id = String(id.dropFirst(4)) }
    guard let key = keys[id], key.deletionAt.map({ world.now < $0 }) ?? true else {
      throw .kms("NotFound", "Key '\(arn("key/\(id)"))' does not exist")
    }
    return key
  }

  func key(of request: AWSRequest) throws(AWSError) -> KMSKey { try key(named: request.input["KeyId"].string) }

  /// The key, unless it waits for its deletion.
  func livingKey(of request: AWSRequest) throws(AWSError) -> KMSKey {
    let key = try key(of: request)
    guard key.deletionAt == nil else { throw .kms("KMSInvalidState", "\(key.arn) is pending deletion.") }
    return key
  }

  /// A page in KMS's way.
  func page(
    _ name: String, _ all: [(key: String, value: JSON)], _ request: AWSRequest
  ) throws(AWSError) -> JSON {
    let input = request.input
    guard let page = Page(all, token: input["Marker"].string, limit: input["Limit"].int ?? 100) else {
      throw .kms("InvalidMarker", "Could not deserialize marker '\(input["Marker"].string ?? "")'")
    }
    return [name: .array(page.elements), "Truncated": .bool(page.next != nil), "NextMarker": JSON(page.next)]
  }
}

extension AWSError {
  static func kms(_ code: String, _ message: String) -> AWSError {
    AWSError(code: "\(code)Exception", message: message, status: 400)
  }
}
