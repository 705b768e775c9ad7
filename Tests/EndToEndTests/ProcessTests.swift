import Foundation
import Testing
import Wire

/// The process around the world: starting, telling, stopping, and what it says when it can't.
@Suite struct ProcessTests {
  private static func run(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return try Shell.run(
      LocalEKSProcess.binary, arguments, environment: environment.merging(["PATH": path]) { own, _ in own })
  }

  private static func newFolder() -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-\(UUID().uuidString)").path
  }

  @Test func tellsWhatRuns() throws {
    let local = try LocalEKSProcess()
    let text = try local.ekswhy("status", "--state", local.state)
    #expect(text.status == 0)
    #expect(text.output.contains("running") && text.output.contains(local.state))
    let json = try JSON.parse(try local.ekswhy("status", "--state", local.state, "-o", "json").output)
    #expect(json["running"].bool == true)
    #expect(json["pid"].int ?? 0 > 1)
    #expect(json["endpoint"].string == local.environment["AWS_ENDPOINT_URL"])
    #expect(json["health"].string == "ok")
  }

  @Test func startsOnceForAFolder() throws {
    let local = try LocalEKSProcess()
    let detached = try local.ekswhy("up", "--detach", "--state", local.state, "--port", "0")
    #expect(detached.status == 0)
    #expect(detached.output.contains("runs already"))
    let attached = try local.ekswhy("up", "--state", local.state, "--port", "0")
    #expect(attached.status == 70)
    #expect(attached.errors.contains("runs already (pid \(try local.pid))"))
  }

  @Test func saysWhoHasThePort() throws {
    let local = try LocalEKSProcess()
    let port = try #require(local.environment["AWS_ENDPOINT_URL"]?.split(separator: ":").last.map(String.init))
    let folder = Self.newFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for mode in [["--detach"], []] {
      let second = try local.ekswhy(["up", "--state", folder, "--port", port] + mode)
      #expect(second.status == 70)
      #expect(second.errors.contains("port \(port) on 127.0.0.1 is in use by pid \(try local.pid)"))
      #expect(second.errors.contains("up --port "))
    }
  }

  @Test func stopsAndKeepsTheState() throws {
    let local = try LocalEKSProcess()
    let pid = try local.pid
    #expect(try local.ekswhy("down", "--state", local.state).status == 0)
    while Foundation.kill(pid, 0) == 0 { usleep(1000) }
    #expect(FileManager.default.fileExists(atPath: "\(local.state)/world.db"))
    #expect(!FileManager.default.fileExists(atPath: "\(local.state)/control.sock"))
    let again = try local.ekswhy("down", "--state", local.state)
    #expect(again.status == 0)
    #expect(again.output.contains("no local EKS runs"))
    try local.up()
    #expect(try local.pid != pid)
  }

  @Test func endsInGoodOrderWhenInterrupted() throws {
    let local = try LocalEKSProcess()
    let pid = try local.pid
    Foundation.kill(pid, SIGINT)
    while Foundation.kill(pid, 0) == 0 { usleep(1000) }
    #expect(!FileManager.default.fileExists(atPath: "\(local.state)/control.sock"))
    #expect(try local.ekswhy("status", "--state", local.state).status == 4)
  }

  @Test func refusesAStateOfANewerVersion() throws {
    let local = try LocalEKSProcess()
    _ = try local.ekswhy("down", "--state", local.state)
    // The format's number is SQLite's user_version: four bytes at offset 60 of the file's header, unless the
    // write-ahead log has a newer one.
    for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: "\(local.state)/world.db\(suffix)") }
    let database = try FileHandle(forUpdating: URL(fileURLWithPath: "\(local.state)/world.db"))
    try database.seek(toOffset: 60)
    try database.write(contentsOf: Data([0, 0, 0x7f, 0]))
    try database.close()
    let outcome = try local.ekswhy("up", "--detach", "--state", local.state, "--port", "0")
    #expect(outcome.status == 70)
    #expect(outcome.errors.contains("format 32512"))
    #expect(outcome.errors.contains("--state"))
  }

  @Test func keepsItsFolderToItself() throws {
    let local = try LocalEKSProcess()
    let attributes = try FileManager.default.attributesOfItem(atPath: local.state)
    #expect(attributes[.posixPermissions] as? Int == 0o700)
    for name in ["keys", "logs"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(local.state)/\(name)")
      #expect(attributes[.posixPermissions] as? Int == 0o700)
    }
    for name in ["environment.json", "control.sock", "ekswhy.log"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(local.state)/\(name)")
      #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
    }
  }

  @Test func worksInAFolderWithALongName() throws {
    let folder = Self.newFolder() + "/" + String(repeating: "long", count: 40)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let local = try LocalEKSProcess(state: folder)
    #expect(try local.ekswhy("status", "--state", folder).status == 0)
  }

  @Test func movesTheClock() throws {
    let local = try LocalEKSProcess()
    let advanced = try local.ekswhy("clock", "advance", "2h", "--state", local.state)
    #expect(advanced.output.contains("ahead of wall time"))
    let json = try JSON.parse(try local.ekswhy("clock", "now", "-o", "json", "--state", local.state).output)
    #expect((7190...7300).contains(json["aheadSeconds"].double ?? 0))
    #expect(try local.ekswhy("clock", "mode", "step", "--state", local.state).status == 0)
    let first = try local.ekswhy("clock", "--state", local.state).output
    #expect(
      try local.ekswhy("clock", "--state", local.state).output.split(separator: " ")[0]
        == first.split(separator: " ")[0])
    #expect(try local.ekswhy("clock", "advance", "soon", "--state", local.state).status == 64)
    #expect(try local.ekswhy("clock", "rate", "0", "--state", local.state).status == 70)
  }

  @Test(arguments: [
    "4 status --state /nonexistent/x", "4 env --state /nonexistent/x", "4 clock now --state /nonexistent/x",
    "64 up --port seventy", "64 up --port 70000", "64 up --clock fast", "64 up --store etcd://x", "0 --version",
    "0 --help",
  ])
  func endsWithTheStatusOfTheContract(_ line: String) throws {
    let words = line.split(separator: " ").map(String.init)
    let status = Int32(words[0])!
    let arguments = Array(words.dropFirst())
    let outcome = try Shell.run(LocalEKSProcess.binary, arguments, environment: [:])
    #expect(outcome.status == status, "\(outcome.all)")
    #expect(status == 0 || !outcome.errors.isEmpty)
  }

  @Test func givesTheShellBackAsItWas() throws {
    let local = try LocalEKSProcess()
    let script = """
      unset $(compgen -e | grep -E '^(AWS_|KUBECONFIG|EKSWHY_STATE|EKSWHY_SAVED_|.*_proxy|.*_PROXY)') KUBECONFIG
      export AWS_PROFILE="my 'own'" AWS_REGION=eu-west-1 AWS_SESSION_TOKEN=t AWS_ENDPOINT_URL_S3=x HTTP_PROXY=p
      before=$(env | grep -vE '^(_|SHLVL)=' | sort)
      eval "$("$1" env --state "$2")"
      echo "1 ${AWS_PROFILE-unset} ${AWS_SESSION_TOKEN-unset} ${AWS_ENDPOINT_URL_S3-unset} $AWS_REGION $NO_PROXY"
      eval "$("$1" env --state "$2")"
      echo "2 $AWS_ENDPOINT_URL"
      eval "$("$1" env --unset)"
      after=$(env | grep -vE '^(_|SHLVL)=' | sort)
      [ "$before" = "$after" ] && echo same || diff <(echo "$before") <(echo "$after")
      """
    let outcome = try Shell.run(
      "/bin/bash", ["-c", script, "bash", LocalEKSProcess.binary, local.state], environment: local.environment)
    let endpoint = local.environment["AWS_ENDPOINT_URL"] ?? ""
    #expect(
      outcome.output == """
        1 unset unset unset us-east-1 localhost,127.0.0.1,::1
        2 \(endpoint)
        same

        """, "\(outcome.all)")
  }
}
