import Foundation
import Testing
import Wire

/// Ports that are forwarded over WebSocket and SPDY, and sessions beside them.
@Suite(.serialized, .enabled(if: Clients.both))
struct StreamTests {
  static let pods = """
    apiVersion: v1
    kind: Pod
    metadata:
      name: web
      labels: {app: web}
      annotations:
        containers.ekswhy.dev/main: |
          serves: [{port: 8080, http: [{path: /hello, status: 200, body: hi there}]}, {port: 9000}]
          cpu: 120m
          memory: 64Mi
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: example.com/web, ports: [{name: http, containerPort: 8080}]}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: box}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: busybox, command: [sh, -c, "while read line; do echo got $line; done; sleep 1000"], stdin: true}]
    """

  /// Forwards a port in the background, runs a script that finds it in `$PORT`, and prints what kubectl said.
  static func forward(_ what: String, _ script: String) -> String {
    """
    log=$(mktemp); kubectl port-forward \(what) > $log 2>&1 & pid=$!
    for i in $(seq 400); do grep -q '^Forwarding from 127' $log && break; kill -0 $pid || break; sleep 0.02; done
    PORT=$(sed -n 's/^Forwarding from 127.0.0.1:\\([0-9]*\\) .*/\\1/p' $log | head -1)
    \(script)
    kill $pid 2>/dev/null; wait $pid 2>/dev/null; grep -v '^Forwarding\\|^Handling' $log; rm $log; true
    """
  }

  @Test func streams() async throws {
    let cluster = try await QuickCluster(nodes: 1)
    let eks = cluster.eks
    func bash(_ script: String, _ more: [String: String] = [:]) throws -> Outcome {
      try Shell.run("bash", ["-c", script], environment: eks.environment.merging(more) { $1 }, limit: 60)
    }
    let applied = try Shell.run(
      "kubectl", ["apply", "-f", "-"], environment: eks.environment, input: Self.pods, limit: 60)
    try #require(applied.status == 0, "\(applied.all)")
    try eks.kubectl("wait --for=condition=Ready pod/web pod/box --timeout=60s")

    let old = ["KUBECTL_PORT_FORWARD_WEBSOCKETS": "false", "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"]
    for environment in [[:], old] {
      let twice = try bash(
        Self.forward(
          "pod/web :8080",
          "curl -s http://127.0.0.1:$PORT/hello http://127.0.0.1:$PORT/hello; curl -s -o /dev/null -w ' %{http_code}' http://127.0.0.1:$PORT/no"
        ), environment)
      #expect(twice.output == "hi therehi there 404", "\(environment) \(twice.all)")
      let service = try bash(
        Self.forward("svc/web :80", "curl -s http://127.0.0.1:$PORT/hello"), environment)
      #expect(service.output == "hi there", "\(environment) \(service.all)")
      let said = try bash("kubectl exec box -- sh -c 'echo out; echo err >&2; exit 3'", environment)
      #expect(said.output == "out\n", "\(environment) \(said.all)")
      #expect(said.errors == "err\ncommand terminated with exit code 3\n", "\(environment)")
      #expect(said.status == 3)
      let typed = try bash("seq 2000 | kubectl exec -i box -- sh -c 'wc -l; echo end'", environment)
      #expect(typed.output.split(whereSeparator: \.isWhitespace) == ["2000", "end"], "\(environment) \(typed.all)")
      // The end of the input is told after all of it, and the command goes on.
      let long = try bash("head -c 3000000 /dev/zero | kubectl exec -i box -- sh -c 'wc -c; exit 4'", environment)
      #expect(long.output.split(whereSeparator: \.isWhitespace) == ["3000000"], "\(environment) \(long.all)")
      #expect(long.status == 4, "\(environment) \(long.all)")
      let attached = try bash(
        "echo hi | kubectl run att --image=busybox --restart=Never -i --rm -q -- sh -c 'cat; echo over'", environment)
      #expect(attached.output == "hi\nover\n", "\(environment) \(attached.all)")
      let terminal = try bash(
        "script -qec \"kubectl exec -it box -- sh -c 'test -t 0 && echo terminal; exit 5'\" /dev/null </dev/null",
        environment)
      #expect(terminal.output.contains("terminal\r\n"), "\(environment) \(terminal.all)")
      #expect(terminal.status == 5, "\(environment) \(terminal.all)")
      let missing = try bash("kubectl exec box -- nosuch", environment)
      #expect(
        missing.errors.contains("exec: \"nosuch\": executable file not found in $PATH: unknown"), "\(missing.all)")
    }
  }
}
