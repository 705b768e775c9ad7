import Foundation
import Testing
import Wire

/// Names as programs in pods resolve them, through CoreDNS and the VPC's resolver, with the real kubectl.
@Suite(.serialized, .enabled(if: Clients.both))
struct NameTests {
  static let objects = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      replicas: 2
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec: {containers: [{name: nginx, image: nginx, ports: [{containerPort: 80}]}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec: {clusterIP: 10.100.7.7, selector: {app: web}, ports: [{port: 80}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: peers}
    spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80, name: http}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: box}
    spec: {containers: [{name: box, image: "busybox:1.36", command: [sleep, infinity]}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: tools}
    spec: {containers: [{name: tools, image: nicolaka/netshoot, command: [sleep, infinity]}]}
    """

  @Test func programsResolveNamesAndReachServices() throws {
    let eks = try LocalEKSProcess()
    try ThreadTests.cluster(eks, nodes: 1)
    func kubectl(_ arguments: [String], input: String? = nil) throws -> Outcome {
      try Shell.run("kubectl", arguments, environment: eks.environment, input: input, limit: 60)
    }
    func exec(_ pod: String, _ line: String) throws -> Outcome {
      try kubectl(["exec", pod, "--"] + line.split(separator: " ").map(String.init))
    }
    let applied = try kubectl(["apply", "-f", "-"], input: Self.objects)
    try #require(applied.status == 0, "\(applied.all)")
    for what in ["deployment/web", "deployment/coredns"] {
      let namespace = what.hasSuffix("coredns") ? "kube-system" : "default"
      let rolled = try kubectl(["rollout", "status", what, "-n", namespace, "--timeout=60s"])
      try #require(rolled.status == 0, "\(rolled.all)")
    }
    let ready = try kubectl(["wait", "--for=condition=Ready", "pod/box", "pod/tools", "--timeout=60s"])
    try #require(ready.status == 0, "\(ready.all)")

    let full = try exec("box", "nslookup -type=a web.default.svc.cluster.local")
    #expect(
      full.output
        == "Server:\t\t10.100.0.10\nAddress:\t10.100.0.10:53\n\nName:\tweb.default.svc.cluster.local\nAddress: 10.100.7.7\n\n"
    )
    // This tool doesn't heed ndots: a dot in the name, and the list isn't searched.
    let dotted = try exec("box", "nslookup -type=a web.default")
    #expect(dotted.output.contains("** server can't find web.default: NXDOMAIN"), "\(dotted.all)")
    #expect(dotted.status == 1)
    #expect(try exec("tools", "dig +short peers.default.svc.cluster.local").output.split(separator: "\n").count == 2)
    #expect(try exec("tools", "getent hosts web").output == "10.100.7.7      web.default.svc.cluster.local\n")
    let typed = try exec("tools", "host -v goole.com")
    #expect(
      typed.output.hasPrefix(
        "Trying \"goole.com.default.svc.cluster.local\"\nTrying \"goole.com.svc.cluster.local\"\nTrying \"goole.com.cluster.local\"\nTrying \"goole.com.ec2.internal\"\nTrying \"goole.com\"\n"
      ), "\(typed.all)")
    #expect(typed.output.hasSuffix("Host goole.com not found: 3(NXDOMAIN)\n"))
    #expect(try exec("tools", "dig +short sts.us-east-1.amazonaws.com").output.hasPrefix("52.94."))
    #expect(try exec("box", "wget -qO- http://web").output.contains("Welcome to nginx!"))
    #expect(try exec("box", "wget -qO- http://nothing").errors.hasPrefix("wget: bad address 'nothing'\n"))
    #expect(try exec("tools", "curl -s -o /dev/null -w %{http_code} http://web.default/none").output == "404")

    let why = try Shell.run(
      LocalEKSProcess.binary, ["name/web.default", "--seen-from", "pod/box", "-o", "json"],
      environment: eks.environment, limit: 60)
    #expect(why.status == 0, "\(why.all)")
    #expect(why.output.contains("gets 10.100.7.7 in 4 queries"), "\(why.all)")

    try brokenCorefile(eks, kubectl)
  }

  /// A Corefile with a typing error is kept out by the processes that run, and ends those that start.
  private func brokenCorefile(_ eks: LocalEKSProcess, _ kubectl: ([String], String?) throws -> Outcome) throws {
    let map = try kubectl(["-n", "kube-system", "get", "configmap", "coredns", "-o", "yaml"], nil).output
    let edited = map.replacingOccurrences(of: "forward .", with: "forwrd .")
    #expect(try kubectl(["apply", "-f", "-"], edited).status == 0)
    #expect(
      try kubectl(["-n", "kube-system", "delete", "pod", "-l", "k8s-app=kube-dns", "--wait=false"], nil).status == 0)
    let waited = try kubectl(
      [
        "-n", "kube-system", "wait", "pod", "-l", "k8s-app=kube-dns",
        "--for=jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}=1", "--timeout=60s",
      ], nil)
    #expect(waited.status == 0, "\(waited.all)")
    let log = try kubectl(["-n", "kube-system", "logs", "-l", "k8s-app=kube-dns", "--tail=1"], nil).output
    #expect(log.contains("Error during parsing: Unknown directive 'forwrd'"), "\(log)")
    let why = try Shell.run(
      LocalEKSProcess.binary, ["name/web", "--seen-from", "pod/box", "-o", "json"], environment: eks.environment,
      limit: 60)
    #expect(why.status == 1, "\(why.all)")
    #expect(why.output.contains("names/corefile-refused"), "\(why.all)")
  }
}
