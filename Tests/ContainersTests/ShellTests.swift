import Containers
import Testing
import Wire

/// A pod with one container, driven by hand.
final class Box {
  let system: PodSystem
  private(set) var now = Timestamp(seconds: 1_790_000_000)
  private var sessions = 0

  init(_ image: String = "busybox", volumes: [String: FileTree] = [:], mounts: [ContainerFiles.Mount] = []) {
    system = PodSystem(now: now, seed: 7)
    system.volumes = volumes
    var setup = ContainerSetup(
      name: "main", image: image, id: "c0ffee", hostname: "box", arguments: ["server"],
      environment: ["PATH": ContainerSetup.path, "HOME": "/root", "GREETING": "hello"])
    setup.serves = true
    setup.mounts = mounts
    _ = system.start(setup)
    _ = system.run(at: now)
    system.effects = []
  }

  struct Result: Equatable {
    var out = ""
    var err = ""
    var code = -1
  }

  /// Runs a command to its end, letting time pass where it waits for it.
  func run(_ command: [String], input: String? = nil, turns: Int = 400) -> Result {
    sessions += 1
    var result = Result()
    let request = PodSystem.SessionRequest(
      session: sessions, container: "main", command: command, hasInput: input != nil, isTerminal: false)
    if let fault = system.open(request) { return Result(out: "", err: fault, code: 126) }
    if let input {
      system.input(sessions, Array(input.utf8))
      system.endInput(sessions)
    }
    var out: [UInt8] = []
    var err: [UInt8] = []
    for _ in 0..<turns {
      let next = system.run(at: now)
      for effect in system.effects {
        switch effect {
        case .output(_, 1, let bytes): out += bytes
        case .output(_, _, let bytes): err += bytes
        case .sessionEnded(_, let code): result.code = code
        default: break
        }
      }
      system.effects = []
      guard result.code < 0, let next else { break }
      now = max(next, now)
    }
    if result.code < 0 { system.disconnect(sessions) }
    result.out = String(decoding: out, as: UTF8.self)
    result.err = String(decoding: err, as: UTF8.self)
    return result
  }

  func sh(_ script: String, input: String? = nil, turns: Int = 400) -> Result {
    run(["sh", "-c", script], input: input, turns: turns)
  }
}

@Suite struct ShellTests {
  struct Case: CustomTestStringConvertible {
    var script: String
    var out: String
    var err = ""
    var code = 0
    var testDescription: String { script }

    init(_ script: String, _ out: String, err: String = "", code: Int = 0) {
      self.script = script
      self.out = out
      self.err = err
      self.code = code
    }
  }

