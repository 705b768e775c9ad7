import CGenerated

/// The types of one version of Kubernetes.
///
/// Each version is decoded at its first use and never changes after. Source: the package kubernetes-validate.
package final class KubernetesSchema: Sendable {
  package let types: [KubernetesType]
  private let byName: [String: Int]
  private let byKind: [GroupVersionKind: Int]

  init(types: [KubernetesType]) {
    self.types = types
    var byName: [String: Int] = [:]
    var byKind: [GroupVersionKind: Int] = [:]
    for (index, type) in types.enumerated() {
      byName[type.name] = index
      for kind in type.kinds { byKind[kind] = index }
    }
    self.byName = byName
    self.byKind = byKind
  }

  /// The schema of that version, or of the nearest known one.
  package static func `for`(_ version: KubernetesVersion) -> KubernetesSchema {
    switch version.nearestKnown.minor {
    case 32: v32
    case 33: v33
    case 34: v34
    case 35: v35
    default: v36
    }
  }

  private static let v32 = KubernetesSchema(types: decode(bit: 0))
  private static let v33 = KubernetesSchema(types: decode(bit: 1))
  private static let v34 = KubernetesSchema(types: decode(bit: 2))
  private static let v35 = KubernetesSchema(types: decode(bit: 3))
  private static let v36 = KubernetesSchema(types: decode(bit: 4))

  package subscript(gvk: GroupVersionKind) -> KubernetesType? { byKind[gvk].map { types[$0] } }
  package subscript(name: String) -> KubernetesType? { byName[name].map { types[$0] } }
  package func index(of name: String) -> Int? { byName[name] }
  package func index(of gvk: GroupVersionKind) -> Int? { byKind[gvk] }

  package static let objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
  package static let listMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"

  // MARK: Decoding

  private static func decode(bit: Int) -> [KubernetesType] {
    var indexes: [String: Int] = [:]
    for line in DataLines(ekswhy_kubernetes_schemas()) where line[0] == "T" && has(bit, line, 2) {
      indexes[line[1]] = indexes.count
    }
    var types: [KubernetesType] = []
    types.reserveCapacity(indexes.count)
    var name: String?
    var kinds: [GroupVersionKind] = []
    var fields: [KubernetesType.Field] = []
    var isAtomic = false
    func finish() {
      if let name {
        types.append(KubernetesType(name: "io.k8s." + name, kinds: kinds, fields: fields, isAtomic: isAtomic))
      }
      (name, kinds, fields, isAtomic) = (nil, [], [], false)
    }
    for line in DataLines(ekswhy_kubernetes_schemas()) {
      switch line[0] {
      case "T":
        finish()
        name = has(bit, line, 2) ? line[1] : nil
      case "A": isAtomic = true
      case "K" where name != nil && has(bit, line, 4):
        kinds.append(GroupVersionKind(group: line[1], version: line[2], kind: line[3]))
      case "F" where name != nil && has(bit, line, 4):
        fields.append(field(line, indexes))
      default: break
      }
    }
    finish()
    return types
  }

  private static func has(_ bit: Int, _ line: [String], _ at: Int) -> Bool {
    guard line.count > at else { return true }
    return (Int(line[at], radix: 16) ?? 0) >> bit & 1 == 1
  }

  private static func field(_ line: [String], _ indexes: [String: Int]) -> KubernetesType.Field {
    var traits = KubernetesType.FieldTraits()
    for attribute in line[3].split(separator: " ") {
      let value = String(attribute.dropFirst(2))
      switch attribute.utf8.first {
      case UInt8(ascii: "!"): traits.isRequired = true
      case UInt8(ascii: "-"): traits.presence = .leftOut
      case UInt8(ascii: "+"): traits.presence = .always
      case UInt8(ascii: "A"): traits.isAtomicMap = true
      case UInt8(ascii: "L"): traits.listType = .init(rawValue: value)
      case UInt8(ascii: "k"): traits.listMapKeys = value.commaSeparated
      case UInt8(ascii: "M"): traits.mergeKey = value
      case UInt8(ascii: "P"): traits.patchStrategies = value.commaSeparated
      case UInt8(ascii: "D"): traits.keyDefault = value
      case UInt8(ascii: "E"): traits.values = value.commaSeparated
      default: break
      }
    }
    return KubernetesType.Field(name: line[1], shape: shape(line[2][...], indexes), traits)
  }

  private static func shape(_ text: Substring, _ indexes: [String: Int]) -> KubernetesType.Shape {
    switch text.first {
    case "s": .string
    case "b": .bool
    case "i": .int32
    case "l": .int64
    case "d": .double
    case "B": .bytes
    case "q": .quantity
    case "t": .time
    case "u": .microTime
    case "o": .intOrString
    case "x": .anyObject
    case "[": .list(shape(text.dropFirst(), indexes))
    case "{": .map(shape(text.dropFirst(), indexes))
    case "&": indexes[String(text.dropFirst())].map { .object($0) } ?? .anyObject
    default: .any
    }
  }
}
