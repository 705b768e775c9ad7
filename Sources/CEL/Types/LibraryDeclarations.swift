/// What Kubernetes adds to CEL: each library with the version that brought it.
enum LibraryDeclarations {
  static let strings = """
    .charAt(string, int) -> string
    .indexOf(string, string) -> int
    .indexOf(string, string, int) -> int
    .join(list(string)) -> string
    .join(list(string), string) -> string
    .lastIndexOf(string, string) -> int
    .lastIndexOf(string, string, int) -> int
    .lowerAscii(string) -> string
    .replace(string, string, string) -> string
    .replace(string, string, string, int) -> string
    .split(string, string) -> list(string)
    .split(string, string, int) -> list(string)
    .substring(string, int) -> string
    .substring(string, int, int) -> string
    .trim(string) -> string
    .upperAscii(string) -> string
    """

  /// Since 1.29.
  static let newerStrings = """
    .format(string, list(dyn)) -> string
    strings.quote(string) -> string
    """

  static let urls = """
    url(string) -> kubernetes.URL
    isURL(string) -> bool
    .getScheme(kubernetes.URL) -> string
    .getHost(kubernetes.URL) -> string
    .getHostname(kubernetes.URL) -> string
    .getPort(kubernetes.URL) -> string
    .getEscapedPath(kubernetes.URL) -> string
    .getQuery(kubernetes.URL) -> map(string, list(string))
    """

  static let regex = """
    .find(string, string) -> string
    .findAll(string, string) -> list(string)
    .findAll(string, string, int) -> list(string)
    """

  static let lists: String =
    """
    .indexOf(list(A), A) -> int
    .lastIndexOf(list(A), A) -> int

    """
    + ["int", "uint", "double", "duration"].map { ".sum(list(\($0))) -> \($0)\n" }.joined()
    + ["bool", "int", "uint", "double", "string", "bytes", "duration", "timestamp"].map {
      ".isSorted(list(\($0))) -> bool\n.max(list(\($0))) -> \($0)\n.min(list(\($0))) -> \($0)\n"
    }.joined()

  /// Since 1.27.
  static let authorizer = """
    .path(kubernetes.authorization.Authorizer, string) -> kubernetes.authorization.PathCheck
    .check(kubernetes.authorization.PathCheck, string) -> kubernetes.authorization.Decision
    .group(kubernetes.authorization.Authorizer, string) -> kubernetes.authorization.GroupCheck
    .serviceAccount(kubernetes.authorization.Authorizer, string, string) -> kubernetes.authorization.Authorizer
    .resource(kubernetes.authorization.GroupCheck, string) -> kubernetes.authorization.ResourceCheck
    .subresource(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
    .namespace(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
    .name(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
    .check(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.Decision
    .errored(kubernetes.authorization.Decision) -> bool
    .error(kubernetes.authorization.Decision) -> string
    .allowed(kubernetes.authorization.Decision) -> bool
    .reason(kubernetes.authorization.Decision) -> string
    """

  /// Since 1.31.
  static let authorizerSelectors = """
    .fieldSelector(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
    .labelSelector(kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
    """

  /// Since 1.28.
  static let quantity = """
    quantity(string) -> kubernetes.Quantity
    isQuantity(string) -> bool
    .sign(kubernetes.Quantity) -> int
    .isGreaterThan(kubernetes.Quantity, kubernetes.Quantity) -> bool
    .isLessThan(kubernetes.Quantity, kubernetes.Quantity) -> bool
    .compareTo(kubernetes.Quantity, kubernetes.Quantity) -> int
    .asApproximateFloat(kubernetes.Quantity) -> double
    .asInteger(kubernetes.Quantity) -> int
    .isInteger(kubernetes.Quantity) -> bool
    .add(kubernetes.Quantity, kubernetes.Quantity) -> kubernetes.Quantity
    .add(kubernetes.Quantity, int) -> kubernetes.Quantity
    .sub(kubernetes.Quantity, kubernetes.Quantity) -> kubernetes.Quantity
    .sub(kubernetes.Quantity, int) -> kubernetes.Quantity
    """

  /// Since 1.29.
  static let sets = """
    sets.contains(list(A), list(A)) -> bool
    sets.equivalent(list(A), list(A)) -> bool
    sets.intersects(list(A), list(A)) -> bool
    """

  /// Since 1.30.
  static let addresses = """
    ip(string) -> net.IP
    isIP(string) -> bool
    ip.isCanonical(string) -> bool
    string(net.IP) -> string
    .family(net.IP) -> int
    .isUnspecified(net.IP) -> bool
    .isLoopback(net.IP) -> bool
    .isLinkLocalMulticast(net.IP) -> bool
    .isLinkLocalUnicast(net.IP) -> bool
    .isGlobalUnicast(net.IP) -> bool
    cidr(string) -> net.CIDR
    isCIDR(string) -> bool
    string(net.CIDR) -> string
    .containsIP(net.CIDR, string) -> bool
    .containsIP(net.CIDR, net.IP) -> bool
    .containsCIDR(net.CIDR, string) -> bool
    .containsCIDR(net.CIDR, net.CIDR) -> bool
    .ip(net.CIDR) -> net.IP
    .masked(net.CIDR) -> net.CIDR
    .prefixLength(net.CIDR) -> int
    """

  /// Since 1.31.
  static let formats: String =
    """
    format.named(string) -> optional(kubernetes.NamedFormat)
    .validate(kubernetes.NamedFormat, string) -> optional(list(string))

    """
    + Formats.names.map { "format.\($0)() -> kubernetes.NamedFormat\n" }.joined()

  /// Since 1.33.
  static let semver = """
    semver(string) -> kubernetes.Semver
    semver(string, bool) -> kubernetes.Semver
    isSemver(string) -> bool
    isSemver(string, bool) -> bool
    .major(kubernetes.Semver) -> int
    .minor(kubernetes.Semver) -> int
    .patch(kubernetes.Semver) -> int
    .isGreaterThan(kubernetes.Semver, kubernetes.Semver) -> bool
    .isLessThan(kubernetes.Semver, kubernetes.Semver) -> bool
    .compareTo(kubernetes.Semver, kubernetes.Semver) -> int
    """

  /// Of policies that patch.
  static let patches = "jsonpatch.escapeKey(string) -> string"
}
