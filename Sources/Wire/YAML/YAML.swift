import CYaml

/// YAML 1.1 as `sigs.k8s.io/yaml` reads it: into JSON, with merge keys, words such as `yes` as booleans, and
/// timestamps as text.
package enum YAML {
  package struct Fault: Error, Equatable, CustomStringConvertible {
    package var description: String
    init(_ description: String) { self.description = "yaml: " + description }
  }

  /// Nested deeper, a text is refused.
  static let depthLimit = 500
  /// What all aliases together may stand for.
  static let aliasLimit = 100_000

  /// The first document; null where there is none.
  package static func parse(_ text: String) throws(Fault) -> JSON { try parse(Array(text.utf8)) }

  package static func parse(_ bytes: [UInt8]) throws(Fault) -> JSON {
    var duplicates: [Duplicate] = []
    return try read(bytes, limit: 1, duplicates: &duplicates).first ?? .null
  }

  /// As ``parse(_:)-([UInt8])``; also gives the paths of keys that came twice, of which the last one holds.
  package static func parse(_ bytes: [UInt8], duplicates: inout [Duplicate]) throws(Fault) -> JSON {
    try read(bytes, limit: 1, duplicates: &duplicates).first ?? .null
  }

  /// A key that came a second time in its map.
  package struct Duplicate: Hashable, Sendable {
    package var path: String
    package var key: String
    /// Where the second one stands, counted from one.
    package var line: Int

    /// As Go's reader of YAML tells it.
    package var text: String { "line \(line): key \(GoText.quote(key)) already set in map" }
  }

  /// All documents of a stream, without the empty ones.
  package static func parseAll(_ bytes: [UInt8]) throws(Fault) -> [JSON] {
    var duplicates: [Duplicate] = []
    return try read(bytes, limit: .max, duplicates: &duplicates).filter { !$0.isNull }
  }

  private static func read(_ bytes: [UInt8], limit: Int, duplicates: inout [Duplicate]) throws(Fault) -> [JSON] {
    if bytes.isEmpty { return [] }
    let result: Result<([JSON], [Duplicate]), Fault> = bytes.withUnsafeBufferPointer { buffer in
      let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
      defer { parser.deallocate() }
      guard yaml_parser_initialize(parser) == 1 else { return .failure(Fault("out of memory")) }
      defer { yaml_parser_delete(parser) }
      yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
      yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
      var loader = YAMLLoader(parser: parser)
      do throws(Fault) {
        let documents = try loader.documents(limit: limit)
        return .success((documents, loader.duplicates))
      } catch {
        return .failure(error)
      }
    }
    let (documents, found) = try result.get()
    duplicates = found
    return documents
  }
}

/// Builds values from the parser's events.
private struct YAMLLoader {
  let parser: UnsafeMutablePointer<yaml_parser_t>
  var duplicates: [YAML.Duplicate] = []
  /// Where the event that was taken last begins, counted from one.
  private var line = 0
  private var path: [String] = []
  private var anchors: [String: (value: JSON, count: Int)] = [:]
  private var open: Set<String> = []
  private var aliased = 0
  /// Values made so far, aliases counted whole.
  private var count = 0

  init(parser: UnsafeMutablePointer<yaml_parser_t>) { self.parser = parser }

  private enum Event {
    case streamStart, streamEnd, documentStart, documentEnd, sequenceEnd, mappingEnd
    case alias(String)
    case scalar(String, tag: String, isPlain: Bool, anchor: String?)
    case sequence(anchor: String?)
    case mapping(anchor: String?)
  }

  private mutating func next() throws(YAML.Fault) -> Event {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
    defer { yaml_event_delete(&event) }
    line = Int(event.start_mark.line) + 1
    func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? { pointer.map { String(cString: $0) } }
    switch event.type {
    case YAML_STREAM_END_EVENT: return .streamEnd
    case YAML_DOCUMENT_START_EVENT: return .documentStart
    case YAML_DOCUMENT_END_EVENT: return .documentEnd
    case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
    case YAML_MAPPING_END_EVENT: return .mappingEnd
    case YAML_ALIAS_EVENT: return .alias(text(event.data.alias.anchor) ?? "")
    case YAML_SEQUENCE_START_EVENT: return .sequence(anchor: text(event.data.sequence_start.anchor))
    case YAML_MAPPING_START_EVENT: return .mapping(anchor: text(event.data.mapping_start.anchor))
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let value = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      return .scalar(
        value, tag: text(scalar.tag) ?? "", isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE,
        anchor: text(scalar.anchor))
    default: return .streamStart
    }
  }

