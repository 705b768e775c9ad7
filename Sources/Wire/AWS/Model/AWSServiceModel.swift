import Synchronization

/// A service as its model describes it. Operations and shapes are read from the embedded text on first use.
package final class AWSServiceModel: Sendable {
  /// The name in our data and of the aws CLI, such as `eks` or `elbv2`.
  package let id: String
  /// The service's own name, such as `Elastic Load Balancing v2`.
  package let serviceID: String
  /// The formats that it speaks, the first by preference.
  package let formats: [AWSFormat]
  package let apiVersion: String
  package let signingName: String
  package let endpointPrefix: String
  /// What stands before the operation's name in `X-Amz-Target`.
  package let targetPrefix: String?
  package let jsonVersion: String
  package let xmlNamespace: String
  /// The host of a service that has one for all regions, such as IAM.
  package let globalEndpoint: String?

  private let operationCount: Int
  private let shapeCount: Int
  private let text: ModelText
  private let state: Mutex<State>

  private struct State {
    var lines: [UInt32] = []
    var shapes: [AWSShape?] = []
    var operations: [String: AWSOperation] = [:]
    var routes: [Route] = []
  }

  struct Route: Sendable {
    let method: String
    let template: URITemplate
    let operation: String
  }

  package var format: AWSFormat { formats[0] }

  /// What stands before the names of its actions in policies: `elasticloadbalancing`.
  package var actionPrefix: String { ["cloudwatch", "eks-auth"].contains(id) ? id : signingName }

  init(text: ModelText) {
    self.text = text
    var head = text.line(at: 0)
    id = head.next()?.text ?? ""
    var attributes: [String: String] = [:]
    while let field = head.next() {
      let (key, value) = field.pair(skip: 1)
      attributes[key] = value
    }
    serviceID = attributes["id"] ?? id
    formats = (attributes["formats"] ?? "").split(separator: ",").compactMap { AWSFormat(rawValue: String($0)) }
    precondition(!formats.isEmpty, "no format of \(id) is known")
    apiVersion = attributes["version"] ?? ""
    signingName = attributes["signing"] ?? id
    endpointPrefix = attributes["endpoint"] ?? id
    targetPrefix = attributes["target"]
    jsonVersion = attributes["json"] ?? "1.0"
    xmlNamespace = attributes["namespace"] ?? ""
    globalEndpoint = attributes["global"]
    operationCount = attributes["operations"].flatMap { Int($0) } ?? 0
    shapeCount = attributes["shapes"].flatMap { Int($0) } ?? 0
    state = Mutex(State())
  }

  /// All services, in order of their ids.
  package static let all: [AWSServiceModel] = (0..<ModelText.count).map { AWSServiceModel(text: ModelText(index: $0)) }

  /// The service with that id; nil when there is no model of it.
  package static func named(_ id: String) -> AWSServiceModel? { all.first { $0.id == id } }

  /// The operation; nil when the service has none of that name.
  package func operation(_ name: String) -> AWSOperation? {
    state.withLock { state in
      if let known = state.operations[name] { return known }
      open(&state)
      guard let line = find(name, state) else { return nil }
      let operation = readOperation(text.line(at: Int(state.lines[line])), &state)
      state.operations[name] = operation
      return operation
    }
  }

  /// In alphabetical order.
  package var operationNames: [String] {
    state.withLock { state in
      open(&state)
      return (1...operationCount).map { line in
        var fields = text.line(at: Int(state.lines[line]))
        return fields.next()?.text ?? ""
      }
    }
  }

  /// The paths of a rest service.
  var routes: [Route] {
    state.withLock { state in
      if !state.routes.isEmpty { return state.routes }
      open(&state)
      state.routes = (1...operationCount).map { line in
        var fields = text.line(at: Int(state.lines[line]))
        let name = fields.next()?.text ?? ""
        let method = fields.next()?.text ?? ""
        return Route(method: method, template: URITemplate(fields.next()?.text ?? "/"), operation: name)
      }
      return state.routes
    }
  }

  private func open(_ state: inout State) {
    guard state.lines.isEmpty else { return }
    state.lines = text.lineStarts(count: 1 + operationCount + shapeCount)
    state.shapes = Array(repeating: nil, count: shapeCount)
  }

  private func find(_ name: String, _ state: State) -> Int? {
    var low = 1
    var high = operationCount + 1
    while low < high {
      let middle = (low + high) / 2
      var fields = text.line(at: Int(state.lines[middle]))
      if fields.next()?.isBefore(name) == true { low = middle + 1 } else { high = middle }
    }
    guard low <= operationCount else { return nil }
    var fields = text.line(at: Int(state.lines[low]))
    return fields.next()?.equals(name) == true ? low : nil
  }
}

