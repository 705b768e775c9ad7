import Wire

/// A list of objects in the form in which they are kept, put together from their bytes: nothing is parsed.
struct KeptList {
  private let row: KubeResource
  private let kind: [UInt8]
  private let apiVersion: [UInt8]

  init(_ row: KubeResource) {
    self.row = row
    kind = Array("\"kind\":\"\(row.kind)\",".utf8)
    apiVersion = Array("\"apiVersion\":\"\(row.apiVersion)\",".utf8)
  }

  func bytes(_ objects: [StoredObject], metadata: JSON) -> [UInt8] {
    let head: JSON = [
      "kind": .string(row.listKind), "apiVersion": .string(row.apiVersion), "metadata": metadata,
    ]
    var out = head.bytes(.go)
    out.reserveCapacity(out.count + objects.reduce(16) { $0 + $1.bytes.count })
    out.removeLast()
    out += Array(",\"items\":[".utf8)
    for (index, object) in objects.enumerated() {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      append(object, to: &out)
    }
    out += Array("]}\n".utf8)
    return out
  }

  /// Items of a typed list say neither kind nor version, which most often come first.
  private func append(_ object: StoredObject, to out: inout [UInt8]) {
    let bytes = object.bytes
    var start = 1
    var skipped = 0
    for field in [kind, apiVersion, kind] where skipped < 2 && has(field, bytes, at: start) {
      start += field.count
      skipped += 1
    }
    guard skipped == 2 else {
      var json = object.json
      json.remove("kind")
      json.remove("apiVersion")
      return json.write(to: &out, .go, level: 0)
    }
    out.append(UInt8(ascii: "{"))
    out += bytes[start...]
  }

  private func has(_ field: [UInt8], _ bytes: [UInt8], at start: Int) -> Bool {
    guard start + field.count <= bytes.count else { return false }
    return bytes[start..<(start + field.count)].elementsEqual(field)
  }
}
