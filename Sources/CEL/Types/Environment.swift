/// What an expression may use: variables, functions, types. A value that is shared by many expressions.
package struct Environment: Sendable {
  /// A library of functions.
  package enum Library: Sendable {
    case strings, newerStrings, urls, regex, lists, authorizer, authorizerSelectors, quantity, sets, addresses, formats
    case semver, patches
  }

  package private(set) var variables: [String: CELType] = [:]
  /// Types whose objects an expression may build, `Object` and what begins with it, and `JSONPatch`.
  package var buildsPatches = false
  var functions = Declarations()
  var features = Parser.Features()

  static let typeNames: [String: CELType] = [
    "bool": .bool, "int": .int, "uint": .uint, "double": .double, "string": .string, "bytes": .bytes,
    "list": .list(.dyn), "map": .map(.dyn, .dyn), "null_type": .null, "type": .type(nil),
    "google.protobuf.Timestamp": .timestamp, "google.protobuf.Duration": .duration, "optional_type": .optional(.dyn),
    "kubernetes.Quantity": .opaque("kubernetes.Quantity", []), "net.IP": .opaque("net.IP", []),
    "net.CIDR": .opaque("net.CIDR", []), "kubernetes.URL": .opaque("kubernetes.URL", []),
    "kubernetes.Semver": .opaque("kubernetes.Semver", []),
  ]

  private static let standard: Declarations = {
    var declarations = Declarations()
    declarations.add(StandardDeclarations.operators)
    declarations.add(StandardDeclarations.orders)
    declarations.add(StandardDeclarations.functions)
    declarations.add(StandardDeclarations.conversions)
    declarations.add(StandardDeclarations.times)
    declarations.add(StandardDeclarations.optionals)
    return declarations
  }()

  /// CEL with some libraries.
  package init(_ libraries: [Library] = []) {
    functions = Environment.standard
    for library in libraries { add(library) }
  }

  /// What an API server of Kubernetes 1.`minor` takes in new expressions: what the version before it knew.
  package static func kubernetes(minor: Int) -> Environment {
    known(to: min(max(minor - 1, 31), 36))
  }

  private static let byVersion: [Environment] = (31...36).map { minor in
    var libraries: [Library] = [
      .strings, .newerStrings, .urls, .regex, .lists, .authorizer, .quantity, .sets, .addresses, .formats,
      .authorizerSelectors,
    ]
    if minor >= 33 { libraries.append(.semver) }
    var environment = Environment(libraries)
    environment.features.hasTwoVariables = minor >= 32
    environment.features.hasBind = false
    return environment
  }

  private static func known(to minor: Int) -> Environment { byVersion[minor - 31] }

  package mutating func add(_ library: Library) {
    switch library {
    case .strings: functions.add(LibraryDeclarations.strings)
    case .newerStrings: functions.add(LibraryDeclarations.newerStrings)
    case .urls: functions.add(LibraryDeclarations.urls)
    case .regex: functions.add(LibraryDeclarations.regex)
    case .lists: functions.add(LibraryDeclarations.lists)
    case .authorizer: functions.add(LibraryDeclarations.authorizer)
    case .authorizerSelectors: functions.add(LibraryDeclarations.authorizerSelectors)
    case .quantity: functions.add(LibraryDeclarations.quantity)
    case .sets: functions.add(LibraryDeclarations.sets)
    case .addresses: functions.add(LibraryDeclarations.addresses)
    case .formats: functions.add(LibraryDeclarations.formats)
    case .semver: functions.add(LibraryDeclarations.semver)
    case .patches: functions.add(LibraryDeclarations.patches)
    }
  }

  package mutating func declare(_ name: String, _ type: CELType) { variables[name] = type }

  // MARK: Objects that patches are made of

  private static let patchFields: [String: CELType] = ["op": .string, "path": .string, "from": .string, "value": .dyn]

  func constructed(_ name: String) -> CELType? {
    guard buildsPatches, name == "JSONPatch" || name == "Object" || name.hasPrefix("Object.") else { return nil }
    return .object(ObjectType(name, [], isOpen: name != "JSONPatch"))
  }

  /// The type of a field of an object that is built.
  func member(_ field: String, of name: String) -> CELType? {
    name == "JSONPatch" ? Environment.patchFields[field] : .dyn
  }
}
