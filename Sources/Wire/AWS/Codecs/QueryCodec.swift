/// The forms of the query protocol and of EC2's kind of it.
package enum QueryCodec {
  /// More parameters than this are refused.
  package static let parameterLimit = 10_000
  static let depthLimit = 32

  // MARK: Writing

  /// The parameters of an input, without Action and Version.
  static func write(_ input: JSON, _ shape: AWSShape, ec2: Bool) -> [(name: String, value: String)] {
    var out: [(name: String, value: String)] = []
    write(input, shape, prefix: "", flattened: false, ec2: ec2, into: &out)
    return out
  }

  private static func write(
    _ value: JSON, _ shape: AWSShape, prefix: String, flattened: Bool, format: AWSShape.TimestampFormat? = nil,
    ec2: Bool, into out: inout [(name: String, value: String)]
  ) {
    func under(_ name: String) -> String { prefix.isEmpty ? name : "\(prefix).\(name)" }
    switch shape.kind {
    case .structure:
      for field in value.fields where !field.value.isNull {
        guard let member = shape.member(field.key) else { continue }
        write(
          field.value, member.shape, prefix: under(ec2 ? member.ec2Name : member.wireName),
          flattened: member.flattened || member.shape.flattened, format: member.timestampFormat, ec2: ec2, into: &out)
      }
    case .list:
      let element = shape.element
      var list = prefix
      if !ec2 {
        if !flattened {
          list = under(element.locationName ?? "member")
          if value.items.isEmpty {
            out.append((prefix, ""))
            return
          }
        } else if let name = element.locationName {
          list = prefix.split(separator: ".").dropLast().map { $0 + "." }.joined() + name
        }
      }
      for (index, item) in value.items.enumerated() {
        write(
          item, element.shape, prefix: "\(list).\(index + 1)", flattened: element.shape.flattened, ec2: ec2, into: &out)
      }
    case .map:
      let entry = flattened ? prefix : under("entry")
      for (index, field) in value.fields.enumerated() {
        let place = "\(entry).\(index + 1)"
        out.append(("\(place).\(shape.key.locationName ?? "key")", field.key))
        write(
          field.value, shape.value.shape, prefix: "\(place).\(shape.value.locationName ?? "value")",
          flattened: shape.value.shape.flattened, ec2: ec2, into: &out)
      }
    default:
      if let text = AWSText.write(value, shape, format: format) { out.append((prefix, text)) }
    }
  }

  // MARK: Reading

  /// The input out of the parameters. EC2 refuses names that it doesn't know, the others pass over them.
  static func read(
    _ pairs: [(name: String, value: String)], _ shape: AWSShape?, ec2: Bool
  ) throws(AWSError) -> JSON {
    guard pairs.count <= parameterLimit else {
      throw AWSError(code: "InvalidParameterValue", message: "More than \(parameterLimit) parameters were sent.")
    }
    var tree = QueryTree()
    for pair in pairs.sorted(by: { $0.name < $1.name }) where !common.contains(pair.name) {
      guard tree.add(pair.name, pair.value) else {
        throw AWSError(code: "MalformedQueryString", message: "The parameter \(pair.name.bounded) is nested too deep.")
      }
    }
    guard let shape else {
      if ec2, let stray = tree.stray { throw unknown(stray) }
      return .emptyObject
    }
    let value = try read(&tree, 0, shape, name: "", flattened: false, ec2: ec2) ?? .emptyObject
    if ec2, let stray = tree.stray { throw unknown(stray) }
    return value
  }

  private static let common: Set<String> = [
    "Action", "Version", "AWSAccessKeyId", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
    "X-Amz-Security-Token", "X-Amz-SignedHeaders", "X-Amz-Signature",
  ]

  private static func unknown(_ name: String) -> AWSError {
    AWSError(code: "UnknownParameter", message: "The parameter \(name.bounded) is not recognized")
  }

  private static func read(
    _ tree: inout QueryTree, _ node: Int, _ shape: AWSShape, name: String, flattened: Bool, ec2: Bool
  ) throws(AWSError) -> JSON? {
    switch shape.kind {
    case .structure:
      var out = JSONObject()
      for member in shape.members {
        let isFlat = member.flattened || member.shape.flattened
        var wire = ec2 ? member.ec2Name : member.wireName
        // A flattened list goes by the name of its elements.
        if !ec2, isFlat, member.shape.kind == .list, let name = member.shape.element.locationName { wire = name }
        guard let child = tree.child(node, wire),
          let value = try read(&tree, child, member.shape, name: member.name, flattened: isFlat, ec2: ec2)
        else { continue }
        out.append(member.name, value)
      }
      guard !out.isEmpty || tree.value(node) != nil else { return nil }
      tree.use(node)
      return .object(out)
    case .list:
      var list = node
      if !ec2, !flattened {
        guard let inner = tree.child(node, shape.element.locationName ?? "member") else {
          // `Tags=` is how an empty list is sent.
          guard let text = tree.value(node), text.isEmpty else { return nil }
          tree.use(node)
          return []
        }
        list = inner
      }
      var out: [JSON] = []
      for child in tree.numbered(list) {
        if let value = try read(
          &tree, child, shape.element.shape, name: name, flattened: shape.element.shape.flattened, ec2: ec2)
        {
          out.append(value)
        }
      }
      return out.isEmpty ? nil : .array(out)
    case .map:
      guard let entries = flattened ? node : tree.child(node, "entry") else { return nil }
      var out = JSONObject()
      for child in tree.numbered(entries) {
        guard let key = tree.child(child, shape.key.locationName ?? "key"), let text = tree.value(key),
          let place = tree.child(child, shape.value.locationName ?? "value"),
          let value = try read(
            &tree, place, shape.value.shape, name: name, flattened: shape.value.shape.flattened, ec2: ec2)
        else { continue }
        tree.use(key)
        out.remove(text)
        out.append(text, value)
      }
      return .object(out)
    default:
      guard let text = tree.value(node) else { return nil }
      tree.use(node)
      if let value = AWSText.read(text, shape) { return value }
      throw invalid(text, shape, name: name, ec2: ec2)
    }
  }

  private static func invalid(_ text: String, _ shape: AWSShape, name: String, ec2: Bool) -> AWSError {
    if ec2 {
      let place = "Value (\(text.bounded)) for parameter \(name.decapitalizedFirst) is invalid."
      return AWSError(code: "InvalidParameterValue", message: "\(place) \(wanted(shape))")
    }
    return AWSError(code: "MalformedInput", message: "\(wanted(shape).dropLast()): \(name)")
  }

  private static func wanted(_ shape: AWSShape) -> String {
    switch shape.kind {
    case .boolean: "Parameter must be a boolean."
    case .timestamp: "Parameter must be a date and time."
    case .blob: "Parameter must be in base64."
    case .double, .float: "Parameter must be a number."
    default: "Parameter must be an integer."
    }
  }
}

