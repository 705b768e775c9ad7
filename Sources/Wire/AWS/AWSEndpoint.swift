/// Where a service is reached.
package struct AWSEndpoint: Sendable, Equatable {
  package var scheme: String
  /// Host and port; the scheme's own port is left out, as clients do in the `Host` header.
  package var host: String
  /// The path below which the operations are, without a slash at its end.
  package var path: String

  /// Reads `scheme://host[:port][/path]`.
  package init(_ url: String) {
    var rest = Substring(url)
    if let mark = url.place(of: "://") {
      scheme = String(url[..<mark.lowerBound])
      rest = url[mark.upperBound...]
    } else {
      scheme = "https"
    }
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    var name = rest[..<slash]
    let port = scheme == "https" ? ":443" : ":80"
    if name.hasSuffix(port) { name = name.dropLast(port.utf8.count) }
    host = String(name)
    var tail = rest[slash...]
    while tail.last == "/" { tail = tail.dropLast() }
    path = String(tail)
  }

  package var url: String { "\(scheme)://\(host)\(path)" }

  /// AWS's own endpoint of a service in a region.
  package static func of(_ service: AWSServiceModel, region: String) -> AWSEndpoint {
    if service.id == "eks-auth" { return AWSEndpoint("https://eks-auth.\(region).api.aws") }
    let domain = suffix(region: region)
    // STS has one host for all regions too, but clients use the region's.
    if let global = service.globalEndpoint, service.id != "sts", domain == "amazonaws.com",
      !region.hasPrefix("us-gov-")
    {
      return AWSEndpoint("https://\(global)")
    }
    return AWSEndpoint("https://\(service.endpointPrefix).\(region).\(domain)")
  }

  /// The region to sign with: services with one host for all regions take us-east-1.
  package static func signingRegion(of service: AWSServiceModel, region: String) -> String {
    guard service.globalEndpoint != nil, service.id != "sts", suffix(region: region) == "amazonaws.com",
      !region.hasPrefix("us-gov-")
    else { return region }
    return "us-east-1"
  }

  /// The domain of a region's partition.
  package static func suffix(region: String) -> String {
    if region.hasPrefix("cn-") { return "amazonaws.com.cn" }
    if region.hasPrefix("us-iso-") { return "c2s.ic.gov" }
    if region.hasPrefix("us-isob-") { return "sc2s.sgov.gov" }
    if region.hasPrefix("eu-isoe-") { return "cloud.adc-e.uk" }
    if region.hasPrefix("us-isof-") { return "csp.hci.ic.gov" }
    if region.hasPrefix("eusc-") { return "amazonaws.eu" }
    return "amazonaws.com"
  }
}
