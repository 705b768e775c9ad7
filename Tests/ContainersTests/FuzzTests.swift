import Containers
import Testing

/// Anything may be typed into a shell: it ends, or waits, within its bounds, and takes nothing down.
@Suite struct FuzzTests {
  /// SplitMix64, so that a failure is a seed.
  struct Chance {
    var state: UInt64
    mutating func next(_ bound: Int) -> Int {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return Int((z ^ (z >> 31)) % UInt64(bound))
    }
  }

  static let words = [
    "if", "then", "else", "fi", "while", "do", "done", "for", "in", "case", "esac", "{", "}", "(", ")", ";", ";;", "&",
    "&&", "||", "|", "\n", " ", " ", " ", "echo", "x=1", "$x", "${x:-", "}", "$(", "`", "$((", "))", "1+2", "'", "\"",
    "\\", ">", ">>", "<", "<<E", "E\n", "2>&1", "/tmp/f", "cat", "sed", "s/a/b/", "grep", "[a-", "*", "?", "true",
    "false",
    "[", "]", "-eq", "exit", "return", "break", "continue", "f()", "f", "set", "-e", "trap", "read", "wait", "sleep",
    "9",
    "${#", "${x%%", "${x//", "#", "!", "~", "é", "\u{0}", "seq", "99999999", "head", "-n", "printf", "%s%d", "xargs",
    "tr",
    "kill", "$$", "$!", "$?", "$@", "\"$@\"", "eval", ".", "exec", "test", "-f", "tar", "x", "find", "ls", "-la",
    "/proc",
  ]

  @Test(arguments: 0..<8) func scripts(_ seed: UInt64) {
    var chance = Chance(state: seed)
    for _ in 0..<60 {
      let script = (0..<(1 + chance.next(25))).map { _ in Self.words[chance.next(Self.words.count)] }
        .joined(separator: chance.next(2) == 0 ? " " : "")
      let result = Box().run(["sh", "-c", script], input: "a\nb\n", turns: 3)
      #expect(result.out.utf8.count < 64 << 20, "seed \(seed): \(script)")
    }
  }

  @Test(arguments: 100..<104) func bytes(_ seed: UInt64) {
    var chance = Chance(state: seed)
    for _ in 0..<60 {
      let bytes = (0..<chance.next(120)).map { _ in UInt8(chance.next(256)) }
      let result = Box().run(["sh"], input: String(decoding: bytes, as: UTF8.self), turns: 3)
      #expect(result.out.utf8.count < 1 << 20, "seed \(seed): \(bytes)")
    }
  }

  /// Numbers at the ends of what can be told, where a careless addition would end the whole program.
  @Test func numbersAreBounded() {
    let (most, least) = ("9223372036854775807", "-9223372036854775808")
    for number in [most, least, "0", "-1", "1e999", "99999999999999999999"] {
      for script in [
        "seq \(number) \(most)", "seq 1 \(most) \(most)", "head -n \(number) /etc/passwd",
        "head -c \(number) /etc/passwd",
        "tail -n \(number) /etc/passwd", "grep -A \(number) -B \(number) root /etc/passwd",
        "dd if=/dev/zero bs=\(number) count=1",
        "dd if=/etc/passwd bs=1 count=\(number)", "read -t \(number) x", "kill \(number)", "kill %\(number)",
        "wait %\(number)",
        "timeout \(number) true", "echo $((\(number) + 1)) $((\(number) / -1)) $((-\(number))) $((1 << \(number)))",
        "x=abc; echo ${x:\(number):\(number)}", "printf '%\(number)d %.\(number)f' 1 2", "shift \(number)",
        "exit \(number)",
        "truncate -s \(number) /tmp/f", "cut -c\(number)- /etc/passwd", "OPTIND=\(number); getopts a x -a",
        "date -d @\(number)",
        "sed -n \(number)p /etc/passwd", "echo a | xargs -n \(number) echo", "base64 -w \(number) /etc/hostname",
        "set -- a; echo ${\(number)}",
        "usleep \(number) &", "sleep \(number) \(number) &", "chmod \(number) /tmp", "break \(number)",
        "return \(number)",
      ] {
        _ = Box().sh(script, input: "", turns: 3)
      }
    }
  }

  @Test func depthsAreBounded() {
    let deep = String(repeating: "(", count: 5000)
    #expect(Box().sh(deep).code == 2)
    #expect(Box().sh(String(repeating: "$(", count: 5000)).code == 2)
    #expect(Box().sh("echo " + String(repeating: "${x:-", count: 5000)).code == 2)
    #expect(Box().sh("f() { f; }; f").code == 2)
    #expect(Box().sh("x=1; while true; do x=$x$x; done", turns: 4).code != 0)
    #expect(Box().sh(":() { : | : & }; :", turns: 4).out.isEmpty)
    #expect(Box().run(["sh", "-c", "echo " + String(repeating: "a*", count: 2000)]).code == 0)
    #expect(Box().sh("echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | grep -E '(a+)+b'", turns: 20).code != 0)
    #expect(Box().sh("dd if=/dev/zero of=/tmp/big bs=1M count=100").code == 1)
    #expect(Box().sh("while :; do echo 1234567890 >> /tmp/f; cat /tmp/f /tmp/f >> /tmp/g; done", turns: 6).code != 0)
  }
}
