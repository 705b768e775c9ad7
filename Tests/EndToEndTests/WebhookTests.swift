import Foundation
import Testing
import Wire

/// Admission webhooks that really run on this machine, called over TLS by the API server.
@Suite(.serialized, .enabled(if: WebhookServer.isPossible))
struct WebhookTests {
  @Test("A webhook on loopback changes, denies and warns; a wrong authority is not believed")
  func overTLS() throws {
    let eks = try LocalEKSProcess()
    let trust = ThreadTests.trust.replacing("%", with: "eks.amazonaws.com")
    try eks.aws("iam create-role --role-name cluster --assume-role-policy-document \(trust)")
    let subnets = try ThreadTests.subnets(eks).joined(separator: ",")
    try eks.aws(
      "eks create-cluster --name demo --role-arn arn:aws:iam::000000000000:role/cluster --resources-vpc-config subnetIds=\(subnets)"
    )
    try eks.aws("eks wait cluster-active --name demo")
    let updated = try Shell.run("aws", ["eks", "update-kubeconfig", "--name", "demo"], environment: eks.environment)
    try #require(updated.status == 0, "\(updated.all)")

    let server = try WebhookServer()
    func configuration(_ kind: String, _ path: String, authority: String) -> String {
      """
      apiVersion: admissionregistration.k8s.io/v1
      kind: \(kind)WebhookConfiguration
      metadata: {name: hooks}
      webhooks:
      - name: \(path).example.com
        clientConfig: {url: "https://localhost:\(server.port)/\(path)", caBundle: \(authority)}
        rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [configmaps]}]
        sideEffects: None
        timeoutSeconds: 20
        admissionReviewVersions: [v1]

      """
    }
    try eks.kubectl("apply -f -", input: configuration("Mutating", "mutate", authority: server.authority))
    try eks.kubectl("apply -f -", input: configuration("Validating", "validate", authority: server.authority))
    let made = try eks.kubectlOutcome("create configmap good --from-literal=a=b")
    #expect(made.status == 0, "\(made.all)")
    #expect(made.errors.contains("Warning: seen by the webhook"), "\(made.all)")
    #expect(try eks.kubectl("get configmap good -o jsonpath={.data.by}") == "webhook")
    let bad = try eks.kubectlOutcome("create configmap bad")
    #expect(bad.status != 0)
    #expect(
      bad.errors.contains(
        "error: failed to create configmap: admission webhook \"validate.example.com\" denied the request: no bad names"
      ),
      "\(bad.all)")

    // Another authority, and then nobody there.
    let other = try WebhookServer()
    try eks.kubectl("apply -f -", input: configuration("Validating", "validate", authority: other.authority))
    let unknown = try eks.kubectlOutcome("create configmap third")
    #expect(
      unknown.errors.contains(
        "Post \"https://localhost:\(server.port)/validate?timeout=20s\": tls: failed to verify certificate: x509: certificate signed by unknown authority"
      ), "\(unknown.all)")
    try eks.kubectl("delete mutatingwebhookconfiguration hooks")
    try convert(eks, server)
    server.stop()
    let broken = try eks.kubectlOutcome("get widgets.v2.example.com")
    #expect(
      broken.errors
        == "Error from server: conversion webhook for example.com/v1, Kind=Widget failed: Post \"https://localhost:\(server.port)/convert?timeout=30s\": dial tcp 127.0.0.1:\(server.port): connect: connection refused\n",
      "\(broken.all)")
    let refused = try eks.kubectlOutcome("create configmap third")
    #expect(
      refused.errors.contains("dial tcp 127.0.0.1:\(server.port): connect: connection refused"), "\(refused.all)")
    try eks.kubectl("delete validatingwebhookconfiguration hooks")
    try eks.kubectl("create configmap third")
  }

  /// A definition whose versions the webhook converts.
  private func convert(_ eks: LocalEKSProcess, _ server: WebhookServer) throws {
    func version(_ name: String, _ field: String, _ type: String, storage: Bool) -> String {
      """
        - name: \(name)
          served: true
          storage: \(storage)
          schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {\(field): {type: \(type)}}}}}}
          additionalPrinterColumns: [{name: Size, type: \(type), jsonPath: .spec.\(field)}]

      """
    }
    try eks.kubectl(
      "apply -f -",
      input: """
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: widgets.example.com}
        spec:
          group: example.com
          scope: Namespaced
          names: {plural: widgets, kind: Widget}
          conversion:
            strategy: Webhook
            webhook:
              conversionReviewVersions: [v1]
              clientConfig: {url: "https://localhost:\(server.port)/convert", caBundle: \(server.authority)}
          versions:

        """ + version("v1", "size", "integer", storage: true) + version("v2", "dimension", "string", storage: false))
    try eks.kubectl("wait --for=condition=Established crd/widgets.example.com")
    let widget = "apiVersion: example.com/v2\nkind: Widget\nmetadata: {name: w}\nspec: {dimension: 5m}\n"
    try eks.kubectl("apply -f -", input: widget)
    try eks.kubectl("apply --server-side --force-conflicts -f -", input: widget.replacing("5m", with: "6m"))
    #expect(
      try eks.kubectl("get widgets.v1.example.com w -o jsonpath={.apiVersion}{.spec}") == #"example.com/v1{"size":6}"#)
    let listed = try eks.kubectl("get widgets.v2.example.com")
    #expect(listed.hasPrefix("NAME   SIZE\nw      6m"), "\(listed)")
  }
}