extension String {
  /// The text, cut where it is longer than any message should quote.
  var bounded: String { utf8.count <= 256 ? self : String(prefix(200)) + "..." }
}

/// Parameters by the parts of their names. Added in order of their names, so that equal parts are neighbours.
private struct QueryTree {
  private struct Node {
    var name: Substring
    var value: String?
    var first = 0
    var last = 0
    var next = 0
    var used = false
    var path: String
  }

  private var nodes = [Node(name: "", value: nil, path: "")]

  /// False when the name has too many parts.
  mutating func add(_ path: String, _ value: String) -> Bool {
    var node = 0
    var depth = 0
    for part in path.split(separator: ".", omittingEmptySubsequences: false) {
      depth += 1
      guard depth <= QueryCodec.depthLimit else { return false }
      let last = nodes[node].last
      if last != 0, nodes[last].name == part {
        node = last
        continue
      }
      nodes.append(Node(name: part, value: nil, path: path))
      let fresh = nodes.count - 1
      if last == 0 { nodes[node].first = fresh } else { nodes[last].next = fresh }
      nodes[node].last = fresh
      node = fresh
    }
    nodes[node].value = value
    nodes[node].path = path
    return true
  }

  func child(_ node: Int, _ name: String) -> Int? {
    // Names have dots in no service's model.
    var child = nodes[node].first
    while child != 0 {
      if nodes[child].name == name { return child }
      child = nodes[child].next
    }
    return nil
  }

  func value(_ node: Int) -> String? { nodes[node].value }

  mutating func use(_ node: Int) { nodes[node].used = true }

  /// The children that are numbers, in their order.
  func numbered(_ node: Int) -> [Int] {
    var found: [(number: Int, node: Int)] = []
    var child = nodes[node].first
    while child != 0 {
      if let number = Int(nodes[child].name), number >= 0 { found.append((number, child)) }
      child = nodes[child].next
    }
    return found.sorted { $0.number < $1.number }.map(\.node)
  }

  /// The name of a parameter that nothing has asked for.
  var stray: String? {
    nodes.first { $0.value != nil && !$0.used }.map(\.path)
  }
}
