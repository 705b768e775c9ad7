/// The name of an image: registry, path, tag.
package enum ImageReference {
  /// The last part without tag and digest.
  package static func base(_ image: String) -> String {
    String((image.split(separator: "/").last ?? "").prefix { $0 != ":" && $0 != "@" })
  }

  /// Whether a reference can be read at all.
  package static func isValid(_ image: String) -> Bool {
    !image.isEmpty
      && image.utf8.allSatisfy { byte in
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || "./:-_@".utf8.contains(byte)
          || (0x41...0x5a).contains(byte)
      } && !(image.prefix { $0 != ":" && $0 != "@" }).contains { $0.isUppercase }
  }

  /// With registry and tag, as containerd resolves it.
  package static func full(_ image: String) -> String {
    var name = image
    let first = name.prefix { $0 != "/" }
    if !name.contains("/") {
      name = "docker.io/library/\(name)"
    } else if !first.contains("."), !first.contains(":"), first != "localhost" {
      name = "docker.io/\(name)"
    }
    let last = name.split(separator: "/").last ?? ""
    return last.contains(":") || last.contains("@") ? name : "\(name):latest"
  }
}