/// A small webhook in Python, with a certificate of its own.
private final class WebhookServer {
  static var isPossible: Bool {
    let isPossible = Clients.both && Shell.find("python3") != nil && Shell.find("openssl") != nil
    if !isPossible { print("SKIPPED: a webhook needs aws, kubectl, python3 and openssl") }
    return isPossible
  }

  private let process = Process()
  private let folder: URL
  let port: Int
  /// Its certificate in base64, as a configuration's caBundle.
  let authority: String

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-hook-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let environment = ProcessInfo.processInfo.environment
    let made = try Shell.run(
      "openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
        folder.appendingPathComponent("key.pem").path, "-out", folder.appendingPathComponent("cert.pem").path,
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
      ], environment: environment)
    try #require(made.status == 0, "\(made.all)")
    authority = try Data(contentsOf: folder.appendingPathComponent("cert.pem")).base64EncodedString()
    let script = folder.appendingPathComponent("hook.py")
    try Data(Self.source.utf8).write(to: script)
    process.executableURL = URL(fileURLWithPath: Shell.find("python3") ?? "")
    process.arguments = [script.path, folder.path]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let file = folder.appendingPathComponent("port")
    let deadline = Date(timeIntervalSinceNow: 60)
    var found: Int?
    while found == nil, Date() < deadline {
      found = (try? String(contentsOf: file, encoding: .utf8)).flatMap { Int($0) }
      if found == nil { usleep(5000) }
    }
    port = try #require(found, "the webhook did not start")
  }

  func stop() {
    // A signal mask is inherited, so that nothing else is sure to end it.
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  deinit {
    stop()
    try? FileManager.default.removeItem(at: folder)
  }

  private static let source = """
    import base64, http.server, json, os, ssl, sys

    def convert(thing, version):
        spec = thing.get('spec', {})
        if version.endswith('/v2') and 'size' in spec:
            spec['dimension'] = f"{spec.pop('size')}m"
        elif version.endswith('/v1') and 'dimension' in spec:
            spec['size'] = int(spec.pop('dimension')[:-1])
        return dict(thing, apiVersion=version, spec=spec)

    class Hook(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def do_POST(self):
            review = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
            request = review['request']
            response = {'uid': request['uid'], 'allowed': True}
            if self.path.startswith('/convert'):
                version = request['desiredAPIVersion']
                response = {'uid': request['uid'], 'result': {'status': 'Success'},
                            'convertedObjects': [convert(thing, version) for thing in request['objects']]}
            elif self.path.startswith('/mutate'):
                data = dict(request['object'].get('data') or {}, by='webhook')
                patch = [{'op': 'add', 'path': '/data', 'value': data}]
                response['patchType'] = 'JSONPatch'
                response['patch'] = base64.b64encode(json.dumps(patch).encode()).decode()
                response['warnings'] = ['seen by the webhook']
            elif request['name'] == 'bad':
                response['allowed'] = False
                response['status'] = {'message': 'no bad names'}
            body = json.dumps({'kind': review['kind'], 'apiVersion': review['apiVersion'], 'response': response})
            self.send_response(200)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments):
            pass

    folder = sys.argv[1]
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Hook)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + '/cert.pem', folder + '/key.pem')
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(folder + '/port.new', 'w') as file:
        file.write(str(server.server_port))
    os.rename(folder + '/port.new', folder + '/port')
    server.serve_forever()
    """
}
