package import Wire

/// Which hosts a token may point at.
package enum STSHost {
  package enum Refusal: Error {
    /// Which test, and the text after the prefix of every token error.
    case refused(String, String)
    case open([Gap])
  }

  /// Whether the URL stands under one of the origins that the local environment prints.
  static func isLocal(_ url: GoURL, _ origins: Fact<[String]>) -> Truth {
    switch origins {
    case .unknown(let gap): .open([gap])
    case .known(let origins, _): Truth(origins.contains("\(url.scheme)://\(url.host)"))
    }
  }

  /// The scheme's test and the host's: the region of the endpoint, `global` for the one without.
  package static func endpoint(
    _ url: GoURL, _ partition: Fact<String>, _ verifierRegion: Fact<String>
  ) -> Result<String, Refusal> {
    guard url.scheme == "https" else {
      return .failure(.refused("scheme", "unexpected scheme \(GoText.quote(url.scheme)) in pre-signed URL"))
    }
    return region(url, partition, verifierRegion)
  }

  static func region(
    _ url: GoURL, _ partition: Fact<String>, _ verifierRegion: Fact<String>
  ) -> Result<String, Refusal> {
    let host = url.host
    let labels = host.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard labels.count >= 3 else {
      let why = host.isEmpty ? "host is empty" : "invalid host format: \(host)"
      return .failure(.refused("host", "could not parse region for pre-signed URL \(host), \(why)"))
    }
    if host == "sts.amazonaws.com" {
      guard let partition = partition.value else { return .failure(.open([partition.gap!])) }
      guard partition == "aws" else {
        return .failure(.refused("host", "global endpoint unsupported in partition \(partition)"))
      }
      return .success("global")
    }
    let region = labels[1]
    guard isRegionIdentifier(region) else {
      return .failure(.refused("host", "invalid region identifier format provided: \(region)"))
    }
    guard let partitionID = partition.value else { return .failure(.open([partition.gap!])) }
    let known = Partition.named(partitionID) ?? Partition.all[0]
    let suffix = labels[2...].joined(separator: ".")
    if resolved(region).contains(host) {
      guard suffix == known.domain || suffix == known.dualStackDomain else {
        return .failure(.refused("host", "partition {\(partitionID)} does not support hostname \(host)"))
      }
      return .success(region)
    }
    guard let own = verifierRegion.value else {
      let couldBe = labels[0] == "sts" && (suffix == known.domain || suffix == known.dualStackDomain)
      return couldBe
        ? .failure(.open([verifierRegion.gap!]))
        : .failure(.refused("host", "unexpected hostname \(GoText.quote(host)) in pre-signed URL"))
    }
    if host == "sts.\(own).\(known.domain)" || known.dualStackDomain.map({ host == "sts.\(own).\($0)" }) == true {
      return .success(region)
    }
    return .failure(.refused("host", "unexpected hostname \(GoText.quote(host)) in pre-signed URL"))
  }

  /// What AWS's SDK resolves for STS in a region: with and without FIPS, with and without dual stack.
  private static func resolved(_ region: String) -> [String] {
    let partition = Partition.of(region: region)
    let fips = partition.id == "aws-us-gov" ? "sts" : "sts-fips"
    var hosts = ["sts.\(region).\(partition.domain)", "\(fips).\(region).\(partition.domain)"]
    if let dual = partition.dualStackDomain { hosts += ["sts.\(region).\(dual)", "sts-fips.\(region).\(dual)"] }
    return hosts
  }

  /// `^[[:alnum:]]([[:alnum:]\-]*[[:alnum:]])?$`
  private static func isRegionIdentifier(_ text: String) -> Bool {
    func alphanumeric(_ byte: UInt8) -> Bool {
      (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
    guard let first = text.utf8.first, let last = text.utf8.last, alphanumeric(first), alphanumeric(last) else {
      return false
    }
    return text.utf8.allSatisfy { alphanumeric($0) || $0 == 0x2d }
  }
}