// MARK: - Reading lines

extension AWSServiceModel {
  private func readOperation(_ line: ModelLine, _ state: inout State) -> AWSOperation {
    var line = line
    let name = line.next()?.text ?? ""
    let method = line.next()?.text ?? ""
    let uri = line.next()?.text ?? ""
    let input = line.next()?.number.map { shape($0, &state) }
    let output = line.next()?.number.map { shape($0, &state) }
    let errors = line.next()?.split(UInt8(ascii: ",")).compactMap(\.number).map { shape($0, &state) } ?? []
    var attributes: [String: String] = [:]
    while let field = line.next() {
      let (key, value) = field.pair(skip: 1)
      attributes[key] = value
    }
    return AWSOperation(
      name: name, method: method, uri: uri, input: input, output: output, errors: errors, attributes: attributes)
  }

  private func shape(_ number: Int, _ state: inout State) -> AWSShape {
    if let known = state.shapes[number] { return known }
    var line = text.line(at: Int(state.lines[1 + operationCount + number]))
    guard let kind = line.next().flatMap({ AWSServiceModel.kinds[$0.first] }) else {
      preconditionFailure("shape \(number) of \(id) has no kind")
    }
    let shape = AWSShape(kind: kind)
    // Known before its members are read: it may hold itself.
    state.shapes[number] = shape
    while let field = line.next() {
      if field.first == UInt8(ascii: "@") {
        let (key, value) = field.pair(skip: 1)
        AWSServiceModel.set(key, value, on: shape)
      } else if kind == .string {
        shape.values.append(field.text)
      } else {
        shape.members.append(member(field, &state))
      }
    }
    shape.finish()
    return shape
  }

  private func member(_ field: ModelField, _ state: inout State) -> AWSMember {
    let words = field.split(UInt8(ascii: " "))
    var member = AWSMember(name: words[0].text, shape: shape(words[1].number ?? 0, &state))
    for word in words.dropFirst(2) {
      let value = word.pair(skip: 0).value
      switch word.first {
      case UInt8(ascii: "!"): member.required = true
      case UInt8(ascii: "u"): (member.location, member.locationName) = (.uri, value)
      case UInt8(ascii: "q"): (member.location, member.locationName) = (.queryString, value)
      case UInt8(ascii: "h"): (member.location, member.locationName) = (.header, value)
      case UInt8(ascii: "H"): (member.location, member.locationName) = (.headers, value)
      case UInt8(ascii: "c"): (member.location, member.locationName) = (.statusCode, value)
      case UInt8(ascii: "n"): member.locationName = value
      case UInt8(ascii: "Q"): member.queryName = value
      case UInt8(ascii: "~"): member.flattened = true
      case UInt8(ascii: "A"): member.xmlAttribute = true
      case UInt8(ascii: "*"): member.idempotencyToken = true
      case UInt8(ascii: "S"): member.streaming = true
      case UInt8(ascii: "x"): member.xmlNamespace = value
      case UInt8(ascii: "t"): member.timestampFormat = AWSShape.TimestampFormat(rawValue: value)
      default: preconditionFailure("a member of \(id) has an unknown mark: \(word.text)")
      }
    }
    return member
  }

  private static let kinds: [UInt8: AWSShape.Kind] = [
    UInt8(ascii: "{"): .structure, UInt8(ascii: "["): .list, UInt8(ascii: ":"): .map, UInt8(ascii: "s"): .string,
    UInt8(ascii: "i"): .integer, UInt8(ascii: "l"): .long, UInt8(ascii: "d"): .double, UInt8(ascii: "f"): .float,
    UInt8(ascii: "b"): .boolean, UInt8(ascii: "t"): .timestamp, UInt8(ascii: "x"): .blob,
  ]

  private static func set(_ key: String, _ value: String, on shape: AWSShape) {
    switch key {
    case "name": shape.name = value
    case "min": shape.min = Double(value)
    case "max": shape.max = Double(value)
    case "p": shape.pattern = value
    case "t": shape.timestampFormat = AWSShape.TimestampFormat(rawValue: value)
    case "flat": shape.flattened = true
    case "union": shape.isUnion = true
    case "secret": shape.isSecret = true
    case "payload": shape.payload = value
    case "element": shape.locationName = value
    case "namespace": shape.xmlNamespace = value
    case "code": shape.errorCode = value
    case "status": shape.errorStatus = Int(value)
    case "fault": shape.isFault = true
    case "stream": break
    default: preconditionFailure("a shape has an unknown mark: \(key)")
    }
  }
}
