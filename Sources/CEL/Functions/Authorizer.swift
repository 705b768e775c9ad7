/// What an expression asks the cluster's authorisation, put together step by step.
package struct Authorizer: Sendable {
  /// A question about access.
  package struct Question: Sendable, Hashable {
    /// `system:serviceaccount:ns:name`; nil for who makes the request.
    package var serviceAccount: (namespace: String, name: String)?
    package var verb = ""
    /// Of a request for no resource.
    package var path: String?
    package var group = ""
    package var resource = ""
    package var subresource = ""
    package var namespace = ""
    package var name = ""

    package static func == (a: Question, b: Question) -> Bool { a.key == b.key }
    package func hash(into hasher: inout Hasher) { hasher.combine(key) }
    private var key: [String] {
      [
        serviceAccount?.namespace ?? "", serviceAccount?.name ?? "", verb, path ?? "", group, resource, subresource,
        namespace, name,
      ]
    }
  }

  package struct Answer: Sendable {
    package var isAllowed: Bool
    package var reason: String

    package init(isAllowed: Bool, reason: String) {
      self.isAllowed = isAllowed
      self.reason = reason
    }
  }

  private enum Step: Sendable {
    case user, path, group, resource
    case decision(Answer)
  }

  private let decide: @Sendable (Question) -> Answer
  private var question = Question()
  private var step = Step.user

  package init(decide: @escaping @Sendable (Question) -> Answer) { self.decide = decide }

  /// A check of one resource, as `authorizer.requestResource` is.
  package func resource(group: String, resource: String, subresource: String, namespace: String, name: String)
    -> Authorizer
  {
    var next = self
    next.question.group = group
    next.question.resource = resource
    next.question.subresource = subresource
    next.question.namespace = namespace
    next.question.name = name
    next.step = .resource
    return next
  }

  var typeName: String {
    let name =
      switch step {
      case .user: "Authorizer"
      case .path: "PathCheck"
      case .group: "GroupCheck"
      case .resource: "ResourceCheck"
      case .decision: "Decision"
      }
    return "kubernetes.authorization.\(name)"
  }

  fileprivate var answer: Answer? { if case .decision(let answer) = step { answer } else { nil } }

  fileprivate func next(_ method: String, _ arguments: [String]) -> Value {
    var next = self
    switch (method, step) {
    case ("path", .user):
      guard !arguments[0].isEmpty else { return .failure("path must not be empty") }
      next.question.path = arguments[0]
      next.step = .path
    case ("group", .user):
      next.question.group = arguments[0]
      next.step = .group
    case ("serviceAccount", .user): next.question.serviceAccount = (arguments[0], arguments[1])
    case ("resource", .group):
      guard !arguments[0].isEmpty else { return .failure("resource must not be empty") }
      next.question.resource = arguments[0]
      next.step = .resource
    case ("subresource", .resource): next.question.subresource = arguments[0]
    case ("namespace", .resource): next.question.namespace = arguments[0]
    case ("name", .resource): next.question.name = arguments[0]
    // Rules of RBAC do not look at selectors.
    case ("fieldSelector", .resource), ("labelSelector", .resource): break
    case ("check", .path), ("check", .resource):
      next.question.verb = arguments[0]
      next.step = .decision(decide(next.question))
    default: return .noOverload()
    }
    return .library(.authorizer(next))
  }
}

extension Functions {
  static let authorizer: [String: Body] = {
    var table: [String: Body] = [
      "allowed": { arguments, _ in decision(arguments) { .bool($0.isAllowed) } },
      "reason": { arguments, _ in decision(arguments) { .string($0.reason) } },
      "errored": { arguments, _ in decision(arguments) { _ in .bool(false) } },
      "error": { arguments, _ in decision(arguments) { _ in .string("") } },
    ]
    for method in [
      "path", "group", "serviceAccount", "resource", "subresource", "namespace", "name", "fieldSelector",
      "labelSelector", "check",
    ] {
      table[method] = { arguments, _ in
        guard case .library(.authorizer(let authorizer)) = arguments[0] else { return .noOverload() }
        var texts: [String] = []
        for argument in arguments.dropFirst() {
          guard case .string(let text) = argument else { return .noOverload() }
          texts.append(text)
        }
        return authorizer.next(method, texts)
      }
    }
    return table
  }()

  private static func decision(_ arguments: [Value], _ read: (Authorizer.Answer) -> Value) -> Value {
    guard case .library(.authorizer(let authorizer)) = arguments[0], let answer = authorizer.answer else {
      return .noOverload()
    }
    return read(answer)
  }
}
