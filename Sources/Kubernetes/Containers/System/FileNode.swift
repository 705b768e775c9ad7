package import Wire

/// A file, directory or link.
package struct FileNode: Codable, Sendable {
  package enum Content: Sendable, Equatable {
    case bytes([UInt8])
    case directory
    case link(String)
    /// A program of the image: it runs, and there is nothing to read in it.
    case program
    /// A service account's token that has not been asked for yet.
    case token
  }

  package var content: Content
  package var mode: Int
  package var owner = 0
  package var group = 0
  package var changedAt: Timestamp

  package init(_ content: Content, mode: Int? = nil, owner: Int = 0, group: Int = 0, at time: Timestamp) {
    self.content = content
    self.owner = owner
    self.group = group
    changedAt = time
    switch content {
    case .directory, .program: self.mode = mode ?? 0o755
    case .link: self.mode = 0o777
    case .bytes, .token: self.mode = mode ?? 0o644
    }
  }

  var isDirectory: Bool { content == .directory }
  var size: Int {
    switch content {
    case .bytes(let bytes): bytes.count
    case .directory: 4096
    case .link(let target): target.utf8.count
    case .program: 65_536
    case .token: 0
    }
  }

  // MARK: - Saved form

  private enum CodingKeys: String, CodingKey {
    case text, data, kind, link, mode, owner, group, at
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    if let text = try values.decodeIfPresent(String.self, forKey: .text) {
      content = .bytes(Array(text.utf8))
    } else if let data = try values.decodeIfPresent(String.self, forKey: .data) {
      content = .bytes(Base64.decode(data) ?? [])
    } else if let link = try values.decodeIfPresent(String.self, forKey: .link) {
      content = .link(link)
    } else {
      switch try values.decodeIfPresent(String.self, forKey: .kind) {
      case "program": content = .program
      case "token": content = .token
      default: content = .directory
      }
    }
    mode = try values.decode(Int.self, forKey: .mode)
    owner = try values.decodeIfPresent(Int.self, forKey: .owner) ?? 0
    group = try values.decodeIfPresent(Int.self, forKey: .group) ?? 0
    changedAt = try values.decode(Timestamp.self, forKey: .at)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    switch content {
    case .bytes(let bytes):
      if let text = String(validating: bytes, as: UTF8.self) {
        try values.encode(text, forKey: .text)
      } else {
        try values.encode(Base64.encode(bytes), forKey: .data)
      }
    case .link(let target): try values.encode(target, forKey: .link)
    case .directory: break
    case .program: try values.encode("program", forKey: .kind)
    case .token: try values.encode("token", forKey: .kind)
    }
    try values.encode(mode, forKey: .mode)
    if owner != 0 { try values.encode(owner, forKey: .owner) }
    if group != 0 { try values.encode(group, forKey: .group) }
    try values.encode(changedAt, forKey: .at)
  }
}

/// Files by their paths from a root, `/` itself left out.
package struct FileTree: Codable, Sendable {
  package var nodes: [String: FileNode] = [:]

  package init() {}

  /// Puts a node and the directories above it that are not there.
  package mutating func put(_ path: String, _ node: FileNode) {
    var parent = FilePath.parent(path)
    while parent != "/", nodes[parent] == nil {
      nodes[parent] = FileNode(.directory, owner: node.owner, group: node.group, at: node.changedAt)
      parent = FilePath.parent(parent)
    }
    nodes[path] = node
  }

  package init(from decoder: any Decoder) throws {
    nodes = try decoder.singleValueContainer().decode([String: FileNode].self)
  }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(nodes)
  }
}

enum FilePath {
  /// Without `.`, `..` and doubled slashes; relative ones begin at `base`.
  static func normal(_ path: String, from base: String) -> String {
    var parts: [Substring] = path.hasPrefix("/") ? [] : base.split(separator: "/")
    for part in path.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }

  static func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  static func name(_ path: String) -> String {
    String(path.split(separator: "/").last ?? "/")
  }

  static func join(_ directory: String, _ name: String) -> String {
    directory == "/" ? "/" + name : directory + "/" + name
  }
}

/// Why a call on a file failed, in the words of `strerror`.
enum FileFault: String, Error {
  case notFound = "No such file or directory"
  case isDirectory = "Is a directory"
  case notDirectory = "Not a directory"
  case denied = "Permission denied"
  case readOnly = "Read-only file system"
  case full = "No space left on device"
  case exists = "File exists"
  case notEmpty = "Directory not empty"
  case loop = "Too many levels of symbolic links"
  case busy = "Device or resource busy"
  case badDescriptor = "Bad file descriptor"
  case noDevice = "No such device or address"
  case invalid = "Invalid argument"
  /// Not of `strerror`: the file's content is on its way, and the call is made again once it is there.
  case pending = "Resource temporarily unavailable"
}
