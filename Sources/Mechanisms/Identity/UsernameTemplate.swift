/// The templates in usernames and groups of mappings.
package enum UsernameTemplate {
  package struct Fault: Error, Equatable {
    package var message: String
  }

  /// Whether rendering asks EC2 for the session's instance.
  package static func needsPrivateDNSName(_ template: String) -> Bool { template.contains("{{EC2PrivateDNSName}}") }

  /// `^i-(\w{8}|\w{17})$`
  package static func isInstanceID(_ sessionName: String) -> Bool {
    guard sessionName.hasPrefix("i-") else { return false }
    let tail = sessionName.utf8.dropFirst(2)
    return (tail.count == 8 || tail.count == 17)
      && tail.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x5f
      }
  }

  /// `privateDNSName` is nil where EC2 has no such instance, empty where the instance has no such name.
  package static func render(
    _ template: String, _ caller: STSIdentity, privateDNSName: String?
  ) throws(Fault) -> String {
    guard template.utf8.contains(UInt8(ascii: "{")) else { return template }
    var text = template
    if needsPrivateDNSName(template) {
      guard isInstanceID(caller.sessionName) else { throw Fault(message: "SessionName did not contain an instance id") }
      let id = caller.sessionName
      guard let privateDNSName else {
        throw Fault(
          message: "failed querying private DNS from EC2 API for node \(id): operation error EC2: DescribeInstances, "
            + "api error InvalidInstanceID.NotFound: The instance ID '\(id)' does not exist ")
      }
      guard !privateDNSName.isEmpty else { throw Fault(message: "failed to find node \(id) ") }
      text = text.replacing("{{EC2PrivateDNSName}}", with: privateDNSName)
    }
    text = text.replacing("{{AccountID}}", with: caller.account)
    text = text.replacing("{{SessionName}}", with: caller.sessionName.replacing("@", with: "-"))
    text = text.replacing("{{SessionNameRaw}}", with: caller.sessionName)
    return text.replacing("{{AccessKeyID}}", with: caller.accessKeyID)
  }
}

extension String {
  /// Every occurrence of one text by another.
  package func replacing(_ old: String, with new: String) -> String {
    guard !old.isEmpty, utf8.count >= old.utf8.count else { return self }
    let bytes = Array(utf8)
    let wanted = Array(old.utf8)
    var out: [UInt8] = []
    var at = 0
    while at < bytes.count {
      if bytes[at] == wanted[0], at + wanted.count <= bytes.count,
        bytes[at..<at + wanted.count].elementsEqual(wanted)
      {
        out.append(contentsOf: new.utf8)
        at += wanted.count
      } else {
        out.append(bytes[at])
        at += 1
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}
