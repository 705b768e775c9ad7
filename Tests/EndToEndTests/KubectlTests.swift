import Foundation
import Testing
import Wire

/// Every kubectl command of daily work prints what it prints against upstream; `Tests/Golden/kubectl` says what.
@Suite(.serialized, .enabled(if: Clients.both))
struct KubectlTests {
  struct Step {
    var line: Int
    var command: String
    var environment: [String: String] = [:]
    var input: String?
    var status: Int32 = 0
    var expected: [String] = []
  }

  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Golden/kubectl").resolvingSymlinksInPath().path

  static func steps(_ text: String) -> [Step] {
    var steps: [Step] = []
    var environment: [String: String] = [:]
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let rest = String(line.dropFirst(2))
      switch line.prefix(1) {
      case "@":
        let pair = rest.split(separator: "=", maxSplits: 1).map(String.init)
        environment[pair[0]] = pair[1]
      case "$":
        steps.append(Step(line: index + 1, command: rest, environment: environment))
        environment = [:]
      case "<": steps[steps.count - 1].input = (steps[steps.count - 1].input ?? "") + rest + "\n"
      case "?": steps[steps.count - 1].status = Int32(rest) ?? 0
      case ">": steps[steps.count - 1].expected.append(rest)
      case ".": steps[steps.count - 1].expected.append("...")
      default: break
      }
    }
    return steps
  }

  /// Lines with one blank between words; the last empty ones are left out.
  static func lines(_ text: String) -> [String] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines
  }

  static let kinds = [
    "<age>": #"(\d+y)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?( \(x\d+ over [0-9a-z]+\))?"#, "<id>": "[a-z0-9-]+",
    "<ip>": #"\d+\.\d+\.\d+\.\d+"#,
    "<node>": #"ip-[0-9-]+\.ec2\.internal"#, "<n>": #"\d+"#, "<time>": #"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-][0-9:]+)"#,
    "<any>": ".*",
  ]

  static func matches(_ pattern: String, _ line: String) -> Bool {
    var expression = NSRegularExpression.escapedPattern(for: pattern)
    for (word, kind) in kinds { expression = expression.replacing(word, with: kind) }
    return line.range(of: "^\(expression)$", options: .regularExpression) != nil
  }

  /// `...` stands for any lines.
  static func matches(_ expected: ArraySlice<String>, _ lines: ArraySlice<String>) -> Bool {
    guard let first = expected.first else { return lines.isEmpty }
    if first == "..." {
      let rest = expected.dropFirst()
      return (lines.startIndex...lines.endIndex).contains { matches(rest, lines[$0...]) }
    }
    guard let line = lines.first, matches(first, line) else { return false }
    return matches(expected.dropFirst(), lines.dropFirst())
  }

  /// `kubectl proxy` on a port that it chooses, and on a socket.
  @Test(.enabled(if: Clients.curl)) func proxies() async throws {
    let cluster = try await QuickCluster(nodes: 0)
    let folder = cluster.eks.state
    for (option, asks) in [
      ("--port=0", "curl -s http://$(grep -o '127.0.0.1:[0-9]*' $F/told)/api/"),
      ("--unix-socket=$F/kubectl.sock", "curl -s --unix-socket $F/kubectl.sock http://localhost/api/"),
    ] {
      let script = """
        F=\(folder); kubectl --kubeconfig $F/kubeconfig proxy \(option) > $F/told 2>&1 & P=$!
        for i in $(seq 100); do grep -q Starting $F/told && break; sleep 0.1; done
        \(asks); kill $P
        """
      let told = try Shell.run("/bin/bash", ["-c", script], environment: cluster.eks.environment)
      #expect(told.output.contains("\"APIVersions\""), "\(option): \(told.all)")
    }
  }

  @Test func everyCommand() async throws {
    let cluster = try await QuickCluster()
    let node = try cluster.eks.kubectl("get nodes -o jsonpath={.items[0].metadata.name}")
    let text = try String(contentsOfFile: "\(Self.folder)/commands.txt", encoding: .utf8)
      .replacing("{D}", with: Self.folder).replacing("{N}", with: node)
    let steps = Self.steps(text)
    #expect(steps.count > 200)
    for step in steps {
      let outcome = try cluster.eks.kubectlOutcome(step.command, input: step.input, environment: step.environment)
      let told = Self.lines(outcome.all)
      var expected = step.expected.map { Self.lines($0).first ?? "" }
      while expected.last?.isEmpty == true { expected.removeLast() }
      #expect(outcome.status == step.status, "commands.txt:\(step.line) kubectl \(step.command)")
      #expect(
        Self.matches(expected[...], told[...]),
        "commands.txt:\(step.line) kubectl \(step.command)\n\(told.joined(separator: "\n"))")
    }
  }
}
