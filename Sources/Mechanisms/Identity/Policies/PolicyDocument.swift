package import Wire

/// An IAM policy: JSON read into statements.
package struct PolicyDocument: Sendable, Equatable {
  package enum Effect: String, Sendable {
    case allow = "Allow"
    case deny = "Deny"
  }

  /// An element and its `Not…` form.
  package struct Patterns: Sendable, Equatable {
    package var values: [String]
    package var isNegated: Bool

    package init(_ values: [String], isNegated: Bool = false) {
      self.values = values
      self.isNegated = isNegated
    }
  }

  package struct Principals: Sendable, Equatable {
    /// `AWS`, `Service`, `Federated`, `CanonicalUser`; `*` for everybody.
    package var entries: [Entry]
    package var isNegated: Bool

    package struct Entry: Sendable, Equatable {
      package var kind: String
      package var value: String
    }
  }

  package struct Condition: Sendable, Equatable {
    /// `ForAnyValue:StringLikeIfExists`, as written.
    package let operatorName: String
    package let key: String
    package let values: [String]
    /// What the name says; nil for a name that is no operator.
    let test: ConditionOperator?
    let loweredKey: String

    package init(operatorName: String, key: String, values: [String]) {
      self.operatorName = operatorName
      self.key = key
      self.values = values
      test = ConditionOperator(operatorName)
      loweredKey = key.lowercased()
    }
  }

  package struct Statement: Sendable, Equatable {
    package var sid: String
    package var effect: Effect
    package var actions: Patterns
    /// Nil where the document has none, as in trust policies.
    package var resources: Patterns?
    package var principals: Principals?
    package var conditions: [Condition]
  }

  package var version: String
  package var statements: [Statement]

  package init(version: String = "2012-10-17", statements: [Statement] = []) {
    self.version = version
    self.statements = statements
  }

  package struct Fault: Error, Equatable {
    package var message: String

    package init(message: String) { self.message = message }
  }

  /// Reads a document; throws where it is no policy.
  package init(_ json: JSON) throws(Fault) {
    guard json.object != nil else { throw Fault(message: "Syntax errors in policy.") }
    version = json["Version"].string ?? "2008-10-17"
    guard version == "2012-10-17" || version == "2008-10-17" else {
      throw Fault(message: "Policy document must be version 2012-10-17 or greater.")
    }
    statements = []
    let list = json["Statement"].array ?? (json["Statement"].object == nil ? [] : [json["Statement"]])
    guard !list.isEmpty || json["Statement"].array != nil else {
      throw Fault(message: "Missing required field Statement cannot be empty!")
    }
    for statement in list { statements.append(try PolicyDocument.statement(statement)) }
  }

  /// Reads the text of a document, percent-encoded as IAM answers it or plain.
  package init(text: String) throws(Fault) {
    let plain = text.hasPrefix("%") ? PercentEncoding.decode(text) ?? text : text
    guard let json = try? JSON.parse(Array(plain.utf8)) else { throw Fault(message: "Syntax errors in policy.") }
    try self.init(json)
  }

  private static func list(_ json: JSON) -> [String] { json.string.map { [$0] } ?? json.items.map(scalar) }

  private static func scalar(_ json: JSON) -> String {
    switch json {
    case .string(let text): text
    case .bool(let flag): flag ? "true" : "false"
    case .int(let number): String(number)
    case .double(let number): JSON.numberText(number)
    default: ""
    }
  }

  private static func statement(_ json: JSON) throws(Fault) -> Statement {
    guard let effect = Effect(rawValue: json["Effect"].string ?? "") else {
      throw Fault(message: "Missing required field Effect cannot be empty!")
    }
    func patterns(_ name: String) -> Patterns? {
      if json.has(name) { return Patterns(list(json[name])) }
      if json.has("Not\(name)") { return Patterns(list(json["Not\(name)"]), isNegated: true) }
      return nil
    }
    guard let actions = patterns("Action") else {
      throw Fault(message: "Missing required field Action cannot be empty!")
    }
    var principals: Principals?
    for (name, negated) in [("Principal", false), ("NotPrincipal", true)] where json.has(name) {
      var entries: [Principals.Entry] = []
      if let text = json[name].string {
        entries = [.init(kind: text == "*" ? "*" : "AWS", value: text)]
      } else {
        for field in json[name].fields {
          for value in list(field.value) { entries.append(.init(kind: field.key, value: value)) }
        }
      }
      principals = Principals(entries: entries, isNegated: negated)
    }
    var conditions: [Condition] = []
    for block in json["Condition"].fields {
      for key in block.value.fields {
        let values = key.value.array == nil ? [scalar(key.value)] : key.value.items.map(scalar)
        conditions.append(Condition(operatorName: block.key, key: key.key, values: values))
      }
    }
    return Statement(
      sid: json["Sid"].string ?? "", effect: effect, actions: actions, resources: patterns("Resource"),
      principals: principals, conditions: conditions)
  }
}

/// A policy by the name it is known by.
package struct NamedPolicy: Sendable, Equatable {
  /// Its ARN, or its name where it is inline.
  package var id: String
  package var document: PolicyDocument

  package init(_ id: String, _ document: PolicyDocument) {
    self.id = id
    self.document = document
  }
}