  static let cases: [Case] = [
    Case("echo hi", "hi\n"), Case("echo 'a  b' \"c  d\" e\\ f", "a  b c  d e f\n"),
    Case("x=1; echo $x ${x}2 ${y:-none} ${y:=set} $y", "1 12 none set set\n"),
    Case("echo ${#GREETING} ${GREETING%lo} ${GREETING#he} ${GREETING:1:3}", "5 hel llo ell\n"),
    Case("f=/a/b/c.tar.gz; echo ${f##*/} ${f%/*} ${f%%.*} ${f#*.}", "c.tar.gz /a/b /a/b/c tar.gz\n"),
    Case("echo $(echo a; echo b) `echo c`", "a b c\n"), Case("echo \"$(printf 'a\\nb')\"", "a\nb\n"),
    Case("echo $((1 + 2 * 3)) $((7 / 2)) $((1 << 4)) $(( (2 > 1) && 3 ))", "7 3 16 1\n"),
    Case("i=5; echo $((i++)) $i $((i += 2)) $i", "5 6 8 8\n"),
    Case("false; echo $?; true; echo $?", "1\n0\n"), Case("exit 7", "", code: 7),
    Case("false && echo no; true && echo yes; false || echo or", "yes\nor\n"),
    Case("if [ 1 -eq 1 ]; then echo one; elif true; then echo two; else echo three; fi", "one\n"),
    Case("if [ -f /nope ]; then echo yes; else echo no; fi", "no\n"),
    Case("for i in 1 2 3; do echo -n $i; done; echo", "123\n"),
    Case("i=0; while [ $i -lt 3 ]; do i=$((i+1)); echo $i; done", "1\n2\n3\n"),
    Case("i=0; until [ $i -ge 2 ]; do i=$((i+1)); done; echo $i", "2\n"),
    Case("for i in 1 2 3 4; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done", "1\n3\n"),
    Case("case foobar in foo*) echo match;; *) echo other;; esac", "match\n"),
    Case("case x in a|b) echo ab;; x|y) echo xy;; esac", "xy\n"),
    Case("f() { echo \"f $1 $#\"; return 3; }; f a b; echo $?", "f a 2\n3\n"),
    Case("f() { local x=2; echo $x; }; x=1; f; echo $x", "2\n1\n"),
    Case("echo one | cat | tr a-z A-Z", "ONE\n"),
    Case("printf 'b\\na\\nb\\n' | sort | uniq -c", "      1 a\n      2 b\n"),
    Case("seq 5 | head -n 2; seq 5 | tail -n 2", "1\n2\n4\n5\n"), Case("yes | head -3", "y\ny\ny\n"),
    Case("echo a > /tmp/x; echo b >> /tmp/x; cat /tmp/x; wc -l < /tmp/x", "a\nb\n2\n"),
    Case("cat <<EOF\nhi $GREETING\nEOF", "hi hello\n"), Case("cat <<'EOF'\nhi $GREETING\nEOF", "hi $GREETING\n"),
    Case("echo err >&2; echo out", "out\n", err: "err\n"), Case("(echo a; echo b >&2) 2>&1 | sort", "a\nb\n"),
    Case("ls /nope 2>/dev/null; echo $?", "1\n"),
    Case("nosuch", "", err: "sh: nosuch: not found\n", code: 127),
    Case("cat /nope", "", err: "cat: can't open '/nope': No such file or directory\n", code: 1),
    Case("set -e; false; echo never", "", code: 1),
    Case("set -e; if false; then :; fi; false || true; echo on", "on\n"),
    Case("(exit 4); echo $?", "4\n"), Case("x=1; (x=2); echo $x", "1\n"),
    Case("echo a b c | { read x y; echo $y; }", "b c\n"),
    Case("printf '1 2\\n3 4\\n' | while read a b; do echo $b-$a; done", "2-1\n4-3\n"),
    Case("trap 'echo bye' EXIT; echo hi", "hi\nbye\n"), Case("sleep 1; date +%s", "1790000001\n"),
    Case("cd /tmp && mkdir -p a/b && touch a/b/f && find a | sort", "a\na/b\na/b/f\n"),
    Case("cd /tmp; touch a1 a2 b1; echo a* *1 '*'; echo z*", "a1 a2 a1 b1 *\nz*\n"),
    Case("set -- x y z; shift; echo $# $1 \"$@\"", "2 y y z\n"), Case("IFS=:; set -- $(echo a:b:c); echo $2", "b\n"),
    Case("echo 'a1b22' | sed 's/[0-9]\\+/N/g'; echo abc | sed -E 's/(a)(b)/\\2\\1/'", "aNbN\nbac\n"),
    Case("printf 'x\\ny\\nz\\n' | sed -n 2p; printf 'x\\ny\\n' | sed '/x/d'", "y\ny\n"),
    Case(
      "printf 'foo\\nbar\\n' | grep -v foo; echo foo | grep -q foo && echo found; echo a | grep b; echo $?",
      "bar\nfound\n1\n"),
    Case("echo a,b,c | cut -d, -f2,3; echo hello | cut -c1-3", "b,c\nhel\n"),
    Case("printf '%05d|%-5s|%x|%.2f\\n' 42 ab 255 3.14159", "00042|ab   |ff|3.14\n"),
    Case("echo $0 $$ >/dev/null; echo ok", "ok\n"), Case("sleep 100 & kill $!; wait $!; echo $?", "143\n"),
    Case("timeout 1 sleep 10; echo $?", "143\n"), Case("echo 1 2 3 | xargs -n1 echo n", "n 1\nn 2\nn 3\n"),
    Case("env | grep GREETING; GREETING=x env | grep GREETING", "GREETING=hello\nGREETING=x\n"),
    Case("test -d /tmp -a -w /tmp && echo dir; [ a = a ] && [ ! b = c ] && echo ok", "dir\nok\n"),
    Case("echo hi > /nodir/x", "", err: "sh: can't create /nodir/x: nonexistent directory\n", code: 1),
    Case("if true; then echo", "", err: "sh: syntax error: unexpected end of file (expecting \"fi\")\n", code: 2),
    Case("echo \"a", "", err: "sh: syntax error: unterminated quoted string\n", code: 2),
    Case("echo ${x?no x}; echo never", "", err: "sh: x: no x\n", code: 2),
    Case("a=1 b=2; eval 'echo $a$b'", "12\n"), Case("echo aGk= | base64 -d", "hi"),
    Case("while true; do echo x; done | head -2", "x\nx\n"), Case("echo -e 'a\\tb'", "a\tb\n"),
    Case("ps | grep -c '[s]h'", "1\n"), Case("basename /a/b.txt .txt; dirname /a/b.txt", "b\n/a\n"),
    Case("hostname; whoami; id -u; uname -s; pwd", "box\nroot\n0\nLinux\n/\n"),
    Case("exec 3>/tmp/f; echo x >&3; exec 3>&-; cat /tmp/f", "x\n"),
    Case("command -v ls; type cd; which nosuch; echo $?", "/bin/ls\ncd is a shell builtin\n1\n"),
    Case("echo a | tee /tmp/t | cat; cat /tmp/t", "a\na\n"), Case("true | false; echo $?; ! true; echo $?", "1\n1\n"),
  ]

  @Test(arguments: cases) func script(_ item: Case) {
    let result = Box().sh(item.script)
    #expect(result == Box.Result(out: item.out, err: item.err, code: item.code))
  }

  @Test func standardInput() {
    #expect(Box().sh("cat", input: "a\nb\n").out == "a\nb\n")
    #expect(
      Box().run(["sh"], input: "echo one\nfor i in 1 2\ndo echo $i\ndone\nexit 3\n")
        == .init(out: "one\n1\n2\n", code: 3))
  }

  @Test func commandsThatAreNotThere() {
    #expect(
      Box().run(["nosuch"]).err
        == "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nosuch\": executable file not found in $PATH: unknown"
    )
    #expect(Box("coredns").run(["sh"]).err.hasSuffix("exec: \"sh\": executable file not found in $PATH: unknown"))
    #expect(Box("debian").sh("nosuch").err == "sh: 1: nosuch: not found\n")
    #expect(Box("amazonlinux").run(["bash", "-c", "nosuch"]).err == "bash: line 1: nosuch: command not found\n")
  }
}
