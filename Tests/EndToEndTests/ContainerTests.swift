import Foundation
import Testing
import Wire

/// Containers as kubectl and the Python client see them from inside.
@Suite(.serialized, .enabled(if: Clients.both))
struct ContainerTests {
  static let pods = """
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings}
    data: {colour: blue}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: box}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: busybox
          command: [sh, -c, "echo started $COLOUR; while true; do sleep 1; done"]
          env: [{name: COLOUR, valueFrom: {configMapKeyRef: {name: settings, key: colour}}}]
          volumeMounts: [{name: config, mountPath: /etc/settings}, {name: shared, mountPath: /shared}]
        - name: side
          image: nginx
          volumeMounts: [{name: shared, mountPath: /shared}]
      volumes: [{name: config, configMap: {name: settings}}, {name: shared, emptyDir: {}}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: once}
    spec:
      restartPolicy: Never
      containers: [{name: main, image: busybox, command: [sh, -c, "echo out; echo err >&2; sleep 1; exit 3"]}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: bare}
    spec:
      containers: [{name: main, image: coredns/coredns}]
    """

  @Test func insideOfContainers() throws {
    let eks = try LocalEKSProcess()
    try ThreadTests.cluster(eks, nodes: 1)
    func kubectl(_ arguments: [String], input: String? = nil) throws -> Outcome {
      try Shell.run("kubectl", arguments, environment: eks.environment, input: input, limit: 60)
    }
    let applied = try kubectl(["apply", "-f", "-"], input: Self.pods)
    try #require(applied.status == 0, "\(applied.all)")
    let ready = try kubectl(["wait", "--for=condition=Ready", "pod/box", "pod/bare", "--timeout=60s"])
    try #require(ready.status == 0, "\(ready.all)")

    func exec(_ command: [String], container: String = "main", input: String? = nil) throws -> Outcome {
      try kubectl(["exec"] + (input == nil ? [] : ["-i"]) + ["box", "-c", container, "--"] + command, input: input)
    }
    #expect(try exec(["echo", "hi"]).output == "hi\n")
    let failed = try exec(["sh", "-c", "echo out; echo err >&2; exit 7"])
    #expect(failed.output == "out\n")
    #expect(failed.errors == "err\ncommand terminated with exit code 7\n")
    #expect(failed.status == 7)
    #expect(try exec(["sh", "-c", "cat | tr a-z A-Z"], input: "one\ntwo\n").output == "ONE\nTWO\n")
    #expect(try exec(["cat", "/etc/settings/colour"]).output == "blue")
    #expect(try exec(["printenv", "COLOUR", "KUBERNETES_SERVICE_PORT"]).output == "blue\n443\n")
    #expect(try exec(["hostname"]).output == "box\n")
    #expect(
      try exec(["cat", "/etc/resolv.conf"]).output.hasPrefix("search default.svc.cluster.local svc.cluster.local "))
    let token = try exec(["cat", "/var/run/secrets/kubernetes.io/serviceaccount/token"]).output
    #expect(token.split(separator: ".").count == 3)
    // Two containers of a pod share what is in an emptyDir, and nothing else.
    #expect(try exec(["sh", "-c", "echo shared > /shared/file; echo own > /tmp/file"]).status == 0)
    #expect(try exec(["cat", "/shared/file"], container: "side").output == "shared\n")
    #expect(try exec(["cat", "/tmp/file"], container: "side").status == 1)

    let missing = try exec(["nosuch"])
    #expect(missing.errors.contains("exec: \"nosuch\": executable file not found in $PATH"), "\(missing.all)")
    let shell = try kubectl(["exec", "bare", "--", "sh"])
    #expect(shell.errors.contains("exec: \"sh\": executable file not found in $PATH"), "\(shell.all)")
    let container = try kubectl(["exec", "box", "-c", "none", "--", "true"])
    #expect(container.errors.contains("container none is not valid for pod box"), "\(container.all)")
    let pod = try kubectl(["exec", "none", "--", "true"])
    #expect(pod.errors == "Error from server (NotFound): pods \"none\" not found\n")

    // Files there and back.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-cp-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try "line\n".write(to: folder.appendingPathComponent("there"), atomically: true, encoding: .utf8)
    let copied = try kubectl(["cp", folder.path + "/there", "box:/tmp/there", "-c", "main"])
    #expect(copied.status == 0, "\(copied.all)")
    #expect(try exec(["cat", "/tmp/there"]).output == "line\n")
    _ = try kubectl(["cp", "box:/tmp/there", folder.path + "/back", "-c", "main"])
    #expect((try? String(contentsOf: folder.appendingPathComponent("back"), encoding: .utf8)) == "line\n")

    // What a script writes is its log, and how it ends its code.
    #expect(try kubectl(["logs", "box", "-c", "main"]).output == "started blue\n")
    let ended = try kubectl(["wait", "--for=jsonpath={.status.phase}=Failed", "pod/once", "--timeout=30s"])
    #expect(ended.status == 0, "\(ended.all)")
    #expect(try kubectl(["logs", "once"]).output == "out\nerr\n")
    #expect(
      try kubectl(["get", "pod", "once", "-o", "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}"])
        .output
        == "3")

    try pythonClient(eks)
  }

  /// The idioms of the PyPI `kubernetes` package, with the interpreter that `EKSWHY_PYTHON` names.
  private func pythonClient(_ eks: LocalEKSProcess) throws {
    let python = ProcessInfo.processInfo.environment["EKSWHY_PYTHON"] ?? "python3"
    let present = try Shell.run(python, ["-c", "import kubernetes"], environment: eks.environment)
    guard present.status == 0 else {
      print("SKIPPED: the Python package `kubernetes` is not installed; its idioms are not checked")
      return
    }
    let script = """
      from kubernetes import client, config, watch, dynamic
      from kubernetes.stream import stream
      config.load_kube_config()
      api = client.CoreV1Api()
      print(stream(api.connect_get_namespaced_pod_exec, 'box', 'default', container='main',
        command=['sh', '-c', 'echo from python; exit 0'], stderr=True, stdin=False, stdout=True, tty=False).strip())
      session = stream(api.connect_get_namespaced_pod_exec, 'box', 'default', container='main', command=['sh'],
        stderr=True, stdin=True, stdout=True, tty=False, _preload_content=False)
      session.write_stdin('echo one; echo two >&2; exit 5\\n')
      session.run_forever(timeout=10)
      print(session.read_stdout().strip(), session.read_stderr().strip(), session.returncode)
      seen = [e['object'].metadata.name for e in watch.Watch().stream(api.list_namespaced_pod, 'default', timeout_seconds=1)]
      print(sorted(set(seen)))
      pods = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version='v1', kind='Pod')
      print(pods.get(name='box', namespace='default').spec.containers[1].image)
      print(api.read_namespaced_pod_log('once', 'default').strip().replace('\\n', ' '))
      """
    let ran = try Shell.run(python, ["-c", script], environment: eks.environment, limit: 60)
    #expect(
      ran.output == "from python\none two 5\n['bare', 'box', 'once']\nnginx\nout err\n", "\(ran.all)")
  }
}
