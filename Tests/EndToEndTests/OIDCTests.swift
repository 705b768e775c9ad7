import Foundation
import Testing
import Wire

/// An OpenID Connect provider that really runs on this machine, whose users kubectl is.
@Suite(.serialized, .enabled(if: Issuer.isPossible))
struct OIDCTests {
  @Test("A provider on loopback is associated, believed by its keys, and let go")
  func provider() async throws {
    let issuer = try Issuer()
    let cluster = try await QuickCluster(nodes: 0, ["--trust-ca", issuer.authority])
    let eks = cluster.eks
    let config: JSON = [
      "identityProviderConfigName": "local", "issuerUrl": .string(issuer.url), "clientId": "kubernetes",
      "usernameClaim": "email", "groupsClaim": "groups", "groupsPrefix": "oidc:",
      "requiredClaims": ["hd": "example.com"],
    ]
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("oidc-\(UUID().uuidString).json")
    try Data(config.bytes()).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    try eks.aws("eks associate-identity-provider-config --cluster-name demo --oidc file://\(file.path)")
    let name = "--cluster-name demo --identity-provider-config type=oidc,name=local"
    func status() throws -> String {
      try eks.aws("eks describe-identity-provider-config \(name)")["identityProviderConfig"]["oidc"]["status"].string
        ?? ""
    }
    for _ in 0..<50 {
      if try status() == "ACTIVE" { break }
      usleep(100_000)
    }
    try #require(try status() == "ACTIVE")

    func whoami(_ token: String) throws -> Outcome {
      try eks.kubectlOutcome("auth whoami -o json --token \(token)")
    }
    let token = try issuer.token("rsa")
    let me = try whoami(token)
    try #require(me.status == 0, "\(me.all)")
    let info = try JSON.parse(Array(me.output.utf8))["status"]["userInfo"]
    #expect(info["username"].string == "bob@example.com")
    #expect(info["groups"].strings == ["oidc:dev", "system:authenticated"])
    // A key that came after the set was fetched, of another kind.
    #expect(try whoami(issuer.token("ec")).status == 0)
    let refused = try eks.kubectlOutcome("get pods --token \(token)")
    #expect(
      refused.errors.contains(
        "pods is forbidden: User \"bob@example.com\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
      ), "\(refused.all)")
    _ = try eks.kubectlOutcome("create rolebinding dev --clusterrole view --group oidc:dev")
    #expect(try eks.kubectlOutcome("get pods --token \(token)").status == 0)

    #expect(try whoami(issuer.token("rsa", #"{"exp": 1}"#)).errors.contains("Unauthorized"))
    let parts = token.split(separator: ".")
    #expect(try whoami("\(parts[0]).\(parts[1]).\(String(parts[2].reversed()))").errors.contains("Unauthorized"))

    try eks.aws("eks disassociate-identity-provider-config \(name)")
    #expect(try whoami(token).errors.contains("Unauthorized"))
  }
}

/// A small provider in Python, which signs with openssl's keys.
private final class Issuer {
  static var isPossible: Bool {
    let isPossible = Clients.both && Shell.find("python3") != nil && Shell.find("openssl") != nil
    if !isPossible { print("SKIPPED: an OpenID Connect provider needs aws, kubectl, python3 and openssl") }
    return isPossible
  }

  private let process = Process()
  private let folder: URL
  let url: String
  var authority: String { folder.appendingPathComponent("cert.pem").path }

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-issuer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(Self.source.utf8).write(to: folder.appendingPathComponent("issuer.py"))
    process.executableURL = URL(fileURLWithPath: Shell.find("python3") ?? "")
    process.arguments = [folder.appendingPathComponent("issuer.py").path, "serve", folder.path]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let file = folder.appendingPathComponent("url")
    let deadline = Date(timeIntervalSinceNow: 60)
    var found: String?
    while found == nil, Date() < deadline {
      found = try? String(contentsOf: file, encoding: .utf8)
      if found == nil { usleep(5000) }
    }
    url = try #require(found, "the issuer did not start")
  }

  /// An ID token signed with a key; what is given of claims stands over those of a good one.
  func token(_ key: String, _ claims: String = "{}") throws -> String {
    let made = try Shell.run(
      "python3", [folder.appendingPathComponent("issuer.py").path, "token", folder.path, key, claims],
      environment: ProcessInfo.processInfo.environment)
    try #require(made.status == 0, "\(made.all)")
    return made.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  deinit {
    // A signal mask is inherited, so that nothing else is sure to end it.
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: folder)
  }

  private static let source = """
    import base64, http.server, json, os, ssl, subprocess, sys, time

    def b64(data): return base64.urlsafe_b64encode(data).rstrip(b'=').decode()
    def run(*arguments, **more): return subprocess.run(arguments, check=True, capture_output=True, **more).stdout

    command, folder = sys.argv[1:3]
    def path(name): return os.path.join(folder, name)

    def key(kind):
        file = path(kind + '.pem')
        if not os.path.exists(file):
            how = ['rsa', '-pkeyopt', 'rsa_keygen_bits:2048'] if kind == 'rsa' else \\
                ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
            run('openssl', 'genpkey', '-algorithm', *how, '-out', file)
        return file

    def jwk(kind):
        if kind == 'rsa':
            modulus = run('openssl', 'rsa', '-in', key(kind), '-noout', '-modulus').decode().strip().split('=')[1]
            return {'kty': 'RSA', 'kid': kind, 'n': b64(bytes.fromhex(modulus)), 'e': 'AQAB'}
        point = run('openssl', 'ec', '-in', key(kind), '-pubout', '-outform', 'DER')[-64:]
        return {'kty': 'EC', 'crv': 'P-256', 'kid': kind, 'x': b64(point[:32]), 'y': b64(point[32:])}

    def raw(der):
        at, parts = 2, []
        for _ in range(2):
            size = der[at + 1]
            parts.append(int.from_bytes(der[at + 2:at + 2 + size], 'big').to_bytes(32, 'big'))
            at += 2 + size
        return b''.join(parts)

    class Provider(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def do_GET(self):
            if self.path == '/.well-known/openid-configuration':
                answer = {'issuer': url, 'jwks_uri': url + '/keys'}
            else:
                answer = {'keys': [jwk(kind) for kind in ('rsa', 'ec') if os.path.exists(path(kind + '.pem'))]}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    if command == 'serve':
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout',
            path('key.pem'), '-out', path('cert.pem'), '-days', '2', '-subj', '/CN=localhost', '-addext',
            'subjectAltName=DNS:localhost,IP:127.0.0.1')
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Provider)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path('cert.pem'), path('key.pem'))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = 'https://localhost:%d' % server.server_port
        with open(path('url.new'), 'w') as file:
            file.write(url)
        os.rename(path('url.new'), path('url'))
        server.serve_forever()
    else:
        kind, more = sys.argv[3:5]
        claims = {'iss': open(path('url')).read(), 'aud': 'kubernetes', 'sub': '42', 'email': 'bob@example.com',
                  'hd': 'example.com', 'groups': ['dev'], 'exp': int(time.time()) + 600}
        claims.update(json.loads(more))
        header = {'alg': 'RS256' if kind == 'rsa' else 'ES256', 'kid': kind}
        signed = b64(json.dumps(header).encode()) + '.' + b64(json.dumps(claims).encode())
        signature = run('openssl', 'dgst', '-sha256', '-sign', key(kind), input=signed.encode())
        print(signed + '.' + b64(signature if kind == 'rsa' else raw(signature)))
    """
}
