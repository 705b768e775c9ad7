import Foundation
import Wire

/// Tokens that must let nobody in, made from ones that do.
enum TokenAbuse {
  /// An IAM token, each of whose parts was changed once; what it was and the token.
  static func iam(_ good: String) throws -> [(what: String, token: String)] {
    let url = String(decoding: try GoBase64.rawURLDecode(good.dropFirst("k8s-aws-v1.".count)), as: UTF8.self)
    func token(_ url: String) -> String { "k8s-aws-v1." + GoBase64.rawURLEncode(Array(url.utf8)) }
    let mark = url.firstIndex(of: "?")!
    let base = String(url[..<mark])
    let pairs = url[url.index(after: mark)...].split(separator: "&").map(String.init)
    var all: [(what: String, token: String)] = []
    func add(_ what: String, _ pairs: [String], base other: String? = nil) {
      all.append((what, token("\(other ?? base)?\(pairs.joined(separator: "&"))")))
    }
    for (index, pair) in pairs.enumerated() {
      let name = String(pair.prefix { $0 != "=" })
      var left = pairs
      left.remove(at: index)
      add("without \(name)", left)
      var twice = pairs
      twice.append(pair)
      add("with \(name) twice", twice)
      var changed = pairs
      // Another value of the same kind.
      let value = String(pair.dropFirst(name.count + 1))
      let other: String =
        switch name {
        case "X-Amz-Date": String(value.dropLast(2)) + (value.hasSuffix("0Z") ? "1Z" : "0Z")
        case "X-Amz-Expires": "61"
        case "X-Amz-Credential": value.replacing("us-east-1", with: "us-west-2")
        case "X-Amz-Signature": String(value.dropLast()) + (value.hasSuffix("0") ? "1" : "0")
        case "X-Amz-SignedHeaders": "x-k8s-aws-id%3Bhost"
        case "Action": "GetSessionToken"
        case "Version": "2011-06-16"
        default: value + "x"
        }
      changed[index] = "\(name)=\(other)"
      add("with another \(name)", changed)
    }
    add("with a parameter more", pairs + ["RoleArn=x"])
    add("with a session's token added", pairs + ["X-Amz-Security-Token=x"])
    add("in another order", pairs.reversed().map { $0.lowercased() })
    add("for another path", pairs, base: base + "x")
    add("for another partition", pairs, base: "https://sts.cn-north-1.amazonaws.com.cn/")
    add("for a host that looks like STS", pairs, base: "https://sts.us-east-1.amazonaws.com.evil.example/")
    all.append(("with the other prefix", "k8s-aws-v2." + good.dropFirst("k8s-aws-v1.".count)))
    all.append(("encoded with padding", good + "="))
    all.append(("twice encoded", "k8s-aws-v1." + GoBase64.rawURLEncode(Array(good.utf8))))
    return all
  }

  /// A service account's token, each of whose claims was changed once, and whose algorithm was.
  static func serviceAccount(_ good: String) throws -> [(what: String, token: String)] {
    let parts = good.split(separator: ".").map(String.init)
    guard parts.count == 3 else { return [] }
    let header = try JSON.parse(GoBase64.rawURLDecode(parts[0]))
    let claims = try JSON.parse(GoBase64.rawURLDecode(parts[1]))
    func encode(_ json: JSON) -> String { GoBase64.rawURLEncode(json.bytes()) }
    var all: [(what: String, token: String)] = []
    for claim in claims.fields {
      var changed = claims
      switch claim.key {
      case "exp": changed["exp"] = 4_102_444_800
      case "iat", "nbf": changed[claim.key] = 1
      case "aud": changed["aud"] = ["https://elsewhere"]
      case "sub": changed["sub"] = "system:serviceaccount:kube-system:admin"
      default: changed[claim.key] = "x"
      }
      all.append(("with another \(claim.key)", "\(parts[0]).\(encode(changed)).\(parts[2])"))
    }
    for algorithm in ["none", "HS256", "RS384", "ES256"] {
      var other = header
      other["alg"] = .string(algorithm)
      all.append(("as \(algorithm)", "\(encode(other)).\(parts[1]).\(algorithm == "none" ? "" : parts[2])"))
    }
    all.append(("without signature", "\(parts[0]).\(parts[1])."))
    all.append(("cut short", String(good.dropLast(4))))
    all.append(("oversized", "\(parts[0]).\(String(repeating: "A", count: 20_000)).\(parts[2])"))
    return all
  }
}
