import Wire
import World

extension APIServer {
  func get(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    if let wanted = try revisionParameter(exchange), wanted > revision {
      throw .tooLargeResourceVersion(wanted, current: revision)
    }
    return try answer(try existing(exchange, row), exchange, row)
  }

  /// `resourceVersion` as a number; nil when it is absent, 0 for any.
  private func revisionParameter(_ exchange: Exchange) throws(KubeStatus) -> Int? {
    guard let text = exchange.request.parameter("resourceVersion"), !text.isEmpty else { return nil }
    guard let number = Int(text), number >= 0 else {
      throw .badRequest(
        "invalid resourceVersion: Invalid value: \(GoText.quote(text)): strconv.ParseUint: parsing \(GoText.quote(text)): invalid syntax"
      )
    }
    return number
  }

  func selection(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Selection {
    var selection = Selection(rules: rules(row))
    do throws(SelectorError) {
      if let text = exchange.request.parameter("labelSelector"), !text.isEmpty {
        selection.labels = try LabelSelector(parsing: text)
      }
      if let text = exchange.request.parameter("fieldSelector"), !text.isEmpty {
        selection.fields = try FieldSelector(parsing: text)
      }
    } catch {
      throw .badRequest(
        "unable to parse selector: \(error.description)".replacing("unable to parse selector: ", with: ""))
    }
    for requirement in selection.fields.requirements where !selection.rules.hasField(requirement.field) {
      throw .badRequest("field label not supported: \(requirement.field)")
    }
    return selection
  }

  func list(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let selection = try selection(exchange, row)
    let representation = try Representation(exchange)
    try checkListOptions(exchange)
    let page = try page(exchange, row, selection)
    var metadata: JSON = ["resourceVersion": .string(String(page.revision))]
    if let next = page.next { metadata["continue"] = .string(next) }
    if let remaining = page.remaining, page.next != nil { metadata["remainingItemCount"] = .int(Int64(remaining)) }
    if exchange.isOutside, !exchange.isProtobuf, representation == .object, renderer.isKeptForm(row) {
      return Answer(
        200, .bytes(KeptList(row).bytes(page.objects, metadata: metadata), contentType: "application/json"))
    }
    let objects = try shown(page.objects.map(\.json), row, exchange)
    return .ok(renderer.list(objects, row, representation, metadata: metadata))
  }

  /// What of a list's or watch's parameters doesn't go together
  /// (`apimachinery/pkg/apis/meta/internalversion/validation`).
  func checkListOptions(_ exchange: Exchange) throws(KubeStatus) {
    let request = exchange.request
    let match = request.parameter("resourceVersionMatch") ?? ""
    let sendsInitial = request.parameter("sendInitialEvents") != nil
    guard !match.isEmpty || sendsInitial else { return }
    let path: FieldPath = "resourceVersionMatch"
    let revision = request.parameter("resourceVersion") ?? ""
    var errors: [FieldError] = []
    if exchange.info.verb == "watch" {
      if sendsInitial, match != "NotOlderThan" {
        errors.append(
          .forbidden(path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
      }
      if !match.isEmpty {
        if !sendsInitial {
          errors.append(
            .forbidden(path, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
        }
        if match != "NotOlderThan" {
          errors.append(.notSupported(path, .string(match), supported: ["NotOlderThan"]))
        }
      }
    } else {
      if !match.isEmpty {
        if revision.isEmpty {
          errors.append(
            .forbidden(path, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        }
        if !(request.parameter("continue") ?? "").isEmpty {
          errors.append(.forbidden(path, "resourceVersionMatch is forbidden when continue is provided"))
        }
        if match != "Exact", match != "NotOlderThan" {
          errors.append(.notSupported(path, .string(match), supported: ["Exact", "NotOlderThan", ""]))
        }
        if match == "Exact", revision == "0" {
          errors.append(
            .forbidden(path, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""))
        }
      }
      if sendsInitial { errors.append(.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")) }
    }
    guard errors.isEmpty else { throw .invalid(GroupName(group: "meta.k8s.io", name: "ListOptions"), "", errors) }
  }

  struct Page {
    var objects: [StoredObject]
    var revision: Int
    var next: String?
    var remaining: Int?
  }

  private func page(_ exchange: Exchange, _ row: KubeResource, _ selection: Selection) throws(KubeStatus) -> Page {
    let store = store(row.qualifiedName)
    let namespace = row.namespaced ? exchange.info.namespace : ""
    let given = exchange.request.parameter("limit") ?? ""
    guard let limit = given.isEmpty ? 0 : Int(given) else {
      throw .badRequest("strconv.ParseInt: parsing \(GoText.quote(given)): invalid syntax")
    }
    var shown = revision
    var after: ObjectKey?
    var all: [StoredObject]?
    if let text = exchange.request.parameter("continue"), !text.isEmpty {
      let token = try ContinueToken(text)
      if let asked = exchange.request.parameter("resourceVersion"), !asked.isEmpty, asked != "0" {
        throw .badRequest("specifying resource version is not allowed when using continue")
      }
      after = token.start
      // A later page shows what the first one showed; a token of its own lets a client go on with the present.
      if token.revision > 0 {
        guard token.revision >= store.oldest else { throw .inconsistentContinue(at: token.start) }
        shown = token.revision
        if shown < revision { all = store.list(namespace: namespace, at: shown) }
      }
    } else if let wanted = try revisionParameter(exchange), wanted > 0 {
      guard wanted <= revision else { throw .tooLargeResourceVersion(wanted, current: revision) }
      let match = exchange.request.parameter("resourceVersionMatch") ?? ""
      if match == "Exact" || match.isEmpty && limit > 0, wanted < revision {
        guard wanted >= store.oldest else {
          throw .expired("The resourceVersion for the provided list is too old.")
        }
        all = store.list(namespace: namespace, at: wanted)
        shown = wanted
      }
    }
    // One object by its name is looked up, not searched.
    if let name = selection.fields.required("metadata.name"), !namespace.isEmpty || !row.namespaced, all == nil {
      all = store[ObjectKey(namespace: namespace, name: name)].map { [$0] } ?? []
    }
    let candidates = (all ?? store.list(namespace: namespace))[...]
    let rest = after.map { after in candidates[candidates.partitioningIndex { $0.key > after }...] } ?? candidates
    if selection.isEverything, limit <= 0 || rest.count <= limit {
      return Page(objects: Array(rest), revision: shown)
    }
    var objects: [StoredObject] = []
    for (offset, object) in rest.enumerated() where selection.isEverything || selection.matches(object.json) {
      if limit > 0, objects.count == limit {
        let token = ContinueToken(revision: shown, start: objects.last!.key)
        return Page(
          objects: objects, revision: shown, next: token.text,
          remaining: selection.isEverything ? rest.count - offset : nil)
      }
      objects.append(object)
    }
    return Page(objects: objects, revision: shown)
  }
}

extension KubeStatus {
  /// 410 of a list that can't go on as it began, with a token by which it can go on with the present.
  static func inconsistentContinue(at start: ObjectKey) -> KubeStatus {
    var status = KubeStatus.expired(
      "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        + "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        + "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        + "modified, or deleted between the time the first chunk was returned and now may show up in the list.")
    status.continueToken = ContinueToken(revision: -1, start: start).text
    return status
  }
}

/// Where the next page of a list begins; revision -1 is the present, whatever it is.
struct ContinueToken {
  var revision: Int
  var start: ObjectKey

  init(revision: Int, start: ObjectKey) {
    self.revision = revision
    self.start = start
  }

  init(_ text: String) throws(KubeStatus) {
    let trimmed = text.last == "=" ? String(text.prefix { $0 != "=" }) : text
    guard let bytes = try? GoBase64.rawURLDecode(trimmed) else {
      throw .invalidContinue("illegal base64 data at input byte \(trimmed.utf8.count)")
    }
    let json: JSON
    do throws(JSONError) { json = try JSON.parse(bytes) } catch {
      let found = bytes.first.map { Character(UnicodeScalar($0)) } ?? " "
      throw .invalidContinue("continue key is not valid: invalid character '\(found)' looking for beginning of value")
    }
    guard json["v"].string == "meta.k8s.io/v1" else {
      throw .invalidContinue(
        "continue key is not valid: server does not recognize this encoded version \(GoText.quote(json["v"].string ?? ""))"
      )
    }
    guard let revision = json["rv"].int, revision > 0 || revision == -1 else {
      throw .invalidContinue(
        "continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    }
    let parts = (json["start"].string ?? "").split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw .invalidContinue("continue key is not valid: encoded start key empty (version meta.k8s.io/v1)")
    }
    self.revision = revision
    start = ObjectKey(namespace: String(parts[0]), name: String(parts[1].prefix { $0 != "\0" }))
  }

  var text: String {
    let json: JSON = [
      "v": "meta.k8s.io/v1", "rv": .int(Int64(revision)), "start": .string("\(start.namespace)/\(start.name)\0"),
    ]
    return GoBase64.rawURLEncode(json.bytes())
  }
}
