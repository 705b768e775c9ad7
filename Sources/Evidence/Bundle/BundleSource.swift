import Foundation
package import Wire

/// A captured bundle: a folder anyone can make by hand, or the same as `.tar.gz`.
package struct BundleSource: EvidenceSource {
  package enum Problem: Error, CustomStringConvertible {
    case notFound(String)
    case notReadable(String, String)
    case severalPlaces([String])

    package var description: String {
      switch self {
      case .notFound(let path): "there is no bundle at \(path)"
      case .notReadable(let path, let why): "the bundle's \(path) can't be read: \(why)"
      case .severalPlaces(let places):
        "the bundle holds several accounts or regions (\(places.joined(separator: ", "))); choose one with --region"
      }
    }
  }

  /// Path in the bundle without `.json` → content.
  private var files: [String: JSON] = [:]
  package private(set) var manifest: JSON = .null
  private var time: (time: Timestamp, basis: String)
  package let path: String
  /// What its folder `nodes` holds.
  package private(set) var nodeLogs: NodeLogs?

  /// Reads a folder or an archive. `region` chooses among `<account>/<region>/` folders.
  package init(path: String, region: String? = nil) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { throw Problem.notFound(path) }
    self.path = path
    time = (Timestamp(seconds: 0), "")
    if isFolder.boolValue {
      try load(folder: path, region: region)
    } else {
      let folder = try BundleArchive.unpack(path)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try load(folder: BundleArchive.root(of: folder), region: region)
    }
    settle()
  }

  /// A bundle in memory: path without `.json` → content.
  package init(files: [String: JSON], manifest: JSON = .null) {
    path = "memory"
    self.files = files
    self.manifest = manifest
    time = (Timestamp(seconds: 0), "")
    settle()
  }

  private mutating func load(folder: String, region: String?) throws {
    if FileManager.default.fileExists(atPath: "\(folder)/nodes") { nodeLogs = try NodeLogs(folder: "\(folder)/nodes") }
    var names: [String] = []
    if let walker = FileManager.default.enumerator(atPath: folder) {
      for case let name as String in walker where name.hasSuffix(".json") || BundleSource.isLog(name) {
        names.append(name)
      }
    }
    var places: Set<String> = []
    for name in names.sorted() {
      if name.hasPrefix("cloudtrail/") || name.hasPrefix("nodes/") || name.hasPrefix("logs/") { continue }
      guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else {
        throw Problem.notReadable(name, "no permission")
      }
      if BundleSource.isLog(name) {
        files[String(name.dropLast(4))] = .string(String(decoding: data, as: UTF8.self))
        continue
      }
      let content: JSON
      do { content = try JSON.parse(Array(data)) } catch { throw Problem.notReadable(name, "\(error)") }
      if name == "bundle.json" {
        manifest = content
        continue
      }
      var key = String(name.dropLast(5))
      // <account>/<region>/aws/…
      let parts = key.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
      if parts.count > 3, parts[2] == "aws" {
        if let region, parts[1] != region { continue }
        places.insert("\(parts[0])/\(parts[1])")
        key = parts[2...].joined(separator: "/")
      }
      files[BundleSource.normal(key)] = content
    }
    if places.count > 1 { throw Problem.severalPlaces(places.sorted()) }
  }

  /// Whether a file is a container's log.
  private static func isLog(_ name: String) -> Bool { name.hasPrefix("kubernetes/logs/") && name.hasSuffix(".log") }

  /// One spelling for a path: names decoded and encoded again, parameter names without case.
  package static func normal(_ key: String) -> String {
    let parts = key.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.first == "aws", let last = parts.last, let dashes = last.firstRange(of: "--") else { return key }
    let operation = last[..<dashes.lowerBound]
    let pairs = last[dashes.upperBound...].split(separator: ",").map { pair -> String in
      let sides = pair.split(separator: "=", maxSplits: 1).map { PercentEncoding.decode($0) ?? String($0) }
      let name = (sides.first ?? "").lowercased().filter { $0 != "-" }
      return "\(PercentEncoding.encode(name))=\(PercentEncoding.encode(sides.count > 1 ? sides[1] : ""))"
    }
    return (parts.dropLast() + ["\(operation)--\(pairs.sorted().joined(separator: ","))"]).joined(separator: "/")
  }

  package var isEmpty: Bool { files.isEmpty }

  var unkeyedCluster: JSON? { files["aws/eks/describe-cluster"] }

  /// The values of a parameter for which the bundle holds an operation: which clusters were described.
  package func values(of parameter: String, in operation: AWSCall) -> [String] {
    let prefix = "aws/\(operation.service)/\(operation.commandName)--"
    let wanted = parameter.lowercased() + "="
    return files.keys.filter { $0.hasPrefix(prefix) }.sorted().flatMap { key in
      key.dropFirst(prefix.count).split(separator: ",").filter { $0.hasPrefix(wanted) }
        .compactMap { PercentEncoding.decode($0.dropFirst(wanted.count)) }
    }
  }

  package func read(_ read: Read) async -> Reading {
    let path = BundleSource.normal(read.bundlePath)
    if let content = files[path] { return answer(read, content, path) }
    // One file may hold what belongs to the only thing of its kind: aws/eks/describe-cluster.json.
    if case .aws(let aws) = read, let content = files["aws/\(aws.operation.service)/\(aws.operation.commandName)"] {
      if let reading = unkeyed(aws, content, path) { return reading }
    }
    if manifest["notFound"].strings.contains(where: { BundleSource.normal($0) == path }) {
      return Reading(at: time.time)
    }
    for refusal in manifest["denied"].items where BundleSource.normal(refusal["read"].string ?? "") == path {
      return Reading(state: .denied(refusal["why"].string ?? "denied at capture"), at: time.time)
    }
    return Reading(state: .missing("not in the bundle"), at: time.time)
  }

  private func answer(_ read: Read, _ content: JSON, _ path: String) -> Reading {
    var state = Reading.State.complete
    let items: [JSON]
    switch read {
    case .kubernetes(let kubernetes) where kubernetes.resource.isLog || kubernetes.resource.isFigures:
      return Reading(items: [content], at: time.time)
    case .kubernetes:
      items = content["items"].array ?? (content["kind"].string.map { _ in [content] } ?? [])
      if let token = content["metadata"]["continue"].string, !token.isEmpty {
        state = .partial("the list in the bundle was cut short")
      }
    case .aws(let aws):
      items = aws.operation.items(in: content)
      for key in ["NextToken", "nextToken"] where content[key].string?.isEmpty == false {
        state = .partial("the answer in the bundle has further pages")
      }
      if content["IsTruncated"].bool == true { state = .partial("the answer in the bundle has further pages") }
    }
    // What the capture itself narrowed answers narrower reads only.
    let scope = manifest["filtered"][path]
    if state == .complete, !scope.fields.isEmpty, !within(scope, read), !isAllInside(read, items) {
      state = .partial(
        "the capture holds it only for \(scope.fields.map { "\($0.key) \($0.value.strings.joined(separator: ", "))" }.joined(separator: ", "))"
      )
    }
    return Reading(items: items.filter(read.admits), state: state, at: time.time)
  }

  private func within(_ scope: JSON, _ read: Read) -> Bool {
    guard case .aws(let aws) = read else { return false }
    return scope.fields.allSatisfy { field in
      aws.filters.contains { $0.name == field.key && $0.values.allSatisfy(field.value.strings.contains) }
    }
  }

  /// A thing stands in one VPC only: where every value asked for was found in the narrowed answer, nothing about
  /// these values stands outside of it.
  private func isAllInside(_ read: Read, _ items: [JSON]) -> Bool {
    guard case .aws(let aws) = read, let term = aws.filters.first else { return false }
    return term.values.allSatisfy { value in
      let one = AWSRead(aws.operation, aws.parameters, filters: [term.name: [value]])
      return items.contains(where: one.admits)
    }
  }

  /// `aws/eks/describe-cluster.json` answers for the cluster that it names.
  private func unkeyed(_ read: AWSRead, _ content: JSON, _ path: String) -> Reading? {
    let items = read.operation.items(in: content)
    let named = items.filter { item in
      read.parameters.allSatisfy { name, value in
        let known = [name, "\(name.prefix(1).uppercased())\(name.dropFirst())", "name", "clusterName", "nodegroupName"]
          .compactMap { item[$0].string }
        return known.contains(value)
      }
    }
    return named.isEmpty ? nil : Reading(items: named.filter(read.admits), at: time.time)
  }

  package func now() async -> (time: Timestamp, basis: String) { time }

  package func remedy(for read: Read, _ state: Reading.State) -> String {
    if case .kubernetes(let kubernetes) = read, kubernetes.resource.isLog {
      return "\(read.command) > \(read.bundlePath).log"
    }
    return "\(read.command) > \(read.bundlePath).json"
  }

  /// "Now" is the manifest's time, else the newest time in the evidence.
  private mutating func settle() {
    if let text = manifest["capturedAt"].string ?? manifest["at"].string, let at = Timestamp(rfc3339: text) {
      time = (at, "bundle.json")
      return
    }
    var newest = Timestamp(seconds: 0)
    for content in files.values { BundleSource.newest(in: content, &newest, depth: 0) }
    time = (newest, "newest time in the bundle")
  }

  static func newest(in value: JSON, _ newest: inout Timestamp, depth: Int) {
    guard depth < 40 else { return }
    switch value {
    case .string(let text) where text.utf8.count >= 20 && text.utf8.count <= 35:
      if let at = Timestamp(rfc3339: text), at > newest { newest = at }
    case .array(let array): for element in array { BundleSource.newest(in: element, &newest, depth: depth + 1) }
    case .object(let object):
      // A date of expiry or of a certificate lies ahead of the present.
      for field in object.fields where !field.key.lowercased().contains("expir") && field.key != "notAfter" {
        BundleSource.newest(in: field.value, &newest, depth: depth + 1)
      }
    default: break
    }
  }
}
