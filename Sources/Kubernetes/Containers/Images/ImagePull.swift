/// Whether an image can be had, by its name alone: a rule that anyone can use on purpose.
package enum ImagePull {
  private static let marks = [
    "nonexistent", "non-existent", "does-not-exist", "doesnotexist", "no-such", "notfound", "not-found",
    "imagenotexist", "invalid-tag", "bad-tag", ":404",
  ]

  /// How a pull ends where a host gives no connection: the registry, the one that gives credentials, the one that has
  /// the layers, by `place`.
  package static func unreached(_ image: String, _ host: String, _ place: Int, _ dial: String) -> String {
    let full = ImageReference.full(image)
    let registry = String(full.prefix { $0 != "/" })
    let name = full.dropFirst(registry.count + 1)
    let path = name.split(separator: ":").first.map(String.init) ?? String(name)
    let manifest = name.split(separator: ":").dropFirst().first.map(String.init) ?? "latest"
    let start = "failed to pull and unpack image \"\(full)\": "
    switch place {
    case 0:
      return start
        + "failed to resolve reference \"\(full)\": failed to do request: Head \"https://\(host)/v2/\(path)/manifests/\(manifest)\": \(dial)"
    case 1:
      // Without credentials the registry refuses; the kubelet's own log names the host that gives them.
      return start
        + "failed to resolve reference \"\(full)\": unexpected status from HEAD request to https://\(registry)/v2/\(path)/manifests/\(manifest): 401 Unauthorized"
    default:
      return start
        + "failed to copy: httpReadSeeker: failed open: failed to do request: Get \"https://\(host)/\": \(dial)"
    }
  }

  /// Why the image cannot be pulled, in containerd's words; nil when it can. `told` is what an annotation says:
  /// `not-found`, `denied`, `unreachable`, or another text that is taken as it is.
  package static func failure(_ image: String, told: String?) -> String? {
    let full = ImageReference.full(image)
    let registry = String(full.prefix { $0 != "/" })
    let tag = full.dropFirst(registry.count + 1)
    func resolve(_ why: String) -> String {
      "failed to pull and unpack image \"\(full)\": failed to resolve reference \"\(full)\": \(why)"
    }
    let notFound = "rpc error: code = NotFound desc = " + resolve("\(full): not found")
    let denied = resolve(
      "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
    )
    let path = tag.split(separator: ":").first.map(String.init) ?? String(tag)
    let manifest = tag.split(separator: ":").dropFirst().first.map(String.init) ?? "latest"
    let unreachable = resolve(
      "failed to do request: Head \"https://\(registry)/v2/\(path)/manifests/\(manifest)\": dial tcp: lookup \(registry): no such host"
    )
    switch told {
    case "not-found": return notFound
    case "denied": return denied
    case "unreachable": return unreachable
    case "ok": return nil
    case .some(let text): return text
    case nil: break
    }
    let name = image.lowercased()
    if registry.hasSuffix(".invalid") || registry.hasPrefix("invalid.") || registry.hasPrefix("nonexistent.") {
      return unreachable
    }
    guard marks.contains(where: name.contains) else { return nil }
    let repository = full.lowercased().split(separator: ":").dropLast().joined(separator: ":")
    return marks.contains(where: repository.contains) ? denied : notFound
  }
}
