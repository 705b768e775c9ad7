import Mechanisms
import Testing

@Suite struct CorefileTests {
  static let eks = """
    .:53 {
        errors
        health {
            lameduck 5s
          }
        ready
        kubernetes cluster.local in-addr.arpa ip6.arpa {
          pods insecure
          fallthrough in-addr.arpa ip6.arpa
        }
        prometheus :9153
        forward . /etc/resolv.conf
        cache 30
        loop
        reload
        loadbalance
    }
    """
  static let files = ["/etc/resolv.conf": "nameserver 192.168.0.2\n"]

  static func load(_ text: String) throws(CorefileError) -> Corefile { try Corefile(text, files: files) }

  static func fault(_ text: String) -> String? {
    do throws(CorefileError) {
      _ = try load(text)
      return nil
    } catch { return error.text }
  }

  @Test func defaultOfEKS() throws {
    let server = try #require(Self.load(Self.eks).server(for: "anything.example.com"))
    #expect(server.title == ".:53")
    let plugins = server.plugins
    #expect(plugins.kubernetes?.pods == .insecure)
    #expect(plugins.kubernetes?.primaryZone == "cluster.local")
    #expect(plugins.kubernetes?.through == ["in-addr.arpa", "ip6.arpa"])
    #expect(plugins.forwards.first?.servers == ["192.168.0.2"])
    #expect(plugins.cache?.successMax == 30)
    #expect(plugins.cache?.denialMax == 30)
    #expect(plugins.health?.lameduck == .seconds(5))
    #expect(plugins.reload == .seconds(30))
    #expect(plugins.findsLoops && plugins.logsErrors && plugins.balances && plugins.isReadyTold)
    #expect(plugins.unmodelled.isEmpty)
  }

  static let path = "/etc/coredns/Corefile"

  @Test(arguments: [
    (
      ".:53 {\n  errors\n  kubernete cluster.local\n}\n",
      "\(path):3 - Error during parsing: Unknown directive 'kubernete'"
    ),
    (".:53 {\n  proxy . /etc/resolv.conf\n}\n", "\(path):2 - Error during parsing: Unknown directive 'proxy'"),
    (".:53 {\n  errors\n", "\(path):2 - Syntax error: Unexpected token 'errors', expecting '}'"),
    (
      ".:53 {\n  forward .\n}\n",
      "plugin/forward: \(path):2 - Error during parsing: Wrong argument count or unexpected line ending after '.'"
    ),
    (".:53 {\n  forward . nowhere.example\n}\n", "plugin/forward: not an IP address or file: \"nowhere.example\""),
    (
      ".:53 {\n  kubernetes cluster.local {\n    upstream\n  }\n}\n",
      "plugin/kubernetes: \(path):3 - Error during parsing: unknown property 'upstream'"
    ),
    (
      ".:53 {\n  kubernetes cluster.local {\n    pods on\n  }\n}\n",
      "plugin/kubernetes: wrong value for pods: on,  must be one of: disabled, verified, insecure"
    ),
    (".:53 {\n  kubernetes in-addr.arpa\n}\n", "plugin/kubernetes: non-reverse zone name must be used"),
    (".:53 {\n  cache 0\n}\n", "plugin/cache: cache TTL can not be zero or negative: 0"),
    (".:53 {\n  cache 30\n  cache 30\n}\n", "plugin/cache: this plugin can only be used once per Server Block"),
    (
      ".:53 {\n  loop now\n}\n",
      "plugin/loop: \(path):2 - Error during parsing: Wrong argument count or unexpected line ending after 'now'"
    ),
    (".:53 {\n  reload 1s\n}\n", "plugin/reload: interval value must be greater or equal to 2s"),
    (
      ".:53 {\n  forward . 1.1.1.1 {\n    policy best\n  }\n}\n",
      "plugin/forward: \(path):3 - Error during parsing: unknown policy 'best'"
    ),
    (".:53 {\n  errors\n}\n.:53 {\n  errors\n}\n", "cannot serve dns://.:53 - it is already defined"),
    (".:53 {\n  import lost.conf\n}\n", "\(path):2 - Error during parsing: File to import not found: lost.conf"),
    (".:53 {\n  rewrite name\n}\n", "plugin/rewrite: too few arguments for a name rule"),
    (".:53 {\n  }\n}\n", nil),
    (
      ".:53 {\n  forward . 1.1.1.1 }\n}\n",
      "\(path):2 - Error during parsing: Unexpected '}' because no matching opening brace"
    ),
    ("(shared) {\n  cache 10\n}\n.:53 {\n  import shared\n  forward . 1.1.1.1\n}\n", nil),
    (
      "a.example, {\n}\n",
      "\(path):1 - Error during parsing: Expected another address but had '{' - check for extra comma"
    ),
  ])
  func errors(_ text: String, _ wanted: String?) {
    #expect(Self.fault(text) == wanted)
  }

  @Test func snippetsAreImported() throws {
    let file = try Self.load("(shared) {\n  cache 10\n  errors\n}\n.:53 {\n  import shared\n  forward . 1.1.1.1\n}\n")
    #expect(file.servers.count == 1)
    #expect(file.servers[0].plugins.cache?.successMax == 10)
    #expect(file.servers[0].plugins.logsErrors)
    #expect(file.servers[0].plugins.forwards.first?.servers == ["1.1.1.1"])
  }

  @Test func zonesAreChosenByLength() throws {
    let file = try Self.load(
      Self.eks
        + "\ncorp.example:53 internal.example {\n  forward . 10.9.0.1 10.9.0.2:5353 {\n    policy sequential\n  }\n}\n")
    #expect(file.server(for: "db.corp.example")?.plugins.forwards.first?.servers == ["10.9.0.1", "10.9.0.2:5353"])
    #expect(file.server(for: "internal.example")?.zone == "internal.example")
    #expect(file.server(for: "db.corp.example.org")?.zone == "")
  }

  @Test func settingsOfCacheAndRewrite() throws {
    let file = try Self.load(
      """
      .:53 {
        cache 60 {
          success 5000 20
          denial 100 10 1
          serve_stale 10m
          servfail 1s
        }
        rewrite name exact old.example new.example
        rewrite stop {
          name regex (.*)\\.my\\.zone {1}.default.svc.cluster.local
          answer auto
        }
        hosts {
          10.0.0.5 db.example db
          ttl 60
          fallthrough
        }
        template IN A ip.example {
          match ^(\\d+)-(\\d+)-(\\d+)-(\\d+)\\.ip\\.example\\.$
          answer "{{ .Name }} 60 IN A {{ index .Match 1 }}.{{ index .Match 2 }}.{{ index .Match 3 }}.{{ index .Match 4 }}"
          fallthrough
        }
        forward . /etc/resolv.conf {
          max_concurrent 1000
          except internal.example
        }
      }
      """)
    let plugins = file.servers[0].plugins
    #expect(plugins.cache?.successMax == 20 && plugins.cache?.denialMax == 10 && plugins.cache?.denialMin == 1)
    #expect(plugins.cache?.stale == .seconds(600) && plugins.cache?.failureSeconds == 1)
    #expect(plugins.rewrites.map(\.kind) == [.exact, .regex])
    #expect(plugins.hosts?.entries.first?.names == ["db.example", "db"])
    #expect(plugins.hosts?.ttl == 60)
    #expect(plugins.forwards[0].maxConcurrent == 1000)
    #expect(!plugins.forwards[0].takes("a.internal.example"))
  }
}