  private func failure() -> YAML.Fault {
    let fault = parser.pointee
    var line = Int(fault.problem_mark.line)
    if line != 0 {
      // The scanner does not count the line at whose end it stands.
      if fault.error == YAML_SCANNER_ERROR { line += 1 }
    } else {
      line = Int(fault.context_mark.line)
    }
    let problem = fault.problem.map { String(cString: $0) } ?? "unknown problem parsing YAML content"
    return YAML.Fault((line == 0 ? "" : "line \(line): ") + problem)
  }

  mutating func documents(limit: Int) throws(YAML.Fault) -> [JSON] {
    var documents: [JSON] = []
    while true {
      switch try next() {
      case .streamEnd: return documents
      case .documentStart:
        anchors = [:]
        documents.append(try value(of: try next(), depth: 0))
        if documents.count >= limit { return documents }
      default: break
      }
    }
  }

  private mutating func value(of event: Event, depth: Int) throws(YAML.Fault) -> JSON {
    guard depth < YAML.depthLimit else { throw YAML.Fault("exceeded max depth of \(YAML.depthLimit)") }
    let before = count
    count += 1
    let value: JSON
    let anchor: String?
    switch event {
    case .alias(let name):
      if open.contains(name) { throw YAML.Fault("anchor '\(name)' value contains itself") }
      guard let target = anchors[name] else { throw YAML.Fault("unknown anchor '\(name)' referenced") }
      aliased += target.count
      guard aliased <= YAML.aliasLimit else { throw YAML.Fault("document contains excessive aliasing") }
      count += target.count
      return target.value
    case .scalar(let text, let tag, let isPlain, let name):
      value = try YAMLScalar.resolve(text, tag: tag, isPlain: isPlain)
      anchor = name
    case .sequence(let name):
      if let name { open.insert(name) }
      var items: [JSON] = []
      loop: while true {
        let event = try next()
        if case .sequenceEnd = event { break loop }
        path.append("[\(items.count)]")
        items.append(try self.value(of: event, depth: depth + 1))
        path.removeLast()
      }
      value = .array(items)
      anchor = name
    case .mapping(let name):
      if let name { open.insert(name) }
      value = .object(try mapping(depth: depth))
      anchor = name
    default: throw YAML.Fault("unexpected event")
    }
    if let anchor {
      open.remove(anchor)
      anchors[anchor] = (value, count - before)
    }
    return value
  }

  private mutating func mapping(depth: Int) throws(YAML.Fault) -> JSONObject {
    var object = JSONObject()
    var places: [String: Int] = [:]
    var merged: [JSON] = []
    while true {
      let event = try next()
      if case .mappingEnd = event { break }
      let line = line
      var isMerge = false
      if case .scalar("<<", let tag, true, _) = event, tag.isEmpty { isMerge = true }
      let key = try key(value(of: event, depth: depth + 1))
      path.append(path.isEmpty ? key : "." + key)
      let value = try value(of: try next(), depth: depth + 1)
      if isMerge {
        merged += value.array ?? [value]
      } else if let place = places[key] {
        duplicates.append(YAML.Duplicate(path: path.joined(), key: key, line: line))
        object.fields[place].value = value
      } else {
        places[key] = object.fields.count
        object.append(key, value)
      }
      path.removeLast()
    }
    for source in merged {
      guard let map = source.object else {
        throw YAML.Fault("map merge requires map or sequence of maps as the value")
      }
      for field in map.fields where places[field.key] == nil {
        places[field.key] = object.fields.count
        object.append(field.key, field.value)
        count += 1
      }
      aliased += map.count
      guard aliased <= YAML.aliasLimit else { throw YAML.Fault("document contains excessive aliasing") }
    }
    return object
  }

  private func key(_ value: JSON) throws(YAML.Fault) -> String {
    switch value {
    case .string(let text): return text
    case .bool(let flag): return flag ? "true" : "false"
    case .int(let number): return String(number)
    case .double(let number): return JSON.numberText(number)
    case .null, .array, .object: throw YAML.Fault("unsupported map key: \(value.text())")
    }
  }
}
