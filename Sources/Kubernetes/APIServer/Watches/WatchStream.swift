import Wire
import World

/// A watch by a client outside: what it wants to see, in which form, and where it goes.
final class WatchStream {
  /// Streams whose events are the same bytes.
  struct Form: Hashable {
    var kind: ObjectChange.Kind
    var representation: Representation
    var apiVersion: String
    var isProtobuf: Bool
  }

  let id: UInt64
  let row: KubeResource
  /// Under which it is kept.
  let resource: String
  let namespace: String
  let selection: Selection
  let representation: Representation
  let stream: DeferredStream
  let isProtobuf: Bool
  let sendsBookmarks: Bool
  let endsAt: Timestamp
  let renderer: ObjectRenderer
  var isOpen = true
  /// Asked for objects that are kept in another version; nil where that takes no webhook.
  let converter: ConversionWebhook?
  /// Events that wait for it, and those behind them.
  var held: [HeldEvent] = []
  /// How many of them it has been asked for.
  var asked = 0

  init(
    id: UInt64, row: KubeResource, namespace: String, selection: Selection, representation: Representation,
    stream: DeferredStream, isProtobuf: Bool, sendsBookmarks: Bool, endsAt: Timestamp, renderer: ObjectRenderer
  ) {
    self.id = id
    self.row = row
    resource = APIServer.storage(row.qualifiedName)
    self.namespace = namespace
    self.selection = selection
    self.representation = representation
    self.stream = stream
    self.isProtobuf = isProtobuf
    self.sendsBookmarks = sendsBookmarks
    self.endsAt = endsAt
    self.renderer = renderer
    converter = renderer.custom.converters[row.qualifiedName]
  }

  func form(_ kind: ObjectChange.Kind) -> Form {
    Form(kind: kind, representation: representation, apiVersion: row.apiVersion, isProtobuf: isProtobuf)
  }

  /// What a change is to this watch: an object that comes to be selected is added, one that ceases is deleted.
  func sees(_ change: ObjectChange) -> ObjectChange.Kind? {
    guard namespace.isEmpty || change.object.key.namespace == namespace else { return nil }
    if selection.isEverything { return change.kind }
    let before = change.previous.map { selection.matches($0.json) } ?? false
    let after = change.kind != .deleted && selection.matches(change.object.json)
    switch (before, after) {
    case (false, false): return nil
    case (false, true): return .added
    case (true, true): return .modified
    case (true, false): return .deleted
    }
  }

  func event(_ kind: ObjectChange.Kind, _ change: ObjectChange) -> [UInt8] {
    if let last = last(kind, change) { return event(kind, worked: last) }
    return event(kind, change.object)
  }

  /// One that ceases to be selected is shown as it last was, under the revision of the change.
  func last(_ kind: ObjectChange.Kind, _ change: ObjectChange) -> JSON? {
    guard kind == .deleted, change.kind != .deleted, let previous = change.previous else { return nil }
    var last = previous.json
    last["metadata"]["resourceVersion"] = .string(String(change.revision))
    return last
  }

  /// An event of an object that needs no webhook any more.
  func event(_ kind: ObjectChange.Kind, worked object: JSON) -> [UInt8] {
    frame(kind.rawValue, renderer.object(renderer.shown(object, row), row, representation))
  }

  func event(_ kind: ObjectChange.Kind, _ object: StoredObject) -> [UInt8] {
    if representation == .object, renderer.isKeptForm(row), !isProtobuf { return frame(kind.rawValue, object.bytes) }
    return event(kind, worked: object.json)
  }

  func bookmark(_ revision: Int, isEndOfList: Bool = false) -> [UInt8] {
    var metadata: JSON = ["resourceVersion": .string(String(revision))]
    if isEndOfList { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
    let object: JSON = ["kind": .string(row.kind), "apiVersion": .string(row.apiVersion), "metadata": metadata]
    return frame("BOOKMARK", renderer.bookmark(object, row, representation))
  }

  func failure(_ status: KubeStatus) -> [UInt8] { frame("ERROR", status.json) }

  private func frame(_ type: String, _ object: JSON) -> [UInt8] {
    if isProtobuf, let encoded = ProtobufEncoder.encode(object) { return ProtobufEncoder.frame(type, encoded) }
    return frame(type, object.bytes(.go))
  }

  private func frame(_ type: String, _ object: [UInt8]) -> [UInt8] {
    var bytes = Array("{\"type\":\"\(type)\",\"object\":".utf8)
    bytes.reserveCapacity(bytes.count + object.count + 2)
    bytes += object
    bytes += [UInt8(ascii: "}"), 0x0a]
    return bytes
  }
}

/// Which objects by labels and fields.
struct Selection {
  var labels = LabelSelector.everything
  var fields = FieldSelector.everything
  var rules: KindRules

  var isEverything: Bool { labels.isEverything && fields.isEverything }

  func matches(_ object: JSON) -> Bool {
    (labels.isEverything || labels.matches(object["metadata"]["labels"]))
      && (fields.isEverything || fields.matches { rules.field($0, of: object) })
  }
}
