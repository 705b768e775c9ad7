import Foundation
import Testing
import Wire

/// An answer recorded of kube-apiserver 1.36.2.
func golden(_ name: String) throws -> JSON { try JSON.parse(repositoryFile("Tests/Golden/kubernetes/\(name).json")) }

/// A file by its path from the root of the repository.
func repositoryFile(_ path: String) throws -> [UInt8] {
  var root = URL(fileURLWithPath: #filePath)
  for _ in 0..<4 { root.deleteLastPathComponent() }
  return Array(try Data(contentsOf: root.appendingPathComponent(path)))
}

/// Ways to spoil an input, the same in every run.
struct Mutations {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 2 &+ 1 }

  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(max(bound, 1)))
  }

  mutating func spoil(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for _ in 0...below(4) where !bytes.isEmpty {
      let at = below(bytes.count)
      switch below(6) {
      case 0: bytes[at] = UInt8(below(256))
      case 1: bytes.remove(at: at)
      case 2: bytes.insert(UInt8(below(256)), at: at)
      case 3: bytes.removeSubrange(at...)
      case 4: bytes.insert(contentsOf: bytes[at..<min(at + 9, bytes.count)], at: below(bytes.count))
      default: bytes[at] ^= 1 << UInt8(below(8))
      }
    }
    return bytes
  }
}
