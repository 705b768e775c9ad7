import CEL
import Wire
import World

/// Tells in a validating policy's status what its expressions ask of the kinds it matches and they don't have.
///
/// Source: kubernetes `pkg/controller/validatingadmissionpolicystatus`.
struct PolicyStatusController: Reconciler {
  static let name = "validatingadmissionpolicy-status-controller"
  static let resources = [resource]

  private static let resource = "validatingadmissionpolicies.admissionregistration.k8s.io"

  func reconcile(_ key: String, _ desk: inout Desk) {
    guard let policy = desk.get(Self.resource, "", key), !policy.isTerminating else { return }
    let generation = policy.json["metadata"]["generation"].int ?? 0
    guard generation > policy.status["observedGeneration"].int ?? 0 else { return }
    let version = KubernetesVersion(desk.facts.version) ?? KubernetesVersion.known.upperBound
    let definitions = desk.list("customresourcedefinitions.apiextensions.k8s.io").map(\.json)
    let check = PolicyTypeCheck(policy.json["spec"], version, definitions)
    var checking: JSON = .emptyObject
    let warnings = check.warnings()
    if !warnings.isEmpty {
      checking["expressionWarnings"] = .array(
        warnings.map { ["fieldRef": .string($0.field), "warning": .string($0.text)] })
    }
    desk.send(
      desk.client.patch(
        Self.resource, "", key,
        ["status": ["observedGeneration": JSON(generation), "typeChecking": checking]], .merge, subresource: "status"),
      "status")
  }
}

/// Checks a policy's expressions against the types of what it matches.
struct PolicyTypeCheck {
  private let spec: JSON
  private let version: KubernetesVersion
  private let definitions: [JSON]

  /// More kinds than that are not looked at.
  private static let kindLimit = 10

  init(_ spec: JSON, _ version: KubernetesVersion, _ definitions: [JSON]) {
    self.spec = spec
    self.version = version
    self.definitions = definitions
  }

  func warnings() -> [(field: String, text: String)] {
    let params = paramType()
    let environments = kinds().compactMap { gvk -> (GroupVersionKind, Environment)? in
      type(of: gvk).map { (gvk, environment($0, params)) }
    }
    var found: [(field: String, text: String)] = []
    for (index, validation) in spec["validations"].items.enumerated() {
      for field in ["expression", "messageExpression"] {
        guard let text = validation[field].string, field == "expression" || !text.isEmpty else { continue }
        let faults = environments.compactMap { gvk, environment in
          fault(text, environment).map { "\(gvk.apiVersionForPeople), Kind=\(gvk.kind): \($0)\n" }
        }
        if !faults.isEmpty { found.append(("spec.validations[\(index)].\(field)", faults.joined(separator: "\n"))) }
      }
    }
    return found
  }

  private func fault(_ text: String, _ environment: Environment) -> String? {
    do throws(CheckedExpression.Failure) {
      _ = try CheckedExpression(text, in: environment)
      return nil
    } catch {
      return error.text
    }
  }

  private func environment(_ object: SchemaType, _ params: SchemaType?) -> Environment {
    var types: [(name: String, type: CELType)] = []
    func made() -> Environment {
      AdmissionEnvironment.make(
        minor: version.minor, object: object.celType, params: params?.celType, variables: types)
    }
    for variable in spec["variables"].items {
      let checked = try? CheckedExpression(variable["expression"].string ?? "", in: made())
      types.append((variable["name"].string ?? "", checked?.type ?? .dyn))
    }
    return made()
  }

  // MARK: Kinds

  /// What the rules name without wildcards, in order.
  private func kinds() -> [GroupVersionKind] {
    var found: Set<GroupVersionKind> = []
    for rule in spec["matchConstraints"]["resourceRules"].items {
      let groups = rule["apiGroups"].strings
      let versions = rule["apiVersions"].strings
      guard !groups.contains(where: { $0.contains("*") }), !versions.contains(where: { $0.contains("*") }) else {
        continue
      }
      let resources = rule["resources"].strings.filter { !$0.contains("*") && !$0.contains("/") }
      var count = 0
      for group in groups.sorted() {
        for version in versions.sorted() {
          for resource in resources.sorted() {
            guard let kind = kind(group, version, resource) else { continue }
            found.insert(kind)
            count += 1
            if count == Self.kindLimit { return sorted(found) }
          }
        }
      }
    }
    return sorted(found)
  }

