import Wire
import World

/// An object and the version in which it is wanted: what a webhook's answer depends on.
struct ConversionKey: Hashable {
  var apiVersion: String
  /// Without the metadata that a webhook can't change.
  private var content: [UInt8]

  init(_ object: JSON, to apiVersion: String) {
    self.apiVersion = apiVersion
    var bare = object
    let metadata = object["metadata"]
    bare["metadata"] = [
      "name": metadata["name"], "namespace": metadata["namespace"], "labels": metadata["labels"],
      "annotations": metadata["annotations"],
    ]
    content = bare.bytes()
  }

  var text: String { String(decoding: content, as: UTF8.self) }
}

/// Objects in the versions in which they are asked for and kept.
///
/// A custom resource is worked on in the request's version: what is kept is converted to it first, and what is to be
/// kept is converted last. All that may need a webhook for that is asked for before anything is written, so that a
/// request that waits leaves no trace.
extension APIServer {
  /// Objects in the request's version.
  func shown(_ objects: [JSON], _ row: KubeResource, _ exchange: Exchange) throws(KubeStatus) -> [JSON] {
    if renderer.isKeptForm(row), objects.allSatisfy({ $0["apiVersion"].string == row.apiVersion }) { return objects }
    let renderer = renderer
    guard custom.isCustom(row) else { return objects.map { renderer.builtIn($0, row) } }
    return try converted(objects.map { renderer.defaulted($0, row) }, row, to: row.gvk, exchange)
  }

  func shown(_ object: JSON, _ row: KubeResource, _ exchange: Exchange) throws(KubeStatus) -> JSON {
    try shown([object], row, exchange)[0]
  }

  /// A kept object as requests work on it.
  func worked(_ kept: JSON, _ row: KubeResource, _ exchange: Exchange) throws(KubeStatus) -> JSON {
    custom.isCustom(row) ? try shown(kept, row, exchange) : kept
  }

  /// A worked object as it is kept. What the answer needs is at hand afterwards.
  func storage(_ object: JSON, _ row: KubeResource, _ exchange: Exchange) throws(KubeStatus) -> JSON {
    guard let stored = storageVersion(row) else { return object }
    let kept = try converted([object], row, to: stored, exchange)[0]
    _ = try shown(kept, row, exchange)
    return kept
  }

  /// Whether an object is kept in another version than it would be now.
  func isOutdated(_ kept: JSON, _ row: KubeResource) -> Bool {
    storageVersion(row).map { kept["apiVersion"].string != $0.apiVersion } ?? false
  }

  /// The version of a custom resource in which its objects are kept; nil for a built-in one.
  private func storageVersion(_ row: KubeResource) -> GroupVersionKind? {
    custom.storageVersions[row.qualifiedName].map { GroupVersionKind(group: row.group, version: $0, kind: row.kind) }
  }

  // MARK: - By webhook

  private func converted(_ objects: [JSON], _ row: KubeResource, to wanted: GroupVersionKind, _ exchange: Exchange)
    throws(KubeStatus) -> [JSON]
  {
    guard let webhook = custom.converters[row.qualifiedName] else {
      return objects.map { renderer.renamed($0, wanted) }
    }
    let apiVersion = wanted.apiVersion
    var missing: [JSON] = []
    var asked: Set<ConversionKey> = []
    for object in objects where object["apiVersion"].string != apiVersion {
      let key = ConversionKey(object, to: apiVersion)
      if exchange.conversions[key] == nil, asked.insert(key).inserted { missing.append(object) }
    }
    if !missing.isEmpty {
      for (object, result) in zip(missing, try ask(webhook, missing, to: apiVersion, exchange)) {
        exchange.conversions[ConversionKey(object, to: apiVersion)] = result
      }
    }
    var result: [JSON] = []
    for object in objects {
      guard object["apiVersion"].string != apiVersion,
        let found = exchange.conversions[ConversionKey(object, to: apiVersion)]
      else {
        result.append(object)
        continue
      }
      do throws(ConversionWebhook.Failure) {
        var shown = try ConversionWebhook.restored(found, from: object)
        _ = schema.prune(&shown, as: wanted)
        result.append(shown)
      } catch {
        throw .failedConversion(error.text)
      }
    }
    return result
  }

  private func ask(_ webhook: ConversionWebhook, _ objects: [JSON], to apiVersion: String, _ exchange: Exchange)
    throws(KubeStatus) -> [JSON]
  {
    let keys = objects.map { ConversionKey($0, to: apiVersion) }
    let question: JSON = [
      "convert": .string(objects[0]["kind"].string ?? ""), "to": .string(apiVersion),
      "objects": .array(keys.map { .string($0.text) }),
    ]
    if let known = exchange.calls.first(where: { $0.question == question }) {
      guard let reply = known.reply else { throw .suspended }
      do throws(ConversionWebhook.Failure) {
        return try webhook.judge(
          WebhookAnswer(reply, url: known.call.url), objects, to: apiVersion, uid: known.uid)
      } catch { throw .failedConversion(error.text) }
    }
    let uid = world.newID { $0.uuid() }
    do throws(ConversionWebhook.Failure) {
      switch try ask(webhook, objects, to: apiVersion, uid: uid) {
      case .answered(let reply, let url):
        return try webhook.judge(WebhookAnswer(reply, url: url), objects, to: apiVersion, uid: uid)
      case .call(let call): exchange.calls.append(PendingCall(question: question, uid: uid, call: call))
      }
    } catch { throw .failedConversion(error.text) }
    throw .suspended
  }

  /// How a webhook is asked: by a call that leaves the world, or at once by what a pod's container says.
  enum ConversionQuestion {
    case call(OutboundCall)
    case answered(OutboundReply, url: String)
  }

  /// An error where it can't be called.
  func ask(_ webhook: ConversionWebhook, _ objects: [JSON], to apiVersion: String, uid: String)
    throws(ConversionWebhook.Failure) -> ConversionQuestion
  {
    let (url, serverName): (String, String)
    let address = WebhookAddress(webhook.client, timeoutSeconds: ConversionWebhook.timeoutSeconds, self)
    switch address {
    case .call(let address, let name): (url, serverName) = (address, name)
    case .unreachable(let url, let why): throw webhook.failure(objects, "Post \(GoText.quote(url)): \(why)")
    case .silent(let url):
      throw webhook.failure(objects, "Post \(GoText.quote(url)): context deadline exceeded")
    case .pod:
      return .answered(answer(at: address, webhook.body(objects, to: apiVersion, uid: uid)), url: address.url)
    }
    let roots = webhook.client["caBundle"].string.flatMap { Base64.decode($0) } ?? []
    let call = OutboundCall(
      method: "POST", url: url,
      headers: [
        "Accept": "application/json, */*", "Content-Type": "application/json",
        "User-Agent": "kube-apiserver-admission",
      ], body: webhook.body(objects, to: apiVersion, uid: uid).bytes(.go),
      roots: String(decoding: roots, as: UTF8.self), serverName: serverName,
      timeout: .seconds(ConversionWebhook.timeoutSeconds))
    return .call(call)
  }
}

extension KubeStatus {
  /// Upstream gives it no reason of its own.
  static func failedConversion(_ text: String) -> KubeStatus { KubeStatus(code: 500, reason: "", message: text) }
}