  private func sorted(_ kinds: Set<GroupVersionKind>) -> [GroupVersionKind] {
    kinds.sorted { ($0.group, $0.version, $0.kind) < ($1.group, $1.version, $1.kind) }
  }

  private func kind(_ group: String, _ version: String, _ resource: String) -> GroupVersionKind? {
    if let row = ResourceTable.for(self.version)[group, version, resource] { return row.gvk }
    let names = definitions.first {
      $0["spec"]["group"].string == group && $0["status"]["acceptedNames"]["plural"].string == resource
        && self.version(version, of: $0) != nil
    }?["status"]["acceptedNames"]
    return names?["kind"].string.map { GroupVersionKind(group: group, version: version, kind: $0) }
  }

  private func version(_ name: String, of definition: JSON) -> JSON? {
    definition["spec"]["versions"].items.first { $0["name"].string == name && $0["served"].bool == true }
  }

  private func paramType() -> SchemaType? {
    guard let version = GroupVersion(spec["paramKind"]["apiVersion"].string ?? ""),
      let kind = spec["paramKind"]["kind"].string
    else { return nil }
    return type(of: GroupVersionKind(group: version.group, version: version.version, kind: kind))
  }

  /// The declared type of a kind's objects.
  private func type(of gvk: GroupVersionKind) -> SchemaType? {
    let schema = KubernetesSchema.for(version)
    var builder = KindTypes(schema)
    if let index = schema.index(of: gvk) { return builder.type(.object(index), gvk.kind, depth: 0) }
    let definition = definitions.first {
      $0["spec"]["group"].string == gvk.group && $0["status"]["acceptedNames"]["kind"].string == gvk.kind
    }
    guard let definition, let version = self.version(gvk.version, of: definition),
      let own = SchemaDeclarations.type(version["schema"]["openAPIV3Schema"], isRoot: true, name: gvk.kind),
      case .object(let object) = own, let meta = schema.index(of: KubernetesSchema.objectMeta),
      let metadata = builder.type(.object(meta), "\(gvk.kind).metadata", depth: 0)
    else { return nil }
    var fields = object.fields.values.filter { $0.name != "metadata" }.sorted { $0.name < $1.name }
    fields.append(.init("metadata", metadata))
    return .object(ObjectType(gvk.kind, fields))
  }
}

/// Declared types of built-in kinds.
private struct KindTypes {
  private let schema: KubernetesSchema
  private var under: Set<Int> = []

  init(_ schema: KubernetesSchema) { self.schema = schema }

  /// Nil for what has no end.
  mutating func type(_ shape: KubernetesType.Shape, _ name: String, depth: Int) -> SchemaType? {
    let unbounded = SchemaType.requestLimit
    switch shape {
    case .string, .quantity: return .string(maxLength: unbounded)
    case .bool: return .bool
    case .int32, .int64: return .int
    case .double: return .double
    case .bytes: return .bytes(maxLength: unbounded)
    case .time, .microTime: return .timestamp()
    case .intOrString: return .intOrString()
    case .anyObject: return .object(ObjectType(name, []))
    case .any: return nil
    case .list(let item):
      return type(item, "\(name).@idx", depth: depth + 1).map { .list($0, maxItems: unbounded, merge: .atomic) }
    case .map(let value):
      return type(value, "\(name).@elem", depth: depth + 1).map { .map($0, maxProperties: unbounded) }
    case .object(let index):
      guard under.insert(index).inserted else { return nil }
      defer { under.remove(index) }
      let fields = schema.types[index].fields.compactMap { field in
        type(field.shape, "\(name).\(field.name)", depth: depth + 1).map {
          ObjectType.Field(field.name, $0, isRequired: field.isRequired)
        }
      }
      return .object(ObjectType(name, fields))
    }
  }
}

extension GroupVersionKind {
  /// The core group's versions begin with a slash where kinds are told of.
  fileprivate var apiVersionForPeople: String { "\(group)/\(version)" }
}
